// A store of two shards on a simulated disk, whose time goes by when the test says so.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "cluster/reshaper.h"
#include "cluster/store.h"
#include "engine/testing/manual_clock.h"
#include "engine/testing/simulated_disk.h"
#include "tests/cluster/folder_of_test.h"

namespace shale::cluster {

class SimulatedStoreTest : public testing::Test {
 protected:
  SimulatedStoreTest() {
    StoreOptions options;
    options.folder = "/data";
    set_folder_of_test(options, {"key:5"});
    options.shards = 2;
    options.memtable_bytes = 2u << 20;
    options.cache_bytes = 1u << 20;
    options.log_segment_bytes = 1u << 20;
    options.maintenance_interval = std::chrono::milliseconds{0};
    StoreRecovery recovery;
    store_ = std::move(Store::open(disk_, *background_, clock_, options, recovery)).value();
  }
  ~SimulatedStoreTest() override {
    store_->reshaper().stop();
    background_->stop();
    store_.reset();
  }

  Shard& owner(const Bytes& key) {
    Bytes position;
    store_->placement().append(store_->database_id(0), key, position);
    return store_->layout()->owner(position);
  }
  // A key that the shard of this number owns.
  Bytes key_of(std::uint32_t shard) {
    for (int number = 0;; ++number) {
      Bytes key = "key:" + std::to_string(number);
      if (owner(key).id == ShardId{shard}) return key;
    }
  }
  Shard& shard(std::uint32_t id) { return *store_->layout()->find(ShardId{id}); }

  engine::SimulatedDisk disk_{1};
  std::unique_ptr<engine::Background> background_ = engine::make_thread_background(1, 1);
  engine::ManualClock clock_;
  std::unique_ptr<Store> store_;
};

}  // namespace shale::cluster
