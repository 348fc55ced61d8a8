// Which shards there are, and which of them owns which position: an immutable picture of one moment. A split,
// a merge or a growing ring makes another, and whoever holds the old one keeps its shards alive.
#pragma once

#include <memory>
#include <vector>

#include "cluster/shard.h"
#include "cluster/shard_map.h"

namespace shale::cluster {

class Layout {
 public:
  // `shards` in the order of their ids: those that the map names.
  Layout(ShardMap map, std::vector<std::shared_ptr<Shard>> shards);

  const ShardMap& map() const { return map_; }
  const std::vector<std::shared_ptr<Shard>>& shards() const { return shards_; }  // by id
  // Who owns a position, or a range of the map. Lock-free, no allocation.
  Shard& owner(BytesView position) const { return *owners_[map_.range_of(position)]; }
  Shard& owner_of_range(std::size_t range) const { return *owners_[range]; }
  std::shared_ptr<Shard> find(ShardId id) const;  // null if there is none of that id

 private:
  ShardMap map_;
  std::vector<std::shared_ptr<Shard>> shards_;
  std::vector<Shard*> owners_;  // by range
};

}  // namespace shale::cluster
