// The store: one data folder, opened. Owns the log, the shards and the map between keys and shards; opens,
// recovers, trims the log, and stops. What a command does with it goes through ShardLocks and Transaction.
//
// The folder:
//   FORMAT    format version; a newer or foreign folder is refused
//   LOCK      held while a process has the folder open
//   catalog   shard map, database identities; replaced atomically before the log that carries changes is
//   trimmed log/      the write-ahead log lsm/      tables and manifest of every LSM tree
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cluster/catalog.h"
#include "cluster/shard.h"
#include "cluster/shard_map.h"
#include "engine/engine.h"
#include "engine/io/background.h"
#include "engine/io/file_system.h"
#include "engine/log/log.h"

namespace shale::engine::lsm {
class TreeStore;
}

namespace shale::cluster {

struct StoreOptions {
  std::string folder;
  std::uint32_t shards = 8;  // of a new folder; an existing one keeps its own
  std::uint32_t virtual_nodes = 150;
  engine::SyncMode sync_mode = engine::SyncMode::every_second;
  std::uint64_t memtable_bytes = 64u << 20;  // all shards together, waiting for their flush included
  std::uint64_t cache_bytes = 256u << 20;    // block cache and record caches together
  std::uint64_t log_segment_bytes = 16u
                                    << 20;  // of the log's files, of which two or three are mapped at a time
  std::uint64_t log_bytes_max = 1024u << 20;  // beyond it, what holds the oldest records is flushed
  // Whether a stored value has expired at `unix_ms`; such records are absent to readers and dropped by
  // compaction.
  bool (*value_expired)(BytesView value, std::int64_t unix_ms) = nullptr;
};

struct StoreRecovery {  // for the start-up lines
  bool created = false;
  engine::LogRecovery log;
  std::uint64_t records_applied = 0;  // those no engine had persisted
};

class Store {
 public:
  // Errors: locked, unsupported, corruption, io, no_space; the message is complete.
  static engine::Result<std::unique_ptr<Store>> open(engine::FileSystem& files,
                                                     engine::Background& background, engine::Clock& clock,
                                                     const StoreOptions& options, StoreRecovery& recovery);
  ~Store();  // syncs the log; memtables are left to the next start's replay

  // Thread-safe. The map and the database identities change together; what is returned stays valid while
  // held.
  std::shared_ptr<const ShardMap> map() const { return map_.load(std::memory_order_acquire); }
  DatabaseId database_id(unsigned database) const { return catalog_.database_id(database); }

  Shard& shard(ShardId id) { return *shards_[static_cast<std::size_t>(id)]; }
  const std::vector<std::unique_ptr<Shard>>& shards() const { return shards_; }

  // Live keys of a database (as SELECT numbers them), in time that does not depend on their number.
  // Thread-safe.
  std::int64_t key_count(unsigned database);
  // Empties one database, or all: one log record, at once for readers; disk space comes back in the
  // background. Returns the record's Lsn. Errors as Log::append. Thread-safe.
  engine::Result<engine::Lsn> flush_database(unsigned database);
  engine::Result<engine::Lsn> flush_all();

  engine::Log& log() { return *log_; }
  engine::Clock& clock() { return clock_; }
  const StoreOptions& options() const { return options_; }
  std::uint64_t disk_bytes();  // tables and log

 private:
  friend class Transaction;
  Store(engine::FileSystem& files, engine::Background& background, engine::Clock& clock,
        const StoreOptions& options);

  engine::FileSystem& files_;
  engine::Background& background_;
  engine::Clock& clock_;
  const StoreOptions options_;
  std::unique_ptr<engine::FolderLock> folder_lock_;
  Catalog catalog_;
  std::unique_ptr<engine::KeyPolicy> policy_;
  std::unique_ptr<engine::lsm::TreeStore> trees_;
  std::unique_ptr<engine::Log> log_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::atomic<std::shared_ptr<const ShardMap>> map_;
};

}  // namespace shale::cluster
