// Reads of leaves that are not in memory: copies of records, and what the kernel has.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "engine/testing/test_seed.h"
#include "tests/engine/btree/simulated_tree.h"

namespace shale::engine::btree {
namespace {

constexpr int kKeys = 3000;

class BtreeCold : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(tree_.open(test_seed()));
    for (int number = 0; number < kKeys; ++number) put(number, Bytes(300, 'a'));
    tree_.flush();
    ASSERT_TRUE(tree_.settle());
  }
  // Some of a megabyte in leaves, of which the pool has a fifth at most.
  static TreeStoreOptions options() {
    TreeStoreOptions options = tiny_nodes();
    options.node_bytes = 4096;
    options.pool_bytes = 224u << 10;
    return options;
  }
  static Bytes name(int number) { return fmt::format("k{:06}", number); }
  void put(int number, const Bytes& value) {
    ASSERT_TRUE(tree_.put(name(number), value, ++lsn_));
    expected_[name(number)] = value;
  }
  void erase(int number) {
    ASSERT_TRUE(tree_.erase(name(number), ++lsn_));
    expected_.erase(name(number));
  }
  void expect_right(int number) {
    const auto found = tree_.get(name(number));
    ASSERT_TRUE(found);
    const auto known = expected_.find(name(number));
    ASSERT_EQ(found->has_value(), known != expected_.end());
    if (*found) {
      EXPECT_EQ(**found, known->second);
    }
  }

  SimulatedDisk disk_{test_seed()};
  TestPolicy policy_;
  SimulatedTree tree_{disk_, policy_, options()};
  std::map<Bytes, Bytes> expected_;
  Lsn lsn_ = 0;
};

TEST_F(BtreeCold, CopiesOfRecordsAnswerWhereTheirLeavesHaveGone) {
  for (int round = 0; round < 6; ++round) {
    for (int number = 0; number < kKeys; number += 12) expect_right(number);
  }
  const EngineStats stats = tree_.stats();
  EXPECT_GT(stats.record_cache_hits, 250u);
  EXPECT_GT(stats.record_cache_bytes, 0u);
}

TEST_F(BtreeCold, CopiesAreNeverOlderThanWhatIsWritten) {
  std::mt19937_64 random{test_seed()};
  disk_.set_resident_percent(50);
  for (int step = 0; step < 20'000; ++step) {
    const int number = static_cast<int>(random() % 60) * 50 + static_cast<int>(random() % 2);
    switch (random() % 8) {
      case 0: put(number, Bytes(300, static_cast<char>('a' + step % 26))); break;
      case 1: erase(number); break;
      default:
        expect_right(static_cast<int>(random() % 4) == 0 ? static_cast<int>(random() % kKeys) : number);
    }
    if (step % 500 == 0) tree_.flush();
    if (step % 50 == 0) tree_.run_one();
    if (step % 1000 == 0) tree_.pass(std::chrono::seconds{1});
  }
  EXPECT_GT(tree_.stats().record_cache_hits, 100u);
  EXPECT_EQ(*tree_.scan(), expected_);
}

TEST_F(BtreeCold, WhatTheKernelHasIsReadOnTheSpot) {
  disk_.set_resident_percent(100);
  for (int number = 0; number < kKeys; number += 100) {
    ReadContext context;
    auto found = tree_.engine().get(HashedKey{name(number)}, context);
    if (!found) {  // the pool has no room, and has asked for some
      ASSERT_TRUE(tree_.settle());
      found = tree_.engine().get(HashedKey{name(number)}, context);
    }
    ASSERT_TRUE(found);
    EXPECT_EQ(**found, expected_[name(number)]);
  }
}

// Also if somebody else has read the same meanwhile: who holds the load is not sent to it once more.
TEST_F(BtreeCold, WhatALoadHasReadStaysWhileTheLoadLives) {
  constexpr int kNumber = 1000;
  const auto is_there = [&](ReadContext& context) {  // a cursor asks no copies of records
    return tree_.engine().cursor({}, context)->seek(name(kNumber)).has_value();
  };
  disk_.set_resident_percent(0);
  ReadContext first;
  ASSERT_FALSE(is_there(first));
  ASSERT_EQ(first.missing.size(), 1u);
  ASSERT_TRUE(tree_.settle());  // what the pool had beyond its budget has gone
  disk_.set_resident_percent(100);
  ReadContext second;
  ASSERT_TRUE(tree_.engine().get(HashedKey{name(kNumber)}, second));  // on the spot
  disk_.set_resident_percent(0);
  first.missing.front()->run();
  const std::uint64_t evictions_before = tree_.stats().btree->pool_evictions;
  for (int number = kNumber + 100; number < kKeys; number += 5) expect_right(number);
  ASSERT_TRUE(tree_.settle());
  EXPECT_GT(tree_.stats().btree->pool_evictions, evictions_before + 50);
  ReadContext third;
  EXPECT_TRUE(is_there(third));
}

}  // namespace
}  // namespace shale::engine::btree
