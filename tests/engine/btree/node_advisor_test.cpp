// To which size the advisor moves leaves, and that it then lets them be.
#include "engine/btree/node_advisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace shale::engine::btree {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kDataBytes = 256u << 20;
constexpr std::uint64_t kRecordBytes = 128;

// A tree of which all leaves are as large as the advisor has said last.
class AdvisedTree {
 public:
  void pass_window() {
    now_ += NodeAdvisor::kWindow;
    const auto step = advisor_.advise(workload, costs(), target, now_);
    if (!step) return;
    EXPECT_NE(step->target_bytes, target);
    target = step->target_bytes;
    reason = step->reason;
    ++steps;
  }
  // Each updates `writes` records anywhere.
  void update(std::uint64_t writes) {
    workload.writes += writes;
    writes_ = writes;
  }
  void scan(std::uint64_t bytes) { workload.leaves_walked += bytes / target; }
  void read_cold(std::uint64_t reads) { workload.leaves_fetched += reads; }

  LeafWorkload workload;
  std::uint32_t target = 16u << 10;
  std::string reason;
  int steps = 0;

 private:
  CheckpointCosts costs() const {
    const std::uint64_t leaves = kDataBytes / target;
    const auto part = 1 - std::exp(-static_cast<double>(writes_) / static_cast<double>(leaves));
    const auto changed = static_cast<std::uint64_t>(static_cast<double>(leaves) * part);
    return {writes_, leaves, kDataBytes, changed, writes_ * kRecordBytes, changed * target};
  }

  NodeAdvisor advisor_{LeafSizes{}};
  NodeAdvisor::TimePoint now_{};
  std::uint64_t writes_ = 0;
};

TEST(NodeAdvisor, SmallWritesShrinkLeaves) {
  AdvisedTree tree;
  for (int window = 0; window < 30; ++window) {
    tree.update(20'000);
    tree.pass_window();
  }
  EXPECT_LE(tree.target, 6u << 10);
  EXPECT_THAT(tree.reason, HasSubstr("writes/s of"));
  EXPECT_LE(tree.steps, 4);
}

TEST(NodeAdvisor, ScansGrowLeaves) {
  AdvisedTree tree;
  for (int window = 0; window < 30; ++window) {
    tree.scan(1u << 30);
    tree.pass_window();
  }
  EXPECT_EQ(tree.target, 64u << 10);
  EXPECT_THAT(tree.reason, HasSubstr("leaves/s walked"));
}

TEST(NodeAdvisor, ReadsFromDiskShrinkLeaves) {
  AdvisedTree tree;
  for (int window = 0; window < 30; ++window) {
    tree.read_cold(20'000);
    tree.pass_window();
  }
  EXPECT_EQ(tree.target, 4u << 10);
}

TEST(NodeAdvisor, AnIdleTreeKeepsItsLeaves) {
  AdvisedTree tree;
  for (int window = 0; window < 30; ++window) {
    tree.scan(64u << 10);
    tree.update(2);
    tree.read_cold(3);
    tree.pass_window();
  }
  EXPECT_EQ(tree.steps, 0);
}

TEST(NodeAdvisor, AMixedLoadFindsASizeAndStays) {
  AdvisedTree tree;
  const auto run = [&](int windows) {
    for (int window = 0; window < windows; ++window) {
      tree.update(20'000);
      tree.scan(1u << 30);
      tree.pass_window();
    }
  };
  run(30);
  EXPECT_GT(tree.target, 4u << 10);
  EXPECT_LT(tree.target, 64u << 10);
  const int steps = tree.steps;
  run(100);
  EXPECT_EQ(tree.steps, steps);
}

TEST(NodeAdvisor, AnAlternatingLoadDoesNotFlap) {
  for (const int period : {1, 2, 3}) {  // windows
    AdvisedTree tree;
    const auto run = [&](int windows) {
      for (int window = 0; window < windows; ++window) {
        if (window / period % 2 == 0) {
          tree.update(40'000);
        } else {
          tree.scan(2u << 30);
        }
        tree.pass_window();
      }
    };
    run(60);
    const int steps = tree.steps;
    run(120);
    EXPECT_LE(tree.steps, steps + 1) << "period " << period;
  }
}

TEST(NodeAdvisor, FollowsAWorkloadThatChangesForGood) {
  AdvisedTree tree;
  for (int window = 0; window < 30; ++window) {
    tree.update(20'000);
    tree.pass_window();
  }
  const std::uint32_t small = tree.target;
  for (int window = 0; window < 40; ++window) {
    tree.scan(1u << 30);
    tree.pass_window();
  }
  EXPECT_GE(tree.target, 4 * small);
  for (int window = 0; window < 40; ++window) {
    tree.update(20'000);
    tree.pass_window();
  }
  EXPECT_EQ(tree.target, small);
}

TEST(NodeAdvisor, StepsAreOnTheWayBetweenTheBounds) {
  const LeafSizes sizes{5000, 20'000};
  std::set<std::uint32_t> seen;
  for (std::uint32_t size = 5000; seen.insert(size).second;) size = next_larger(size, sizes);
  EXPECT_THAT(seen, testing::ElementsAre(5000, 6144, 8192, 12'288, 16'384, 20'000));
  seen.clear();
  for (std::uint32_t size = 20'000; seen.insert(size).second;) size = next_smaller(size, sizes);
  EXPECT_THAT(seen, testing::ElementsAre(5000, 6144, 8192, 12'288, 16'384, 20'000));
  EXPECT_EQ(nearest_size(100, sizes), 5000u);
  EXPECT_EQ(nearest_size(13'000, sizes), 12'288u);
  EXPECT_EQ(nearest_size(1'000'000, sizes), 20'000u);
}

}  // namespace
}  // namespace shale::engine::btree
