#include "cluster/kinship.h"

#include <algorithm>

namespace shale::cluster {

void Kinship::note(const ReshapeEvent& event) {
  if (!event.error.empty()) return;
  if (event.kind == ReshapeKind::split && event.automatic) parents_[event.other] = event.shard;
  if (event.kind != ReshapeKind::merge) return;
  parents_.erase(event.other);
  for (auto& [shard, parent] : parents_) {
    if (parent == event.other) parent = event.shard;
  }
}

// Ids only grow, and a merge keeps the lower: a parent is always below its children.
ShardId Kinship::ancestor(ShardId shard) const {
  for (auto known = parents_.find(shard); known != parents_.end(); known = parents_.find(shard))
    shard = known->second;
  return shard;
}

std::vector<std::pair<ShardId, ShardId>> Kinship::mergeable(const ShardMap& map) const {
  auto pairs = neighbours(map);
  std::erase_if(pairs, [&](const auto& pair) {
    return !parents_.contains(pair.second) || ancestor(pair.first) != ancestor(pair.second);
  });
  return pairs;
}

std::vector<std::pair<ShardId, ShardId>> neighbours(const ShardMap& map) {
  std::map<ShardId, std::size_t> first_ranges;
  std::map<ShardId, std::size_t> last_ranges;
  const std::vector<Boundary>& boundaries = map.boundaries();
  for (std::size_t range = 0; range < boundaries.size(); ++range) {
    first_ranges.try_emplace(boundaries[range].shard, range);
    last_ranges[boundaries[range].shard] = range;
  }
  std::vector<std::pair<ShardId, ShardId>> pairs;
  for (std::size_t range = 1; range < boundaries.size(); ++range) {
    const ShardId low = boundaries[range - 1].shard;
    const ShardId high = boundaries[range].shard;
    if (last_ranges.at(low) == range - 1 && first_ranges.at(high) == range) pairs.emplace_back(low, high);
  }
  return pairs;
}

}  // namespace shale::cluster
