#include "src/stats/hot_keys_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <mutex>
#include <vector>

#include "cluster/position.h"
#include "src/stats/render.h"

namespace shale::server {
namespace {

struct FoundKey {
  cluster::ShardId shard{};
  unsigned database = 0;
  cluster::HotKey key;

  cluster::Placement placement{cluster::Sharding::ring};

  double per_second() const { return key.per_second(); }
  cluster::BytesView name() const { return placement.key_of(key.position); }
};

// Without those of databases that have been flushed since.
void find_keys(cluster::Store& store, cluster::Shard& shard, std::size_t count,
               std::vector<FoundKey>& found) {
  const auto id_of = [&store](cluster::BytesView position) {
    return store.placement().database_of(position);
  };
  std::vector<cluster::HotKey> keys;
  {
    const std::lock_guard lock{shard.mutex};
    keys = shard.hot_keys.hottest(count, store.clock().now(), [&](cluster::BytesView position) {
      return store.database_of(id_of(position)).has_value();
    });
  }
  for (cluster::HotKey& key : keys) {
    if (const auto database = store.database_of(id_of(key.position)))
      found.push_back({shard.id, *database, std::move(key), store.placement()});
  }
}

std::vector<FoundKey> find_keys(cluster::Store& store, std::size_t count) {
  std::vector<FoundKey> found;
  for (const auto& shard : store.shards()) find_keys(store, *shard, count, found);
  std::ranges::stable_sort(found, std::greater{}, &FoundKey::per_second);
  found.resize(std::min(found.size(), count));
  return found;
}

Figure::Rows rows_of(const std::vector<FoundKey>& found) {
  Figure::Rows rows;
  for (const FoundKey& hot : found) {
    Figures row;
    row.add("key", std::string(hot.name()))
        .add("key_bytes", hot.key.position_bytes - (hot.key.position.size() - hot.name().size()))
        .add("truncated", hot.key.complete() ? 0 : 1)
        .add("database", hot.database)
        .add("shard", static_cast<std::uint32_t>(hot.shard))
        .add("reads_per_second", {hot.key.reads_per_second, Unit::per_second})
        .add("writes_per_second", {hot.key.writes_per_second, Unit::per_second})
        .add("shard_percent", {100 * hot.key.share, Unit::percent});
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

Figure::Rows describe_hot_keys(cluster::Store& store, std::size_t count) {
  return rows_of(find_keys(store, count));
}

Figure::Rows describe_hot_keys(cluster::Store& store, cluster::Shard& shard, std::size_t count) {
  std::vector<FoundKey> found;
  find_keys(store, shard, count, found);
  return rows_of(found);
}

std::string describe_hottest_key(cluster::Store& store) {
  constexpr std::size_t kShownBytes = 24;
  const std::vector<FoundKey> found = find_keys(store, 1);
  if (found.empty()) return "none";
  const FoundKey& hot = found.front();
  return fmt::format("{}, {:.0f} reads/s, {:.0f} writes/s, {:.1f}% of shard {}",
                     quote_bytes(hot.name(), kShownBytes), hot.key.reads_per_second,
                     hot.key.writes_per_second, 100 * hot.key.share, static_cast<std::uint32_t>(hot.shard));
}

}  // namespace shale::server
