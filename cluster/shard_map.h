// Which shard owns which position: an immutable, versioned list of boundaries, found by their first bytes
// (boundary_index.h).
//
// On the ring every virtual node is a boundary: the shard of a node owns the positions from its token up to
// the next node's. (A ring usually gives a key to the next node clockwise; owning what follows a node is the
// mirror image, with the same balance, and lets a boundary be what splits need: the first position of a
// range.) Relative spread of shares with V virtual nodes a shard: about 1/sqrt(V). Source: Karger et al.,
// "Consistent hashing and random trees", STOC'97; virtual nodes as in Dynamo, SOSP'07.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/boundary_index.h"
#include "cluster/position.h"

namespace shale::cluster {

enum class ShardId : std::uint32_t {};

// As people write it.
constexpr std::uint32_t number_of(ShardId id) { return static_cast<std::uint32_t>(id); }

struct Boundary {
  Bytes begin;  // first position of the range
  ShardId shard;
};

class ShardMap {
 public:
  // `boundaries` sorted by begin, without duplicates, the first at the empty position.
  ShardMap(std::uint64_t version, std::vector<Boundary> boundaries);

  std::uint64_t version() const { return version_; }
  const std::vector<Boundary>& boundaries() const { return boundaries_; }

  // Index of the range that holds `position`; its end is the next range's begin. Lock-free, no allocation.
  std::size_t range_of(BytesView position) const { return index_.count_up_to(position); }
  ShardId owner(BytesView position) const { return boundaries_[range_of(position)].shard; }
  // On the ring: share of the token space per shard, in the order of ids; sums to 1.
  std::vector<std::pair<ShardId, double>> shares() const;

 private:
  std::uint64_t version_;
  std::vector<Boundary> boundaries_;
  BoundaryIndex index_;  // of all begins but the first, which is empty
};

// The ring a new data folder starts with: `virtual_nodes` boundaries for each of `shards` shards, placed by
// XXH3 of shard number and node number.
std::vector<Boundary> make_ring(std::uint32_t shards, std::uint32_t virtual_nodes);

// The key ranges a new data folder starts with: shard 0 up to the first of `keys` of database 0, shard 1 from
// there on, and so forth. `keys` ascending, without duplicates; none of them: one shard.
std::vector<Boundary> make_ranges(const std::vector<Bytes>& keys);

}  // namespace shale::cluster
