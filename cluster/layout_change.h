// What a split, a merge or a flush makes of a shard map. Pure functions over boundaries; docs/sharding.md.
#pragma once

#include <cstdint>
#include <set>
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

// Whether a range of the one begins where a range of the other ends.
bool are_neighbours(const ShardMap& map, ShardId a, ShardId b);

// The shards that own in `after` something of what `shard` owns in `before`.
std::set<ShardId> heirs_of(const ShardMap& before, const ShardMap& after, ShardId shard);

// Where keys are placed by range: what was between the keys of database `emptied` is between those of the
// identity that follows it, `fresh`. Their order stays. Whether there was anything.
bool move_boundaries(std::vector<Boundary>& boundaries, DatabaseId emptied, DatabaseId fresh);

}  // namespace shale::cluster
