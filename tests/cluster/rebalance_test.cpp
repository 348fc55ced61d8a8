#include "cluster/rebalance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace shale::cluster {
namespace {

using testing::IsEmpty;

ShardSize shard(std::uint32_t id, std::uint64_t bytes) {
  return {ShardId{id}, static_cast<std::int64_t>(bytes * 10), bytes};
}

TEST(Rebalance, LeavesEvenShardsAlone) {
  EXPECT_THAT(plan_rebalance({}, {}, 64).steps, IsEmpty());
  EXPECT_THAT(plan_rebalance({shard(0, 0), shard(1, 0)}, {{ShardId{0}, ShardId{1}}}, 64).steps, IsEmpty());
  const auto plan =
      plan_rebalance({shard(0, 100), shard(1, 80), shard(2, 140)}, {{ShardId{0}, ShardId{1}}}, 64);
  EXPECT_THAT(plan.steps, IsEmpty());
  EXPECT_EQ(plan.bytes, 320u);
  EXPECT_EQ(plan.keys, 3200);
}

TEST(Rebalance, SplitsTheLargeAndMergesSmallNeighbours) {
  const std::vector<ShardSize> before{shard(0, 1000), shard(1, 20), shard(2, 30), shard(3, 150),
                                      shard(4, 100)};
  const auto plan = plan_rebalance(before, {{ShardId{1}, ShardId{2}}, {ShardId{2}, ShardId{3}}}, 64);
  ASSERT_EQ(plan.steps.size(), 2u);
  EXPECT_EQ(plan.steps[0].kind, ReshapeKind::merge);
  EXPECT_EQ(plan.steps[0].shard, ShardId{1});
  EXPECT_EQ(plan.steps[0].other, ShardId{2});
  EXPECT_EQ(plan.steps[0].bytes_moved, 30u);
  EXPECT_EQ(plan.steps[1].kind, ReshapeKind::split);
  EXPECT_EQ(plan.steps[1].shard, ShardId{0});
  EXPECT_EQ(plan.steps[1].keys_moved, 5000);
  EXPECT_DOUBLE_EQ(evenness(before).largest, 1000.0 / 1300);
  EXPECT_DOUBLE_EQ(evenness(plan.after).largest, 500.0 / 1300);
  EXPECT_EQ(plan.after.size(), 5u);
}

TEST(Rebalance, DoesNotUndoItself) {
  // Whatever it makes, a second pass may split further, but merges nothing of it.
  std::vector<ShardSize> shards{shard(0, 5000), shard(1, 10), shard(2, 10), shard(3, 10)};
  std::uint32_t next = 4;
  for (int round = 0; round < 10; ++round) {
    const auto plan = plan_rebalance(shards, {}, 64);
    if (plan.steps.empty()) break;
    shards = plan.after;
    for (std::size_t i = shards.size() - plan.steps.size(); i < shards.size(); ++i)
      shards[i].id = ShardId{next++};
    std::vector<std::pair<ShardId, ShardId>> large_pairs;
    for (const ShardSize& a : shards) {
      for (const ShardSize& b : shards) {
        if (a.id < b.id && a.bytes > 10 && b.bytes > 10) large_pairs.emplace_back(a.id, b.id);
      }
    }
    for (const auto& step : plan_rebalance(shards, large_pairs, 64).steps)
      EXPECT_EQ(step.kind, ReshapeKind::split);
  }
  EXPECT_GT(shards.size(), 4u);
}

TEST(Rebalance, MakesNoMoreShardsThanMayBe) {
  EXPECT_THAT(plan_rebalance({shard(0, 1000), shard(1, 1), shard(2, 1)}, {}, 3).steps, IsEmpty());
}

TEST(Rebalance, CountsKeysWhileNothingIsOnDisk) {
  const auto plan = plan_rebalance({{ShardId{0}, 1000, 0}, {ShardId{1}, 1, 0}, {ShardId{2}, 1, 0}}, {}, 64);
  ASSERT_EQ(plan.steps.size(), 1u);
  EXPECT_EQ(plan.steps[0].keys_moved, 500);
}

}  // namespace
}  // namespace shale::cluster
