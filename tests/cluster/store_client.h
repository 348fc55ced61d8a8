// Reads and writes of an open store, as a connection makes them.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <optional>
#include <thread>
#include <vector>

#include "cluster/transaction.h"

namespace shale::cluster {

// One thread's way to keys.
class StoreClient {
 public:
  explicit StoreClient(Store& store) : locks_(store), transaction_(store, locks_) {}

  // An empty value erases.
  void write(const std::map<Bytes, Bytes>& values) {
    for (;;) {
      begin(values);
      std::size_t index = 0;
      for (const auto& [key, value] : values) {
        if (value.empty()) {
          transaction_.erase(index++);
        } else {
          transaction_.put(index++, value);
        }
      }
      const auto lsn = transaction_.commit();
      locks_.unlock();
      if (lsn) return;
      ASSERT_EQ(lsn.error().kind, engine::ErrorKind::busy) << lsn.error().message;
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
  }
  std::vector<std::optional<Bytes>> read(const std::vector<Bytes>& keys) {
    std::map<Bytes, Bytes> wanted;
    locks_.clear();
    transaction_.reset();
    for (const Bytes& key : keys) locks_.add(0, key);
    for (;;) {
      locks_.lock();
      std::vector<std::optional<Bytes>> values;
      for (std::size_t i = 0; i < keys.size(); ++i) {
        const auto value = transaction_.get(i);
        if (!value) {
          EXPECT_EQ(value.error().kind, engine::ErrorKind::not_resident) << value.error().message;
          break;
        }
        values.push_back(*value ? std::optional<Bytes>{**value} : std::nullopt);
      }
      locks_.unlock();
      if (values.size() == keys.size()) return values;
      for (const auto& load : transaction_.reads().missing) load->run();
    }
  }

 private:
  void begin(const std::map<Bytes, Bytes>& values) {
    locks_.clear();
    transaction_.reset();
    for (const auto& [key, value] : values) locks_.add(0, key);
    locks_.lock();
  }

  ShardLocks locks_;
  Transaction transaction_;
};

}  // namespace shale::cluster
