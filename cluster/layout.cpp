#include "cluster/layout.h"

#include <algorithm>
#include <cassert>

namespace shale::cluster {

Layout::Layout(ShardMap map, std::vector<std::shared_ptr<Shard>> shards)
    : map_(std::move(map)), shards_(std::move(shards)) {
  owners_.reserve(map_.boundaries().size());
  for (const Boundary& boundary : map_.boundaries()) {
    const auto owner = find(boundary.shard);
    assert(owner != nullptr);
    owners_.push_back(owner.get());
  }
}

std::shared_ptr<Shard> Layout::find(ShardId id) const {
  const auto found = std::ranges::lower_bound(shards_, id, {}, [](const auto& shard) { return shard->id; });
  return found == shards_.end() || (*found)->id != id ? nullptr : *found;
}

}  // namespace shale::cluster
