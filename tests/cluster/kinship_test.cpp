#include "cluster/kinship.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/layout_change.h"

namespace shale::cluster {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

// A map, and what has been done to it.
class Family {
 public:
  explicit Family(std::vector<Boundary> boundaries) : map_(1, std::move(boundaries)) {}

  void split(std::uint32_t shard, const Bytes& cut, std::uint32_t high, bool automatic = true) {
    map_ = ShardMap{1, split_boundaries(map_, ShardId{shard}, cut, ShardId{high})};
    note(ReshapeKind::split, shard, high, automatic);
  }
  void merge(std::uint32_t into, std::uint32_t from) {
    map_ = ShardMap{1, merged_boundaries(map_, ShardId{into}, ShardId{from})};
    note(ReshapeKind::merge, into, from, true);
  }
  auto mergeable() const { return kinship_.mergeable(map_); }

 private:
  void note(ReshapeKind kind, std::uint32_t shard, std::uint32_t other, bool automatic) {
    ReshapeEvent event;
    event.kind = kind;
    event.shard = ShardId{shard};
    event.other = ShardId{other};
    event.automatic = automatic;
    kinship_.note(event);
  }

  ShardMap map_;
  Kinship kinship_;
};

auto pair(std::uint32_t low, std::uint32_t high) { return Pair(ShardId{low}, ShardId{high}); }

TEST(Kinship, ShardsOfTheBeginningStayApart) {
  Family family{{{"", ShardId{0}}, {"m", ShardId{1}}}};
  EXPECT_THAT(family.mergeable(), IsEmpty());
  family.split(0, "f", 2);
  EXPECT_THAT(family.mergeable(), ElementsAre(pair(0, 2)));  // and not 2 with 1
  family.split(1, "t", 3);
  EXPECT_THAT(family.mergeable(), ElementsAre(pair(0, 2), pair(1, 3)));
}

TEST(Kinship, NeighboursOfOneAncestorMayBeMerged) {
  Family family{{{"", ShardId{0}}}};
  family.split(0, "m", 1);  // 0 1
  family.split(0, "f", 2);  // 0 2 1
  EXPECT_THAT(family.mergeable(), ElementsAre(pair(0, 2), pair(2, 1)));
  family.merge(1, 2);  // 0 1: the higher id has gone
  EXPECT_THAT(family.mergeable(), ElementsAre(pair(0, 1)));
  family.merge(0, 1);
  EXPECT_THAT(family.mergeable(), IsEmpty());
}

TEST(Kinship, ACutByCommandStays) {
  Family family{{{"", ShardId{0}}}};
  family.split(0, "m", 1, false);
  family.split(1, "t", 2);
  EXPECT_THAT(family.mergeable(), ElementsAre(pair(1, 2)));
}

TEST(Kinship, RangesThatInterleaveAreNoNeighbours) {
  const ShardId a{0};
  const ShardId b{1};
  Family family{{{"", a}, {"d", b}, {"h", a}, {"m", b}, {"t", a}}};
  EXPECT_THAT(family.mergeable(), IsEmpty());
  family.split(0, "j", 2);  // 0 1 0 2 1 2: what 2 has begins where 0 ends
  EXPECT_THAT(family.mergeable(), ElementsAre(pair(0, 2)));
}

TEST(Kinship, WhatFailedChangesNothing) {
  Kinship kinship;
  ReshapeEvent event;
  event.kind = ReshapeKind::split;
  event.automatic = true;
  event.other = ShardId{1};
  event.error = "no space";
  kinship.note(event);
  EXPECT_THAT(kinship.mergeable(ShardMap{1, {{"", ShardId{0}}, {"m", ShardId{1}}}}), IsEmpty());
}

}  // namespace
}  // namespace shale::cluster
