// What a split or a merge makes of a shard map. Pure functions over boundaries; docs/sharding.md.
#pragma once

#include <cstdint>
#include <vector>

#include "cluster/shard_map.h"

namespace shale::cluster {

// The positions from `begin` up to `end`; an empty end is open.
struct PositionRange {
  Bytes begin;
  Bytes end;

  friend bool operator==(const PositionRange&, const PositionRange&) = default;
};

// What a shard owns, in order.
std::vector<PositionRange> ranges_of(const ShardMap& map, ShardId shard);

// Whether something of the shard's lies below the cut, and something from there on.
bool divides(const ShardMap& map, ShardId shard, BytesView cut);

// What `shard` owns from `cut`, which divides it, becomes `high`'s. Other shards keep what they have.
std::vector<Boundary> split_boundaries(const ShardMap& map, ShardId shard, BytesView cut, ShardId high);

// What `from` owns becomes `into`'s. Neighbouring ranges of one shard become one.
std::vector<Boundary> merged_boundaries(const ShardMap& map, ShardId into, ShardId from);

}  // namespace shale::cluster
