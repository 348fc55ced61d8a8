// What one shard cannot write out keeps its share of the memory that all shards write to.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

#include "cluster/transaction.h"
#include "tests/cluster/simulated_store.h"

namespace shale::cluster {
namespace {

using engine::DiskCall;
using engine::ErrorKind;

class StoreWithAShardThatCannotFlush : public SimulatedStoreTest {
 protected:
  static constexpr std::size_t kValueBytes = 1024;
  static constexpr int kWrites = 1500;        // to each shard: together more than memory has room for
  static constexpr int kWritesOfHalf = 1200;  // with them a flush has begun

  // Commits one record, however often it is told to try again.
  engine::Status write(const Bytes& key) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    ShardLocks locks{*store_};
    Transaction transaction{*store_, locks};
    for (;;) {
      locks.clear();
      transaction.reset();
      locks.add(0, key);
      locks.lock();
      transaction.put(0, Bytes(kValueBytes, 'v'));
      const auto lsn = transaction.commit();
      locks.unlock();
      if (lsn) return {};
      if (!engine::is_retry(lsn.error())) return lsn.error();
      if (std::chrono::steady_clock::now() > deadline) return engine::Error{ErrorKind::busy, "for ever"};
      std::this_thread::yield();
    }
  }
  std::vector<Bytes> keys_of(std::uint32_t shard) {
    std::vector<Bytes> keys;
    for (int number = 0; keys.size() < kWrites; ++number) {
      Bytes key = fmt::format("key:{:04}", number);
      if (owner(key).id == ShardId{shard}) keys.push_back(std::move(key));
    }
    return keys;
  }
  // Neither the log nor anything else makes such a call here.
  static DiskCall call_of_flush() {
    return engine_of_test() == EngineKind::lsm ? DiskCall::create : DiskCall::write;
  }
};

TEST_F(StoreWithAShardThatCannotFlush, AnswersWritesToTheOthers) {
  disk_.fail(call_of_flush(), 1, ErrorKind::io);
  int written = 0;
  for (const Bytes& key : keys_of(0)) {
    const auto status = write(key);
    if (!status) {
      ASSERT_EQ(status.error().kind, ErrorKind::io) << status.error().message;
      break;
    }
    if (++written > kWritesOfHalf) std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  if (engine_of_test() == EngineKind::lsm) {  // a B+ tree tries again
    ASSERT_LT(written, kWrites);
  }
  int number = 0;
  for (const Bytes& key : keys_of(1)) {
    const auto status = write(key);
    ASSERT_TRUE(status) << "write " << number << ": " << status.error().message;
    ++number;
  }
}

}  // namespace
}  // namespace shale::cluster
