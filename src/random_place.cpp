#include "src/random_place.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "cluster/position.h"
#include "cluster/shard_lock.h"

namespace shale::server {

using engine::Bytes;
using engine::BytesView;

namespace {

std::uint64_t below(std::uint64_t bound, std::mt19937_64& random) {
  return std::uniform_int_distribution<std::uint64_t>(0, bound - 1)(random);
}

// Draws an index by weight; the weights' sum is not 0.
std::size_t draw(const std::vector<std::uint64_t>& weights, std::uint64_t sum, std::mt19937_64& random) {
  std::uint64_t left = below(sum, random);
  std::size_t index = 0;
  while (left >= weights[index]) left -= weights[index++];
  return index;
}

// Null if no shard has keys of the database.
cluster::Shard* draw_shard(cluster::Store& store, const cluster::Layout& layout, unsigned database,
                           std::mt19937_64& random, const cluster::Transaction* within) {
  std::vector<std::uint64_t> counts;
  std::uint64_t sum = 0;
  for (const auto& shard : layout.shards()) {
    std::int64_t count = 0;
    if (within != nullptr) {
      count = within->key_count_at_most(*shard, database);
    } else {
      const std::lock_guard lock{shard->mutex};
      if (shard->engine) count = shard->engine->key_count(store.database_id(database));
    }
    counts.push_back(static_cast<std::uint64_t>(std::max<std::int64_t>(count, 0)));
    sum += counts.back();
  }
  return sum == 0 ? nullptr : layout.shards()[draw(counts, sum, random)].get();
}

std::uint64_t token_at(BytesView boundary) {
  std::uint64_t token = 0;
  std::memcpy(&token, boundary.data(), std::min(boundary.size(), sizeof token));
  return __builtin_bswap64(token);
}

// A token that the shard owns.
std::uint64_t draw_token(const cluster::Layout& layout, const cluster::Shard& shard,
                         std::mt19937_64& random) {
  const auto& boundaries = layout.map().boundaries();
  // Halves of tokens, of which there are few enough to be counted.
  constexpr std::uint64_t kHalves = std::uint64_t{1} << 63;
  std::vector<std::uint64_t> begins;
  std::vector<std::uint64_t> widths;
  std::uint64_t sum = 0;
  for (std::size_t range = 0; range < boundaries.size(); ++range) {
    if (boundaries[range].shard != shard.id) continue;
    const bool last = range + 1 == boundaries.size();
    const std::uint64_t begin = token_at(boundaries[range].begin) / 2;
    const std::uint64_t end = last ? kHalves : token_at(boundaries[range + 1].begin) / 2;
    begins.push_back(begin);
    widths.push_back(std::max<std::uint64_t>(end - begin, 1));  // a cut inside a hash tag has no width
    sum += widths.back();
  }
  const std::size_t range = draw(widths, sum, random);
  return 2 * (begins[range] + below(widths[range], random)) + (random() & 1);
}

// A string between two others, drawn by the eight bytes behind what they have in common.
Bytes draw_between(BytesView low, BytesView high, std::mt19937_64& random) {
  const auto common = static_cast<std::size_t>(std::ranges::mismatch(low, high).in1 - low.begin());
  const std::uint64_t from = token_at(low.substr(common));
  const std::uint64_t to = token_at(high.substr(common));
  const std::uint64_t drawn =
      __builtin_bswap64(to > from ? from + below(to - from, random) + (random() & 1) : from);
  Bytes between(low.substr(0, common));
  between.append(reinterpret_cast<const char*>(&drawn), sizeof drawn);
  return between;
}

// A key, stored or not, between the first and the last of the database that lie in one of the shard's ranges.
engine::Result<std::optional<Bytes>> draw_key(cluster::Store& store, const cluster::Layout& layout,
                                              cluster::Shard& shard, cluster::DatabaseId id,
                                              engine::ReadContext& reads, std::mt19937_64& random,
                                              cluster::Transaction* within) {
  const cluster::Placement placement = store.placement();
  Bytes begin;
  placement.append(0, id, {}, begin);
  const Bytes end = cluster::end_of_prefix(begin);
  const auto& boundaries = layout.map().boundaries();
  std::vector<engine::CursorBounds> ranges;
  for (std::size_t range = 0; range < boundaries.size(); ++range) {
    if (boundaries[range].shard != shard.id) continue;
    const BytesView low = std::max(BytesView{boundaries[range].begin}, BytesView{begin});
    BytesView high = end;
    if (range + 1 < boundaries.size()) {
      const BytesView next = boundaries[range + 1].begin;
      if (high.empty() || next < high) high = next;
    }
    if (high.empty() || low < high) ranges.push_back({low, high});
  }
  if (ranges.empty()) return std::optional<Bytes>{};
  const std::size_t chosen = below(ranges.size(), random);
  std::optional<cluster::BusyShardLock> lock;
  if (within == nullptr) lock.emplace(shard, store.clock());
  if (!shard.engine) return std::optional<Bytes>{};
  const auto cursor =
      within != nullptr ? within->cursor(shard, ranges[chosen]) : shard.engine->cursor(ranges[chosen], reads);
  if (auto moved = cursor->seek({}); !moved) return moved.error();
  if (!cursor->valid()) return std::optional<Bytes>{};
  const Bytes first(placement.key_of(cursor->key()));
  if (auto moved = cursor->seek_last(); !moved) return moved.error();
  const Bytes last(placement.key_of(cursor->key()));
  return std::optional{draw_between(first, last, random)};
}

}  // namespace

engine::Result<std::optional<ScanPlace>> random_place(cluster::Store& store, engine::ReadContext& reads,
                                                      unsigned database, std::mt19937_64& random,
                                                      cluster::Transaction* within) {
  const auto layout = store.layout();
  const cluster::DatabaseId id =
      within != nullptr ? within->database_id(database) : store.database_id(database);
  cluster::Shard* shard = draw_shard(store, *layout, database, random, within);
  if (shard == nullptr) return std::optional<ScanPlace>{};
  if (store.placement().is_ring()) {
    return std::optional{ScanPlace{draw_token(*layout, *shard, random), {}}};
  }
  auto key = draw_key(store, *layout, *shard, id, reads, random, within);
  if (!key) return key.error();
  return std::optional{ScanPlace{0, key->value_or(Bytes{})}};
}

}  // namespace shale::server
