// Leaves follow the workload: the tree with its advisor (node_advisor_test.cpp), on the simulated clock.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "engine/testing/test_seed.h"
#include "tests/engine/btree/simulated_tree.h"

namespace shale::engine::btree {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr int kKeys = 20'000;

TreeStoreOptions adaptive() {
  TreeStoreOptions options;
  options.changes_bytes = 4u << 20;
  options.pool_bytes = 64u << 20;
  options.leaf_sizes = {512, 8u << 10};
  options.children_max = 32;
  return options;
}

class BtreeAdapts : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(tree_.open());
    for (int i = 0; i < kKeys; ++i) put(i * 7919 % kKeys);
    persist();
  }
  void put(int number) { ASSERT_TRUE(tree_.put(fmt::format("k{:06}", number), Bytes(60, 'v'), ++lsn_)); }
  void persist() {
    tree_.flush();
    ASSERT_TRUE(tree_.settle());
  }
  void write_for_a_window() {
    for (int part = 0; part < 20; ++part) {
      for (int i = 0; i < 300; ++i) put(static_cast<int>(random_() % kKeys));
      persist();
    }
    tree_.pass(NodeAdvisor::kWindow);
  }
  void scan_for_a_window() {
    for (int i = 0; i < 60; ++i) ASSERT_EQ(count_keys(), kKeys);
    tree_.pass(NodeAdvisor::kWindow);
  }
  // All of them are in memory.
  int count_keys() {
    ReadContext context;
    const auto cursor = tree_.tree().cursor({}, context);
    int count = 0;
    for (Status moved = cursor->seek({}); moved && cursor->valid(); moved = cursor->next()) ++count;
    return count;
  }
  BtreeStats stats() { return *tree_.stats().btree; }
  std::uint64_t average_bytes() { return stats().leaf_bytes / stats().leaves; }

  SimulatedDisk disk_;
  TestPolicy policy_;
  SimulatedTree tree_{disk_, policy_, adaptive()};
  std::mt19937_64 random_{test_seed()};
  Lsn lsn_ = 0;
};

TEST_F(BtreeAdapts, WritesShrinkLeavesAndScansGrowThem) {
  EXPECT_EQ(stats().node_bytes, 8u << 10);
  for (int window = 0; window < 15; ++window) write_for_a_window();
  const std::uint64_t small = average_bytes();
  EXPECT_LE(stats().node_bytes, 2u << 10);
  EXPECT_LT(small, 4u << 10);
  EXPECT_THAT(tree_.stats().shape_reason, HasSubstr("writes/s"));
  EXPECT_GT(tree_.stats().shape_changes, 0u);
  for (int window = 0; window < 20; ++window) scan_for_a_window();
  EXPECT_EQ(stats().node_bytes, 8u << 10);
  // Nothing is rewritten for that alone; what is written anyway follows.
  EXPECT_EQ(average_bytes(), small);
  for (int i = 0; i < kKeys; ++i) put(i);
  persist();
  EXPECT_GT(average_bytes(), small + small / 2);
  tree_.close();
  EXPECT_THAT(verify(disk_).problems, IsEmpty());
}

TEST_F(BtreeAdapts, AnOpenedTreeAimsAtWhatItsLeavesAre) {
  for (int window = 0; window < 15; ++window) write_for_a_window();
  const std::uint64_t before = stats().node_bytes;
  const std::uint64_t average = average_bytes();
  tree_.close();
  ASSERT_TRUE(tree_.open());
  const std::uint64_t after = stats().node_bytes;
  EXPECT_LE(after, 2 * average);
  EXPECT_GE(after, average / 2);
  EXPECT_LE(after, 4 * before);
}

TEST_F(BtreeAdapts, AFixedSizeStays) {
  TreeStoreOptions options = adaptive();
  options.node_bytes = 2048;
  SimulatedDisk disk;
  SimulatedTree tree{disk, policy_, options};
  ASSERT_TRUE(tree.open());
  for (int i = 0; i < kKeys; ++i) ASSERT_TRUE(tree.put(fmt::format("k{:06}", i), "v", ++lsn_));
  for (int window = 0; window < 20; ++window) {
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(tree.scan());
    tree.pass(NodeAdvisor::kWindow);
  }
  EXPECT_EQ(tree.stats().btree->node_bytes, 2048u);
  EXPECT_EQ(tree.stats().shape_changes, 0u);
}

}  // namespace
}  // namespace shale::engine::btree
