// Which accesses of a store's keys its shards' sketches see, and what becomes of them when shards change.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/transaction.h"
#include "tests/cluster/simulated_store.h"

namespace shale::cluster {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class HotKeysOfAStoreTest : public SimulatedStoreTest {
 protected:
  HotKeysOfAStoreTest() { pass_a_second(); }

  void pass_a_second() {
    clock_.advance(std::chrono::seconds{1});
    ASSERT_TRUE(store_->maintain());
  }
  void write(const Bytes& key, int times = 1) {
    for (int i = 0; i < times; ++i) {
      begin(key);
      transaction_.put(0, "value");
      ASSERT_TRUE(transaction_.commit());
      locks_.unlock();
    }
  }
  void read(const Bytes& key, int times = 1) {
    for (int i = 0; i < times; ++i) {
      begin(key);
      while (!transaction_.get(0)) {
        locks_.unlock();
        ASSERT_FALSE(transaction_.reads().missing.empty());
        const auto missing = std::exchange(transaction_.reads().missing, {});
        for (const auto& load : missing) load->run();
        locks_.lock();
      }
      locks_.unlock();
    }
  }
  std::vector<HotKey> hot_keys_of(Shard& shard) {
    return shard.hot_keys.hottest(100, clock_.now(), [](BytesView) { return true; });
  }
  std::vector<Bytes> names_of_hot_keys(Shard& shard) {
    std::vector<Bytes> names;
    for (const HotKey& hot : hot_keys_of(shard)) names.emplace_back(store_->placement().key_of(hot.position));
    return names;
  }

 private:
  void begin(const Bytes& key) {
    locks_.clear();
    transaction_.reset();
    locks_.add(0, key);
    locks_.lock();
  }

  ShardLocks locks_{*store_};
  Transaction transaction_{*store_, locks_};
};

TEST_F(HotKeysOfAStoreTest, CountReadsAndWrites) {
  const Bytes key = key_of(1);
  write(key, 20);
  read(key, 30);
  pass_a_second();
  EXPECT_THAT(names_of_hot_keys(shard(0)), IsEmpty());
  const auto hot = hot_keys_of(shard(1));
  ASSERT_EQ(hot.size(), 1);
  EXPECT_NEAR(hot[0].reads_per_second, 30, 0.1);
  EXPECT_NEAR(hot[0].writes_per_second, 20, 0.1);
  EXPECT_NEAR(hot[0].share, 1, 1e-6);
}

TEST_F(HotKeysOfAStoreTest, AreNotThoseThatAreNotThere) {
  const Bytes key = key_of(0);
  read(key, 100);
  EXPECT_THAT(names_of_hot_keys(shard(0)), IsEmpty());
  EXPECT_EQ(shard(0).stats.reads, 100);
  EXPECT_EQ(shard(0).stats.absent_reads, 100);
}

TEST_F(HotKeysOfAStoreTest, AreTheOwnersAloneAfterASplitAndAMerge) {
  std::vector<Bytes> keys;
  keys.reserve(200);
  for (int number = 0; number < 200; ++number) keys.push_back("key:" + std::to_string(number));
  for (const Bytes& key : keys) write(key, 2);
  ASSERT_FALSE(hot_keys_of(shard(0)).empty());
  const auto split = store_->reshaper().run({ReshapeKind::split, ShardId{0}, {}, {}, {}, "a test"});
  ASSERT_TRUE(split) << split.error().message;
  for (const auto& each : store_->shards()) {
    for (const Bytes& name : names_of_hot_keys(*each)) EXPECT_EQ(owner(name).id, each->id) << name;
  }
  for (const Bytes& key : keys) read(key, 2);
  pass_a_second();
  for (const auto& each : store_->shards()) {
    const auto names = names_of_hot_keys(*each);
    EXPECT_FALSE(names.empty());
    for (const Bytes& name : names) EXPECT_EQ(owner(name).id, each->id) << name;
  }
  const auto merged =
      store_->reshaper().run({ReshapeKind::merge, ShardId{0}, split->other, {}, {}, "a test"});
  ASSERT_TRUE(merged) << merged.error().message;
  read(keys[0]);
  EXPECT_THAT(names_of_hot_keys(owner(keys[0])), ElementsAre(keys[0]));
}

}  // namespace
}  // namespace shale::cluster
