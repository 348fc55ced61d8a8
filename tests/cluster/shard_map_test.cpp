#include "cluster/shard_map.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace shale::cluster {
namespace {

Bytes position_of(std::uint64_t token, BytesView rest = {}) {
  token = __builtin_bswap64(token);
  return Bytes(reinterpret_cast<const char*>(&token), sizeof token) + Bytes{rest};
}

// What range_of promises, the slow way.
std::size_t range_by_walking(const ShardMap& map, BytesView position) {
  std::size_t range = 0;
  while (range + 1 < map.boundaries().size() && map.boundaries()[range + 1].begin <= position) ++range;
  return range;
}

TEST(ShardMap, FindsTheRangeThatHoldsAPosition) {
  const ShardMap map{1, make_ring(16, 150)};
  std::mt19937_64 random{42};
  for (int i = 0; i < 20'000; ++i) {
    const Bytes position = position_of(random(), "database and key");
    ASSERT_EQ(map.range_of(position), range_by_walking(map, position));
  }
}

TEST(ShardMap, ABoundaryBelongsToTheRangeThatItBegins) {
  const ShardMap map{1, make_ring(4, 150)};
  for (std::size_t i = 0; i < map.boundaries().size(); ++i)
    EXPECT_EQ(map.range_of(map.boundaries()[i].begin), i);
}

TEST(ShardMap, BoundariesMayFallBetweenKeysOfOneToken) {
  const std::uint64_t token = 0x1234'0000'0000'0001;
  const ShardMap map{1,
                     {{"", ShardId{0}},
                      {position_of(token, "b"), ShardId{1}},
                      {position_of(token, "m"), ShardId{2}},
                      {position_of(token + 1), ShardId{3}}}};
  EXPECT_EQ(map.owner(position_of(token, "a")), ShardId{0});
  EXPECT_EQ(map.owner(position_of(token, "b")), ShardId{1});
  EXPECT_EQ(map.owner(position_of(token, "lzzz")), ShardId{1});
  EXPECT_EQ(map.owner(position_of(token, "z")), ShardId{2});
  EXPECT_EQ(map.owner(position_of(token + 1, "a")), ShardId{3});
}

TEST(ShardMap, OneRangeHoldsEverything) {
  const ShardMap map{1, {{"", ShardId{0}}}};
  EXPECT_EQ(map.owner(""), ShardId{0});
  EXPECT_EQ(map.owner(position_of(~std::uint64_t{0}, "z")), ShardId{0});
}

TEST(ShardMap, SharesOfARingStayNearTheMean) {
  const ShardMap map{1, make_ring(8, 150)};
  double sum = 0;
  for (const auto& [shard, share] : map.shares()) {
    EXPECT_NEAR(share, 1.0 / 8, 0.04)
        << static_cast<unsigned>(shard);  // spread of about 1/sqrt(150), three times over
    sum += share;
  }
  EXPECT_NEAR(sum, 1.0, 1e-9);
}

TEST(HashRing, HasEveryVirtualNodeOnce) {
  const auto ring = make_ring(8, 150);
  EXPECT_EQ(ring.size(), 8u * 150 + 1);  // the first range closes the ring
  EXPECT_TRUE(std::is_sorted(ring.begin(), ring.end(),
                             [](const Boundary& a, const Boundary& b) { return a.begin < b.begin; }));
}

TEST(HashRing, AnotherShardTakesOnlyItsOwnShare) {
  const ShardMap before{1, make_ring(8, 150)};
  const ShardMap after{2, make_ring(9, 150)};
  std::mt19937_64 random{7};
  int moved = 0;
  constexpr int kSamples = 50'000;
  for (int i = 0; i < kSamples; ++i) {
    const Bytes position = position_of(random());
    if (before.owner(position) == after.owner(position)) continue;
    EXPECT_EQ(after.owner(position), ShardId{8});
    ++moved;
  }
  EXPECT_NEAR(moved / static_cast<double>(kSamples), 1.0 / 9, 0.03);
}

}  // namespace
}  // namespace shale::cluster
