// How a ring grows and shrinks, and whom a key goes to after its owner. Pure functions over boundaries.
//
// Here a range's node is at its end, as on the ring of the books: a key goes to the next node clockwise,
// which is upwards, from the last position on to the first. (make_ring() places the nodes at the beginnings;
// which end it is makes no difference until a node comes or goes.) So a new node takes the lower part of the
// range that it falls into, and what a shard leaves goes to the owner of the range that follows: what came
// with a shard goes back when it leaves, and nothing else moves. docs/sharding.md, "The ring grows and
// shrinks".
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cluster/shard_map.h"

namespace shale::cluster {

// Where a shard's node of this number is: XXH3 of both.
std::uint64_t node_token(std::uint32_t shard, std::uint32_t node);
// The position at which a token begins.
Bytes encode_token(std::uint64_t token);

// The map with one shard more, which has the n-th part of the token space, to a hundredth of it: n with
// itself. Its nodes are placed by XXH3 of its number and theirs, as those of the first shards are, as many as
// it takes; one that would bring it above its part is left out. The same map and shard give the same ring.
std::vector<Boundary> grown_ring(const ShardMap& map, ShardId added);

// The map without a shard of it, which is not the only one: each of its ranges is the next shard's clockwise.
std::vector<Boundary> shrunk_ring(const ShardMap& map, ShardId removed);

// The first `count` shards that are met clockwise from a position, its owner first, each once; all, if there
// are not so many.
std::vector<ShardId> shards_clockwise(const ShardMap& map, BytesView position, std::size_t count);

}  // namespace shale::cluster
