#include "cluster/layout_change.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "engine/testing/test_seed.h"

namespace shale::cluster {
namespace {

constexpr ShardId kA{0};
constexpr ShardId kB{1};
constexpr ShardId kNew{9};

ShardMap map() { return {1, {{"", kA}, {"d", kB}, {"h", kA}, {"m", kB}}}; }

std::vector<std::pair<Bytes, ShardId>> list(const std::vector<Boundary>& boundaries) {
  std::vector<std::pair<Bytes, ShardId>> pairs;
  for (const Boundary& boundary : boundaries) pairs.emplace_back(boundary.begin, boundary.shard);
  return pairs;
}
using List = std::vector<std::pair<Bytes, ShardId>>;

TEST(LayoutChange, Neighbours) {
  const ShardMap three{1, {{"", kA}, {"d", kNew}, {"h", kB}}};
  EXPECT_TRUE(are_neighbours(three, kA, kNew));
  EXPECT_TRUE(are_neighbours(three, kB, kNew));
  EXPECT_FALSE(are_neighbours(three, kA, kB));
  EXPECT_TRUE(are_neighbours(map(), kB, kA));
}

TEST(LayoutChange, AFlushTakesTheBoundariesOfItsDatabaseAlong) {
  const Placement placement{Sharding::range};
  const auto at = [&](DatabaseId id, BytesView key) {
    Bytes position;
    placement.append(id, key, position);
    return position;
  };
  const DatabaseId first = placement.first_id(0);
  const DatabaseId second = placement.first_id(1);
  std::vector<Boundary> boundaries{
      {"", kA}, {at(first, "g"), kB}, {at(second, ""), kA}, {at(second, "g"), kB}};
  EXPECT_TRUE(move_boundaries(boundaries, second, second + 1));
  EXPECT_EQ(list(boundaries),
            (List{{"", kA}, {at(first, "g"), kB}, {at(second + 1, ""), kA}, {at(second + 1, "g"), kB}}));
  EXPECT_TRUE(std::ranges::is_sorted(boundaries, {}, &Boundary::begin));
  EXPECT_FALSE(move_boundaries(boundaries, second, second + 1));  // once more
}

TEST(LayoutChange, RangesOfAShard) {
  EXPECT_EQ(ranges_of(map(), kA), (std::vector<PositionRange>{{"", "d"}, {"h", "m"}}));
  EXPECT_EQ(ranges_of(map(), kB), (std::vector<PositionRange>{{"d", "h"}, {"m", ""}}));
  EXPECT_TRUE(ranges_of(map(), kNew).empty());
}

TEST(LayoutChange, ACutInsideARangeDividesIt) {
  EXPECT_EQ(list(split_boundaries(map(), kA, "j", kNew)),
            (List{{"", kA}, {"d", kB}, {"h", kA}, {"j", kNew}, {"m", kB}}));
  EXPECT_EQ(list(split_boundaries(map(), kB, "x", kNew)),
            (List{{"", kA}, {"d", kB}, {"h", kA}, {"m", kB}, {"x", kNew}}));
}

TEST(LayoutChange, ACutBetweenRangesGivesThemAway) {
  for (const char* cut : {"d", "f", "h"}) {
    EXPECT_EQ(list(split_boundaries(map(), kA, cut, kNew)),
              (List{{"", kA}, {"d", kB}, {"h", kNew}, {"m", kB}}))
        << cut;
  }
}

TEST(LayoutChange, KnowsWhatDoesNotDivide) {
  EXPECT_FALSE(divides(map(), kA, ""));
  EXPECT_FALSE(divides(map(), kA, "m"));
  EXPECT_FALSE(divides(map(), kB, "d"));
  EXPECT_TRUE(divides(map(), kA, "e"));
  EXPECT_TRUE(divides(map(), kB, "zzz"));
  EXPECT_FALSE(divides(map(), kNew, "e"));
}

TEST(LayoutChange, AMergeJoinsNeighbours) {
  EXPECT_EQ(list(merged_boundaries(map(), kA, kB)), (List{{"", kA}}));
}

// On a ring: who does not take part keeps every position, and a merge takes a split back.
TEST(LayoutChange, MovesNothingElse) {
  std::mt19937_64 random{engine::test_seed()};
  const ShardMap ring{1, make_ring(5, 20)};
  for (int round = 0; round < 100; ++round) {
    const ShardId shard{static_cast<std::uint32_t>(random() % 5)};
    Bytes cut(8, '\0');
    for (char& byte : cut) byte = static_cast<char>(random());
    if (!divides(ring, shard, cut)) continue;
    const ShardMap split{2, split_boundaries(ring, shard, cut, kNew)};
    const ShardMap merged{3, merged_boundaries(split, shard, kNew)};
    for (int probe = 0; probe < 200; ++probe) {
      Bytes position(12, '\0');
      for (char& byte : position) byte = static_cast<char>(random());
      const ShardId before = ring.owner(position);
      const bool moves = before == shard && position >= cut;
      ASSERT_EQ(split.owner(position), moves ? kNew : before);
      ASSERT_EQ(merged.owner(position), before);
    }
  }
}

}  // namespace
}  // namespace shale::cluster
