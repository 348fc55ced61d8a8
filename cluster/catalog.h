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
#include <optional>
#include <string>

#include "cluster/shard_map.h"
#include "engine/result.h"

namespace shale::cluster {

using DatabaseIds = std::array<DatabaseId, kDatabaseCount>;

// Who is which database now. Read by any thread without a lock; changed by one thread at a time, under the
// locks of all shards.
class DatabaseTable {
 public:
  explicit DatabaseTable(Sharding sharding = Sharding::ring) { start(sharding); }
  // Nothing has been emptied yet. Before anybody else uses the table.
  void start(Sharding sharding);
  // As a catalog has them. Before anybody else uses the table.
  void start(Sharding sharding, const DatabaseIds& ids);

  DatabaseId id(unsigned database) const { return ids_[database].load(std::memory_order_relaxed); }
  DatabaseIds ids() const;
  // Whether records under this identity still belong to a database. Never turns from false to true, except
  // for identities that have never been given out.
  bool is_live(DatabaseId id) const;
  // All identities once `count` databases from `first` on are emptied, where they are `before` now: those
  // have identities that no database has had. Nothing if there are no more of them.
  std::optional<DatabaseIds> ids_after_flush(const DatabaseIds& before, unsigned first, unsigned count) const;
  // Identities only grow: an older one (from a log record replayed after a newer catalog was read) changes
  // nothing.
  void advance(unsigned database, DatabaseId id);
  // Each becomes the other: all keys of both change the database, and none is touched.
  void swap(unsigned a, unsigned b);

 private:
  bool has(DatabaseId id) const;

  Sharding sharding_ = Sharding::ring;
  std::atomic<std::uint64_t> swaps_ = 0;  // odd while one is being made
  std::array<std::atomic<DatabaseId>, kDatabaseCount> ids_;
};

// How a shard stores its data.
enum class EngineKind : std::uint8_t { lsm = 0, btree = 1 };  // stored: append, never renumber

// A shard, and the tree that has its data. Trees are numbered across both engines, and no number is given
// twice: what a split or a move has made, and the catalog does not name, is not the data, and goes at the
// next start.
struct ShardRecord {
  ShardId id{};
  EngineKind engine = EngineKind::lsm;
  std::uint32_t tree = 0;

  friend bool operator==(const ShardRecord&, const ShardRecord&) = default;
};

// The contents of the catalog file.
struct CatalogState {
  Sharding sharding = Sharding::ring;
  DatabaseIds databases{};
  engine::Lsn databases_lsn = 0;    // the newest record that has made them so; 0 in formats before 5
  engine::Lsn log_needed_from = 1;  // no engine needs records before this one
  std::uint64_t map_version = 0;
  std::vector<Boundary> boundaries;
  std::vector<ShardRecord> shards;  // by id; each has a boundary
  std::uint32_t next_shard = 0;     // above all ids that have been given out
  std::uint32_t next_tree = 0;      // likewise

  Bytes encode() const;
  // Errors: corruption (with `file_name`), unsupported.
  static engine::Result<CatalogState> decode(BytesView bytes, const std::string& file_name);
};

}  // namespace shale::cluster
