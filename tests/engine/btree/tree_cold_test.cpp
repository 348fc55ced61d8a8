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

}  // namespace
}  // namespace shale::engine::btree
