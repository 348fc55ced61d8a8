#include "cluster/ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <span>

#include "engine/testing/test_seed.h"

namespace shale::cluster {
namespace {

double share_of(const ShardMap& map, ShardId shard) {
  for (const auto& [id, share] : map.shares())
    if (id == shard) return share;
  return 0;
}

ShardMap grown(const ShardMap& map, std::uint32_t added) {
  return {map.version() + 1, grown_ring(map, ShardId{added})};
}

ShardMap shrunk(const ShardMap& map, std::uint32_t removed) {
  return {map.version() + 1, shrunk_ring(map, ShardId{removed})};
}

std::vector<Bytes> random_positions(int count) {
  std::mt19937_64 random{engine::test_seed()};
  std::vector<Bytes> positions;
  for (int i = 0; i < count; ++i) positions.push_back(encode_token(random()) + "0000key");
  return positions;
}

bool is_same(const ShardMap& a, const ShardMap& b) {
  return std::ranges::equal(a.boundaries(), b.boundaries(), [](const Boundary& one, const Boundary& other) {
    return one.begin == other.begin && one.shard == other.shard;
  });
}

TEST(Ring, GrowingMovesTheNewShardsPartAndNothingElse) {
  const auto positions = random_positions(20'000);
  for (const std::uint32_t nodes : {150u, 16u, 1u}) {
    for (std::uint32_t shards = 1; shards <= 16; ++shards) {
      SCOPED_TRACE(testing::Message() << shards << " shards of " << nodes << " nodes");
      const ShardMap before{1, make_ring(shards, nodes)};
      const ShardMap after = grown(before, shards);
      const double part = 1.0 / (shards + 1);
      EXPECT_NEAR(share_of(after, ShardId{shards}), part, part * 0.011);
      int moved = 0;
      for (const Bytes& position : positions) {
        if (after.owner(position) == before.owner(position)) continue;
        ++moved;
        ASSERT_EQ(after.owner(position), ShardId{shards}) << "between shards that were there";
      }
      EXPECT_NEAR(moved / static_cast<double>(positions.size()), part, part * 0.1);
    }
  }
}

TEST(Ring, GrownShardByShardEachHasItsPart) {
  ShardMap map{1, make_ring(1, 150)};
  for (std::uint32_t shards = 1; shards <= 32; ++shards) {
    map = grown(map, shards);
    EXPECT_NEAR(share_of(map, ShardId{shards}) * (shards + 1), 1, 0.011);
    EXPECT_EQ(map.shares().size(), shards + 1);
  }
  // The parts of those that were there are as even as nodes placed by chance make them.
  for (const auto& [shard, share] : map.shares()) EXPECT_NEAR(share * 33, 1, 0.6);
}

TEST(Ring, TheSameRingGrowsTheSameWay) {
  const ShardMap map{1, make_ring(5, 150)};
  EXPECT_TRUE(is_same(grown(map, 9), grown(map, 9)));
  EXPECT_FALSE(is_same(grown(map, 9), grown(map, 10)));
}

TEST(Ring, WhatCameWithAShardGoesBackWhenItLeaves) {
  for (std::uint32_t shards = 1; shards <= 9; ++shards) {
    const ShardMap before{1, make_ring(shards, 40)};
    EXPECT_TRUE(is_same(shrunk(grown(before, shards), shards), before)) << shards;
  }
}

TEST(Ring, AShardThatLeavesGivesEachRangeToTheNextClockwise) {
  const auto positions = random_positions(5000);
  for (std::uint32_t shards = 2; shards <= 9; ++shards) {
    const ShardMap before{1, make_ring(shards, 20)};
    for (std::uint32_t removed = 0; removed < shards; ++removed) {
      const ShardMap after = shrunk(before, removed);
      EXPECT_EQ(share_of(after, ShardId{removed}), 0);
      for (const Bytes& position : positions) {
        const auto preferred = shards_clockwise(before, position, 2);
        ASSERT_EQ(after.owner(position), preferred[preferred[0] == ShardId{removed} ? 1 : 0]);
      }
    }
  }
}

// What splits leave: boundaries inside of tokens, ranges that are a single one.
TEST(Ring, GrowsAndShrinksAfterSplits) {
  const std::uint64_t token = 1ull << 62;
  const ShardMap before{1,
                        {{"", ShardId{0}},
                         {encode_token(token) + "b", ShardId{1}},
                         {encode_token(token) + "m", ShardId{2}},
                         {encode_token(token + 1), ShardId{3}}}};
  const ShardMap after = grown(before, 7);
  EXPECT_NEAR(share_of(after, ShardId{7}), 0.2, 0.002);
  EXPECT_EQ(after.owner(encode_token(token) + "c"), ShardId{1});
  EXPECT_EQ(after.owner(encode_token(token) + "z"), ShardId{2});
  EXPECT_TRUE(is_same(shrunk(after, 7), before));
  const ShardMap less = shrunk(before, 2);
  EXPECT_EQ(less.owner(encode_token(token) + "z"), ShardId{3});
  EXPECT_EQ(shrunk(before, 3).owner(encode_token(token + 1)), ShardId{0}) << "the ring closes";
}

TEST(Ring, ShardsClockwiseAreDistinctAndBeginWithTheOwner) {
  const ShardMap map{1, make_ring(7, 150)};
  for (const Bytes& position : random_positions(1000)) {
    const auto all = shards_clockwise(map, position, 100);
    ASSERT_EQ(all.size(), 7u);
    EXPECT_EQ(all.front(), map.owner(position));
    EXPECT_EQ(std::set<ShardId>(all.begin(), all.end()).size(), 7u);
    const auto three = shards_clockwise(map, position, 3);
    EXPECT_TRUE(std::ranges::equal(three, std::span{all}.first(3)));
  }
  EXPECT_TRUE(shards_clockwise(map, "x", 0).empty());
}

}  // namespace
}  // namespace shale::cluster
