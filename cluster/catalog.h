// What the store knows about itself beside the data: which identity each database has, and where shards
// begin.
//
// The catalog file is a checkpoint of what the log's flush records have changed: it is replaced, atomically,
// before the log is trimmed past such a record. Bytes on disk: docs/formats.md.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "cluster/shard_map.h"
#include "engine/result.h"

namespace shale::cluster {

constexpr unsigned kDatabaseCount = 16;
using DatabaseIds = std::array<DatabaseId, kDatabaseCount>;

// Who is which database now. Read by any thread without a lock; changed by one thread at a time, under the
// locks of all shards.
class DatabaseTable {
 public:
  DatabaseTable();

  DatabaseId id(unsigned database) const { return ids_[database].load(std::memory_order_relaxed); }
  DatabaseIds ids() const;
  // Whether records under this identity still belong to a database. Never turns from false to true, except
  // for identities that have never been given out.
  bool is_live(DatabaseId id) const;
  // An identity that no database has had.
  DatabaseId next_id() const;
  // Identities only grow: an older one (from a log record replayed after a newer catalog was read) changes
  // nothing.
  void advance(unsigned database, DatabaseId id);

 private:
  std::array<std::atomic<DatabaseId>, kDatabaseCount> ids_;
};

// How a shard stores its data.
enum class EngineKind : std::uint8_t { lsm = 0, btree = 1 };  // stored: append, never renumber

// The contents of the catalog file.
struct CatalogState {
  DatabaseIds databases{};
  engine::Lsn log_needed_from = 1;  // no engine needs records before this one
  std::uint32_t shard_count = 0;
  std::uint64_t map_version = 0;
  std::vector<Boundary> boundaries;
  std::vector<EngineKind> engines;  // by shard; one that is not listed is an LSM tree

  EngineKind engine_of(std::uint32_t shard) const {
    return shard < engines.size() ? engines[shard] : EngineKind::lsm;
  }

  Bytes encode() const;
  // Errors: corruption (with `file_name`), unsupported.
  static engine::Result<CatalogState> decode(BytesView bytes, const std::string& file_name);
};

}  // namespace shale::cluster
