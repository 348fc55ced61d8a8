// STATS RING and STATS RANGES: the map between positions and shards.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "src/server.h"
#include "src/stats/render.h"
#include "src/stats/reshape_figures.h"
#include "src/stats/sections.h"
#include "src/stats/snapshot.h"

namespace shale::server {
namespace {

constexpr std::size_t kShownKeyBytesMax = 64;
// A ring may have hundreds of thousands.
constexpr std::size_t kRangesMax = 4096;

// Where a range begins or ends: the token on the ring or the database, and the key. Neither at the ends of
// the space of positions, and no key where a range begins or ends between all keys.
void add_end(std::string_view end, const cluster::Store& store, engine::BytesView position, Figures& range) {
  const cluster::Placement placement = store.placement();
  Figure place = NotKnown{};
  Figure key = NotKnown{};
  if (!position.empty() && placement.is_ring()) {
    place = fmt::format("{:016x}", engine::key_head(position));
  } else if (!position.empty()) {
    if (const auto database = store.database_of(placement.database_of(position))) place = *database;
  }
  if (position.size() >= placement.prefix_bytes())
    key = quote_bytes(placement.key_of(position), kShownKeyBytesMax);
  range.add(std::string(end) + (placement.is_ring() ? "_token" : "_database"), std::move(place))
      .add(std::string(end) + "_key", std::move(key));
}

Figures range_figures(const cluster::Store& store, const std::vector<cluster::Boundary>& boundaries,
                      std::size_t index) {
  Figures range;
  add_end("begin", store, boundaries[index].begin, range);
  const bool is_last = index + 1 == boundaries.size();
  add_end("end", store, is_last ? engine::BytesView{} : boundaries[index + 1].begin, range);
  return range;
}

}  // namespace

Figures describe_ring(Server& server) {
  const auto layout = server.store().layout();
  const cluster::ShardMap& map = layout->map();
  Figures figures;
  if (!server.store().placement().is_ring()) {
    return figures.add("sharding", "range").add("see", "STATS RANGES: this folder has no ring");
  }
  std::map<cluster::ShardId, std::size_t> ranges;
  for (const cluster::Boundary& boundary : map.boundaries()) ++ranges[boundary.shard];
  Figure::Rows rows;
  for (const auto& [id, share] : map.shares()) {
    Figures row;
    row.add("id", static_cast<std::uint32_t>(id))
        .add("ranges", ranges[id])
        .add("ring_percent", {100 * share, Unit::percent});
    rows.push_back(std::move(row));
  }
  return figures.add("sharding", "ring")
      .add("version", map.version())
      .add("ranges", map.boundaries().size())
      .add("shards", std::move(rows));
}

Figures describe_ranges(Server& server) {
  const cluster::Placement placement = server.store().placement();
  const auto layout = server.store().layout();
  const auto& boundaries = layout->map().boundaries();
  std::map<cluster::ShardId, ShardSnapshot> shards;
  for (ShardSnapshot& shard : take_snapshots(server.store())) shards.emplace(shard.id, std::move(shard));
  Figure::Rows rows;
  for (std::size_t index = 0; index < std::min(boundaries.size(), kRangesMax); ++index) {
    const auto shard = shards.find(boundaries[index].shard);
    if (shard == shards.end()) continue;  // merged into another meanwhile
    Figures range = range_figures(server.store(), boundaries, index);
    range.add("shard", static_cast<std::uint32_t>(shard->first))
        .add("engine", engine_name(shard->second.kind));
    if (!placement.is_ring()) {  // then a shard has one range
      range.add("keys", shard->second.keys).add("disk_bytes", {shard->second.engine.disk_bytes, Unit::bytes});
    }
    rows.push_back(std::move(range));
  }
  Figures figures;
  return figures.add("sharding", placement.is_ring() ? "ring" : "range")
      .add("version", layout->map().version())
      .add("count", boundaries.size())
      .add("shown", rows.size())
      .add("ranges", std::move(rows));
}

}  // namespace shale::server
