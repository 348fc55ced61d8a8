// The splitter over a store: that load splits shards where it halves, that cold pieces are merged, and that
// it knows its own after a restart.
#include "cluster/splitter.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "engine/testing/simulated_disk.h"
#include "engine/testing/test_seed.h"
#include "tests/cluster/folder_of_test.h"
#include "tests/cluster/store_client.h"

namespace shale::cluster {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

constexpr unsigned kKeys = 2000;

Bytes key(unsigned number) { return fmt::format("key-{:04}", number); }

class SplitterTest : public testing::Test {
 protected:
  SplitterTest() {
    options_.folder = "/data";
    set_folder_of_test(options_, {"key-1"});
    options_.shards = 2;
    options_.virtual_nodes = 4;
    options_.memtable_bytes = 4u << 20;
    options_.maintenance_interval = std::chrono::milliseconds{20};
    options_.sync_mode = engine::SyncMode::never;
    limits_.read_units_max = 300;
    limits_.heat_max = 0;  // what it would be depends on the machine
    open();
    std::map<Bytes, Bytes> values;
    for (unsigned i = 0; i < kKeys; ++i) values[key(i)] = Bytes(100, 'v');
    StoreClient{*store_}.write(values);
  }
  ~SplitterTest() override { close(); }

  void open() {
    background_ = engine::make_thread_background(1, 2);
    StoreRecovery recovery;
    auto store = Store::open(disk_, *background_, *clock_, options_, recovery);
    ASSERT_TRUE(store) << store.error().message;
    store_ = std::move(*store);
    splitter_ = std::make_unique<Splitter>(*store_, limits_, [](auto) { return 0.5; });
  }
  void close() {
    splitter_.reset();
    store_->reshaper().stop();
    background_->stop();
    store_.reset();
    background_.reset();
  }

  // A second in which so many of `keys` are read, at random.
  void read_for_a_second(const std::vector<unsigned>& keys, unsigned count) {
    StoreClient client{*store_};
    for (unsigned i = 0; i < count; ++i) client.read({key(keys[random_() % keys.size()])});
    step();
  }
  void step(seconds duration = seconds{1}) { splitter_->step(now_ += duration); }
  std::vector<unsigned> all_keys() const {
    std::vector<unsigned> keys(kKeys);
    for (unsigned i = 0; i < kKeys; ++i) keys[i] = i;
    return keys;
  }
  // What is read of each shard, in percent, if `keys` are read evenly.
  std::map<ShardId, std::size_t> shares(const std::vector<unsigned>& keys) const {
    std::map<ShardId, std::size_t> counts;
    const auto layout = store_->layout();
    for (const unsigned number : keys) {
      Bytes position;
      store_->placement().append(store_->database_id(0), key(number), position);
      ++counts[layout->owner(position).id];
    }
    for (auto& [shard, count] : counts) count = 100 * count / keys.size();
    return counts;
  }

  engine::SimulatedDisk disk_;
  std::unique_ptr<engine::Clock> clock_ = engine::make_system_clock();
  std::unique_ptr<engine::Background> background_;
  StoreOptions options_;
  SplitLimits limits_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Splitter> splitter_;
  Splitter::TimePoint now_ = std::chrono::steady_clock::now();
  std::mt19937_64 random_{engine::test_seed()};
};

TEST_F(SplitterTest, SplitsTheShardThatIsReadTooMuchWhereTheLoadHalves) {
  std::vector<unsigned> hot = all_keys();
  std::erase_if(hot, [&](unsigned number) { return shares({number}).count(ShardId{0}) == 0; });
  for (int second = 0; second < 12; ++second) read_for_a_second(hot, 1000);
  ASSERT_EQ(store_->shards().size(), 3u);
  const auto event = store_->history().events().back();
  EXPECT_EQ(event.shard, ShardId{0});
  EXPECT_TRUE(event.automatic);
  EXPECT_THAT(event.cause, HasSubstr("reads: "));
  EXPECT_THAT(splitter_->verdict(ShardId{0}, now_).text, HasSubstr("split for reads"));
  const auto parts = shares(hot);
  EXPECT_GE(parts.at(ShardId{0}), 25u);
  EXPECT_GE(parts.at(ShardId{2}), 25u);
}

TEST_F(SplitterTest, NeitherAbsentKeysNorOneHotKeySplitAnything) {
  std::vector<unsigned> absent;
  for (unsigned i = 0; i < 1000; ++i) absent.push_back(kKeys + i);
  for (int second = 0; second < 12; ++second) read_for_a_second(absent, 1000);
  EXPECT_EQ(splitter_->verdict(ShardId{0}, now_).text, "");
  for (int second = 0; second < 20; ++second) read_for_a_second({7}, 1000);
  EXPECT_EQ(store_->shards().size(), 2u);
  const ShardId hot = shares({7}).begin()->first;
  EXPECT_THAT(splitter_->verdict(hot, now_).text, HasSubstr("one key"));
}

TEST_F(SplitterTest, MergesItsOwnPiecesWhenTheyAreColdAlsoAfterARestart) {
  for (int second = 0; second < 12; ++second) read_for_a_second(all_keys(), 2000);
  const std::size_t most = store_->shards().size();
  ASSERT_GT(most, 2u);
  close();
  open();
  for (int minute = 0; minute < 60; ++minute) step(std::chrono::minutes{1});
  EXPECT_EQ(store_->shards().size(), 2u);
  EXPECT_EQ(store_->history().events().back().kind, ReshapeKind::merge);
  EXPECT_TRUE(store_->history().events().back().automatic);
  EXPECT_EQ(store_->key_count(0), kKeys);
}

TEST_F(SplitterTest, WhatWasCutByCommandStaysCut) {
  ReshapeRequest request;
  request.kind = ReshapeKind::split;
  ASSERT_TRUE(store_->reshaper().run(request));
  for (int minute = 0; minute < 60; ++minute) step(std::chrono::minutes{1});
  EXPECT_EQ(store_->shards().size(), 3u);
}

TEST_F(SplitterTest, SplitsWhatIsTooLarge) {
  for (const auto& shard : store_->shards()) {
    const std::lock_guard lock{shard->mutex};
    shard->engine->flush();
  }
  for (bool on_disk = false; !on_disk;) {
    on_disk = true;
    for (const auto& shard : store_->shards()) {
      const std::lock_guard lock{shard->mutex};
      on_disk &= !shard->engine->oldest_unpersisted_lsn();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  limits_.shard_bytes_max = 4096;
  limits_.shards_max = 4;
  splitter_->set_limits(limits_);
  for (int round = 0; round < 5; ++round) step();
  EXPECT_EQ(store_->shards().size(), 4u);
  EXPECT_THAT(store_->history().events().front().cause, HasSubstr("size: "));
}

}  // namespace
}  // namespace shale::cluster
