#include "cluster/layout_change.h"

#include <algorithm>

namespace shale::cluster {

std::vector<PositionRange> ranges_of(const ShardMap& map, ShardId shard) {
  std::vector<PositionRange> ranges;
  const auto& boundaries = map.boundaries();
  for (std::size_t i = 0; i < boundaries.size(); ++i) {
    if (boundaries[i].shard != shard) continue;
    ranges.push_back({boundaries[i].begin, i + 1 < boundaries.size() ? boundaries[i + 1].begin : Bytes{}});
  }
  return ranges;
}

bool divides(const ShardMap& map, ShardId shard, BytesView cut) {
  const auto ranges = ranges_of(map, shard);
  if (ranges.empty()) return false;
  const Bytes& end = ranges.back().end;
  return BytesView{ranges.front().begin} < cut && (end.empty() || cut < BytesView{end});
}

std::vector<Boundary> split_boundaries(const ShardMap& map, ShardId shard, BytesView cut, ShardId high) {
  std::vector<Boundary> result;
  bool is_cut = false;  // the range that has the cut inside
  for (const Boundary& boundary : map.boundaries()) {
    if (is_cut && BytesView{boundary.begin} > cut) result.push_back({Bytes{cut}, high});
    const bool is_shards = boundary.shard == shard;
    is_cut = is_shards && BytesView{boundary.begin} < cut;
    result.push_back({boundary.begin, is_shards && BytesView{boundary.begin} >= cut ? high : boundary.shard});
  }
  if (is_cut) result.push_back({Bytes{cut}, high});
  return result;
}

std::vector<Boundary> merged_boundaries(const ShardMap& map, ShardId into, ShardId from) {
  std::vector<Boundary> result;
  for (const Boundary& boundary : map.boundaries()) {
    const ShardId shard = boundary.shard == from ? into : boundary.shard;
    if (result.empty() || result.back().shard != shard) result.push_back({boundary.begin, shard});
  }
  return result;
}

bool are_neighbours(const ShardMap& map, ShardId a, ShardId b) {
  const auto& boundaries = map.boundaries();
  for (std::size_t i = 1; i < boundaries.size(); ++i) {
    const ShardId left = boundaries[i - 1].shard;
    const ShardId right = boundaries[i].shard;
    if ((left == a && right == b) || (left == b && right == a)) return true;
  }
  return false;
}

// Ownership changes at boundaries only.
std::set<ShardId> heirs_of(const ShardMap& before, const ShardMap& after, ShardId shard) {
  std::set<ShardId> heirs;
  for (const ShardMap* map : {&before, &after}) {
    for (const Boundary& boundary : map->boundaries())
      if (before.owner(boundary.begin) == shard) heirs.insert(after.owner(boundary.begin));
  }
  return heirs;
}

bool move_boundaries(std::vector<Boundary>& boundaries, DatabaseId emptied, DatabaseId fresh) {
  const Placement placement{Sharding::range};
  bool moved = false;
  for (Boundary& boundary : boundaries) {
    if (boundary.begin.empty() || placement.database_of(boundary.begin) != emptied) continue;
    Bytes begin;
    placement.append(fresh, placement.key_of(boundary.begin), begin);
    boundary.begin = std::move(begin);
    moved = true;
  }
  return moved;
}

}  // namespace shale::cluster
