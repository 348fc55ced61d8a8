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
  std::map<ShardId, std::size_t> first_ranges;
  std::map<ShardId, std::size_t> last_ranges;
  const std::vector<Boundary>& boundaries = map.boundaries();
  for (std::size_t range = 0; range < boundaries.size(); ++range) {
    first_ranges.try_emplace(boundaries[range].shard, range);
    last_ranges[boundaries[range].shard] = range;
  }
  std::vector<std::pair<ShardId, ShardId>> pairs;
  for (const auto& [high, parent] : parents_) {
    const auto first = first_ranges.find(high);
    if (first == first_ranges.end() || first->second == 0) continue;
    const ShardId low = boundaries[first->second - 1].shard;
    if (last_ranges.at(low) + 1 == first->second && ancestor(low) == ancestor(high))
      pairs.emplace_back(low, high);
  }
  return pairs;
}

}  // namespace shale::cluster
