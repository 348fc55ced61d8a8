#include "cluster/catalog.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/encoding.h"

namespace shale::cluster {
namespace {

constexpr std::string_view kMagic = "SHALECAT";
// 2 names the shards' engines; without a B+ tree it is written as 1, which earlier builds read.
constexpr std::uint32_t kFormatVersion = 2;
constexpr std::uint32_t kFormatWithoutEngines = 1;

// A map that ShardMap may be made of.
bool well_formed(const CatalogState& state) {
  const auto& list = state.boundaries;
  if (list.empty() || !list.front().begin.empty()) return false;
  const auto not_ascending = [](const Boundary& a, const Boundary& b) { return a.begin >= b.begin; };
  if (std::adjacent_find(list.begin(), list.end(), not_ascending) != list.end()) return false;
  return std::all_of(list.begin(), list.end(), [&](const Boundary& boundary) {
    return static_cast<std::uint32_t>(boundary.shard) < state.shard_count;
  });
}

}  // namespace

DatabaseTable::DatabaseTable() {
  for (unsigned database = 0; database < kDatabaseCount; ++database) ids_[database] = database;
}

DatabaseIds DatabaseTable::ids() const {
  DatabaseIds ids{};
  for (unsigned database = 0; database < kDatabaseCount; ++database) ids[database] = id(database);
  return ids;
}

bool DatabaseTable::is_live(DatabaseId id) const {
  return std::any_of(ids_.begin(), ids_.end(),
                     [&](const auto& live) { return live.load(std::memory_order_relaxed) == id; });
}

DatabaseId DatabaseTable::next_id() const {
  const DatabaseIds now = ids();
  return *std::max_element(now.begin(), now.end()) + 1;
}

void DatabaseTable::advance(unsigned database, DatabaseId id) {
  if (id > ids_[database].load(std::memory_order_relaxed))
    ids_[database].store(id, std::memory_order_relaxed);
}

Bytes CatalogState::encode() const {
  Bytes out{kMagic};
  const bool names_engines = std::ranges::find(engines, EngineKind::btree) != engines.end();
  engine::append_u32(out, names_engines ? kFormatVersion : kFormatWithoutEngines);
  engine::append_u64(out, log_needed_from);
  for (const DatabaseId id : databases) engine::append_u32(out, id);
  engine::append_u32(out, shard_count);
  engine::append_u64(out, map_version);
  engine::append_u32(out, static_cast<std::uint32_t>(boundaries.size()));
  for (const Boundary& boundary : boundaries) {
    engine::append_u32(out, static_cast<std::uint32_t>(boundary.shard));
    engine::append_length_prefixed(out, boundary.begin);
  }
  if (names_engines) {
    for (std::uint32_t shard = 0; shard < shard_count; ++shard) {
      engine::append_u8(out, static_cast<std::uint8_t>(engine_of(shard)));
    }
  }
  engine::append_u64(out, engine::hash_bytes(out));
  return out;
}

engine::Result<CatalogState> CatalogState::decode(BytesView bytes, const std::string& file_name) {
  const auto damaged = [&](std::string_view what) {
    return engine::corruption(fmt::format("{}: {}", file_name, what));
  };
  if (!bytes.starts_with(kMagic)) return damaged("is not a Shale catalog (offset 0)");
  const auto version = engine::ByteReader{bytes.substr(kMagic.size())}.u32();
  if (version > kFormatVersion) {
    return engine::Error{
        engine::ErrorKind::unsupported,
        fmt::format("{}: has format version {}, this build reads {}", file_name, version, kFormatVersion)};
  }
  const std::size_t covered_bytes = bytes.size() - std::min(bytes.size(), sizeof(std::uint64_t));
  const BytesView covered = bytes.substr(0, covered_bytes);
  if (engine::ByteReader{bytes.substr(covered_bytes)}.u64() != engine::hash_bytes(covered)) {
    return damaged("checksum of bytes 0 to the end does not match");
  }

  CatalogState state;
  engine::ByteReader reader{covered.substr(kMagic.size() + sizeof version)};
  state.log_needed_from = reader.u64();
  for (DatabaseId& id : state.databases) id = reader.u32();
  state.shard_count = reader.u32();
  state.map_version = reader.u64();
  const auto count = reader.u32();
  for (std::uint32_t i = 0; i < count && !reader.failed(); ++i) {
    const ShardId shard{reader.u32()};
    state.boundaries.push_back({Bytes{reader.length_prefixed()}, shard});
  }
  if (version > kFormatWithoutEngines) {
    for (const char kind : reader.take(state.shard_count))
      state.engines.push_back(static_cast<EngineKind>(kind));
  }
  const bool knows_engines =
      std::ranges::all_of(state.engines, [](EngineKind kind) { return kind <= EngineKind::btree; });
  if (!reader.failed() && !knows_engines) return damaged("names an engine that is unknown");
  if (reader.failed() || !reader.at_end() || !well_formed(state))
    return damaged("holds an impossible shard map");
  return state;
}

}  // namespace shale::cluster
