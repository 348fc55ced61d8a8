#include "cluster/catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "engine/encoding.h"

namespace shale::cluster {
namespace {

constexpr std::string_view kCatalogMagic = "SHALECAT";
// 1 and 2 had shards 0, 1, 2 ... with trees of the same numbers; 1 knew LSM trees only.
// Up to 3 all folders were hash rings. Up to 4 databases were emptied, but not swapped: identities only grew.
constexpr std::uint32_t kCatalogFormatVersion = 5;
constexpr std::uint32_t kFormatWithoutSwaps = 4;
constexpr std::uint32_t kFormatOfRings = 3;
constexpr std::uint32_t kFormatOfNumberedShards = 2;
constexpr std::uint32_t kFormatWithoutEngines = 1;

// Whether every shard that has a boundary is there, and every one that is there has one.
bool agree(const std::vector<Boundary>& boundaries, const std::vector<ShardRecord>& shards) {
  std::set<ShardId> with_boundary;
  for (const Boundary& boundary : boundaries) with_boundary.insert(boundary.shard);
  return std::ranges::equal(with_boundary, shards, {}, {}, &ShardRecord::id);
}

// Whether every range begins in a database as it is now: flushes take the boundaries along.
bool between_live_keys(const CatalogState& state) {
  const Placement placement{state.sharding};
  return placement.is_ring() || std::ranges::all_of(state.boundaries, [&](const Boundary& boundary) {
           if (boundary.begin.size() < placement.prefix_bytes()) return boundary.begin.empty();
           return std::ranges::find(state.databases, placement.database_of(boundary.begin)) !=
                  state.databases.end();
         });
}

// A layout that may be made of it.
bool well_formed(const CatalogState& state) {
  const auto& list = state.boundaries;
  if (list.empty() || !list.front().begin.empty()) return false;
  const auto not_ascending = [](const Boundary& a, const Boundary& b) { return a.begin >= b.begin; };
  if (std::adjacent_find(list.begin(), list.end(), not_ascending) != list.end()) return false;
  std::set<std::uint32_t> trees;
  for (const ShardRecord& shard : state.shards) {
    if (static_cast<std::uint32_t>(shard.id) >= state.next_shard || shard.tree >= state.next_tree)
      return false;
    trees.insert(shard.tree);
  }
  return trees.size() == state.shards.size() && agree(list, state.shards) && between_live_keys(state);
}

void append_shard(Bytes& out, const ShardRecord& shard) {
  engine::append_u32(out, static_cast<std::uint32_t>(shard.id));
  engine::append_u8(out, static_cast<std::uint8_t>(shard.engine));
  engine::append_u32(out, shard.tree);
}

ShardRecord take_shard(engine::ByteReader& reader) {
  ShardRecord shard;
  shard.id = ShardId{reader.u32()};
  shard.engine = static_cast<EngineKind>(reader.u8());
  shard.tree = reader.u32();
  return shard;
}

// As formats up to 2 had them.
std::vector<ShardRecord> take_numbered_shards(engine::ByteReader& reader, std::uint32_t count,
                                              bool with_engines) {
  std::vector<ShardRecord> shards;
  for (std::uint32_t id = 0; id < count && !reader.failed(); ++id) {
    const auto engine = with_engines ? static_cast<EngineKind>(reader.u8()) : EngineKind::lsm;
    shards.push_back({ShardId{id}, engine, id});
  }
  return shards;
}

}  // namespace

void DatabaseTable::start(Sharding sharding) {
  sharding_ = sharding;
  for (unsigned database = 0; database < kDatabaseCount; ++database)
    ids_[database] = Placement{sharding}.first_id(database);
}

void DatabaseTable::start(Sharding sharding, const DatabaseIds& ids) {
  sharding_ = sharding;
  std::ranges::copy(ids, ids_.begin());
}

DatabaseIds DatabaseTable::ids() const {
  DatabaseIds ids{};
  for (unsigned database = 0; database < kDatabaseCount; ++database) ids[database] = id(database);
  return ids;
}

// While two are being swapped, one may be seen nowhere: what it has is not obsolete for that.
bool DatabaseTable::is_live(DatabaseId id) const {
  for (;;) {
    const std::uint64_t before = swaps_.load(std::memory_order_acquire);
    if (has(id)) return true;
    std::atomic_thread_fence(std::memory_order_acquire);
    if (before % 2 == 0 && swaps_.load(std::memory_order_relaxed) == before) return false;
  }
}

bool DatabaseTable::has(DatabaseId id) const {
  return std::any_of(ids_.begin(), ids_.end(),
                     [&](const auto& live) { return live.load(std::memory_order_relaxed) == id; });
}

std::optional<DatabaseIds> DatabaseTable::ids_after_flush(const DatabaseIds& before, unsigned first,
                                                          unsigned count) const {
  DatabaseIds after = before;
  DatabaseId highest = *std::ranges::max_element(after);
  for (unsigned database = first; database < first + count; ++database) {
    DatabaseId& id = after[database];
    if (sharding_ == Sharding::ring ? highest == UINT32_MAX : Placement::is_last_id(id)) return std::nullopt;
    id = sharding_ == Sharding::ring ? ++highest : id + 1;
  }
  return after;
}

void DatabaseTable::advance(unsigned database, DatabaseId id) {
  if (id > ids_[database].load(std::memory_order_relaxed))
    ids_[database].store(id, std::memory_order_relaxed);
}

void DatabaseTable::swap(unsigned a, unsigned b) {
  const DatabaseId id_of_a = id(a);
  swaps_.fetch_add(1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  ids_[a].store(id(b), std::memory_order_relaxed);
  ids_[b].store(id_of_a, std::memory_order_relaxed);
  swaps_.fetch_add(1, std::memory_order_release);
}

Bytes CatalogState::encode() const {
  Bytes out{kCatalogMagic};
  engine::append_u32(out, kCatalogFormatVersion);
  engine::append_u64(out, log_needed_from);
  for (const DatabaseId id : databases) engine::append_u32(out, id);
  engine::append_u32(out, static_cast<std::uint32_t>(shards.size()));
  engine::append_u64(out, map_version);
  engine::append_u32(out, static_cast<std::uint32_t>(boundaries.size()));
  for (const Boundary& boundary : boundaries) {
    engine::append_u32(out, static_cast<std::uint32_t>(boundary.shard));
    engine::append_length_prefixed(out, boundary.begin);
  }
  for (const ShardRecord& shard : shards) append_shard(out, shard);
  engine::append_u32(out, next_shard);
  engine::append_u32(out, next_tree);
  engine::append_u8(out, static_cast<std::uint8_t>(sharding));
  engine::append_u64(out, databases_lsn);
  engine::append_u64(out, engine::hash_bytes(out));
  return out;
}

engine::Result<CatalogState> CatalogState::decode(BytesView bytes, const std::string& file_name) {
  const auto damaged = [&](std::string_view what) {
    return engine::corruption(fmt::format("{}: {}", file_name, what));
  };
  if (!bytes.starts_with(kCatalogMagic)) return damaged("is not a Shale catalog (offset 0)");
  const auto version = engine::ByteReader{bytes.substr(kCatalogMagic.size())}.u32();
  if (version > kCatalogFormatVersion) {
    return engine::Error{engine::ErrorKind::unsupported,
                         fmt::format("{}: has format version {}, this build reads {}", file_name, version,
                                     kCatalogFormatVersion)};
  }
  const std::size_t covered_bytes = bytes.size() - std::min(bytes.size(), sizeof(std::uint64_t));
  const BytesView covered = bytes.substr(0, covered_bytes);
  if (engine::ByteReader{bytes.substr(covered_bytes)}.u64() != engine::hash_bytes(covered)) {
    return damaged("checksum of bytes 0 to the end does not match");
  }

  CatalogState state;
  engine::ByteReader reader{covered.substr(kCatalogMagic.size() + sizeof version)};
  state.log_needed_from = reader.u64();
  for (DatabaseId& id : state.databases) id = reader.u32();
  const auto shard_count = reader.u32();
  state.map_version = reader.u64();
  const auto count = reader.u32();
  for (std::uint32_t i = 0; i < count && !reader.failed(); ++i) {
    const ShardId shard{reader.u32()};
    state.boundaries.push_back({Bytes{reader.length_prefixed()}, shard});
  }
  // Each has a range, so memory is not asked for what cannot be.
  if (shard_count > state.boundaries.size()) return damaged("holds an impossible shard map");
  if (version <= kFormatOfNumberedShards) {
    state.shards = take_numbered_shards(reader, shard_count, version != kFormatWithoutEngines);
    state.next_shard = state.next_tree = shard_count;
  } else {
    for (std::uint32_t i = 0; i < shard_count && !reader.failed(); ++i)
      state.shards.push_back(take_shard(reader));
    state.next_shard = reader.u32();
    state.next_tree = reader.u32();
  }
  if (version > kFormatOfRings) state.sharding = static_cast<Sharding>(reader.u8());
  if (version > kFormatWithoutSwaps) state.databases_lsn = reader.u64();
  const bool knows_engines = std::ranges::all_of(
      state.shards, [](const ShardRecord& shard) { return shard.engine <= EngineKind::btree; });
  if (!reader.failed() && !knows_engines) return damaged("names an engine that is unknown");
  if (!reader.failed() && state.sharding > Sharding::range)
    return damaged("names a sharding that is unknown");
  if (reader.failed() || !reader.at_end() || !well_formed(state))
    return damaged("holds an impossible shard map");
  return state;
}

}  // namespace shale::cluster
