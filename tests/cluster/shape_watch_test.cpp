#include "cluster/shape_watch.h"

#include <gtest/gtest.h>

namespace shale::cluster {
namespace {

engine::EngineStats lsm_of(std::uint64_t changes, std::string shape, std::vector<std::uint64_t> runs) {
  engine::EngineStats stats;
  stats.shape = std::move(shape);
  stats.shape_changes = changes;
  stats.shape_reason = "many writes";
  for (const std::uint64_t runs_max : runs) {
    stats.levels.emplace_back();
    stats.levels.back().runs_max = runs_max;
  }
  return stats;
}

engine::EngineStats btree_of(std::uint64_t changes, std::uint32_t node_bytes) {
  engine::EngineStats stats;
  stats.shape = "B+ tree";
  stats.shape_changes = changes;
  stats.shape_reason = "long scans";
  stats.btree.emplace().node_bytes = node_bytes;
  return stats;
}

TEST(ShapeWatch, SeesWhatAnLsmTreeAimsAt) {
  ShapeWatch watch;
  EXPECT_FALSE(watch.observe(ShardId{3}, 1, lsm_of(2, "leveled", {4, 1, 1})));  // nothing to compare with
  EXPECT_FALSE(watch.observe(ShardId{3}, 1, lsm_of(2, "leveled", {4, 1, 1})));
  const auto change = watch.observe(ShardId{3}, 1, lsm_of(3, "tiered", {8, 2, 1}));
  ASSERT_TRUE(change);
  EXPECT_EQ(change->kind, ReshapeKind::shape);
  EXPECT_EQ(change->shard, ShardId{3});
  EXPECT_TRUE(change->automatic);
  EXPECT_EQ(change->cause, "many writes");
  EXPECT_EQ(change->effect,
            "tiered instead of leveled; up to 8 runs in level 0 instead of 4; up to 2 runs in level 1 "
            "instead of 1");
  EXPECT_FALSE(watch.observe(ShardId{3}, 1, lsm_of(3, "tiered", {8, 2, 1})));
}

TEST(ShapeWatch, SeesWhatLeavesAimAt) {
  ShapeWatch watch;
  EXPECT_FALSE(watch.observe(ShardId{0}, 1, btree_of(0, 4096)));
  const auto change = watch.observe(ShardId{0}, 1, btree_of(1, 6144));
  ASSERT_TRUE(change);
  EXPECT_EQ(change->kind, ReshapeKind::leaves);
  EXPECT_EQ(change->from, EngineKind::btree);
  EXPECT_EQ(change->effect, "leaves aim at 6144 bytes instead of 4096");
}

TEST(ShapeWatch, ATreeThatTakesTheOldOnesPlaceHasChangedNothing) {
  ShapeWatch watch;
  EXPECT_FALSE(watch.observe(ShardId{0}, 1, lsm_of(5, "tiered", {8})));
  EXPECT_FALSE(watch.observe(ShardId{0}, 2, lsm_of(0, "leveled", {4})));
  EXPECT_FALSE(watch.observe(ShardId{1}, 3, lsm_of(9, "leveled", {4})));
  EXPECT_TRUE(watch.observe(ShardId{0}, 2, lsm_of(1, "leveled", {6})));
}

}  // namespace
}  // namespace shale::cluster
