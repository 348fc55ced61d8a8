// The store: one data folder, opened. Owns the log, the shards and the map between keys and shards; opens,
// recovers, trims the log, and stops. What a command does with it goes through ShardLocks and Transaction.
//
// The folder:
//   FORMAT    format version; a newer or foreign folder is refused
//   LOCK      held while a process has the folder open
//   catalog   shard map, database identities; replaced atomically before the log that carries changes is
//   trimmed log/      the write-ahead log lsm/      tables and manifest of every LSM tree
//   large/    large values, a file for each (docs/large-values.md); made with the first of them
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "cluster/catalog.h"
#include "cluster/shard.h"
#include "cluster/shard_map.h"
#include "engine/engine.h"
#include "engine/io/background.h"
#include "engine/io/file_system.h"
#include "engine/log/log.h"
#include "engine/lsm/compression.h"

namespace shale::engine {
class LargeValueStore;
struct LargeValueReference;
}  // namespace shale::engine

namespace shale::engine::lsm {
class TreeStore;
enum class CompactionMode : std::uint8_t;
}  // namespace shale::engine::lsm

namespace shale::engine::btree {
class TreeStore;
}

namespace shale::cluster {

class LargeValueSweep;

struct StoreOptions {
  std::string folder;
  std::uint32_t shards = 8;  // of a new folder; an existing one keeps its own
  std::uint32_t virtual_nodes = 150;
  EngineKind engine = EngineKind::lsm;  // of a new folder's shards; existing shards keep theirs
  engine::SyncMode sync_mode = engine::SyncMode::every_second;
  std::uint64_t memtable_bytes = 64u << 20;  // all shards together, waiting for their flush included
  std::uint64_t cache_bytes = 256u << 20;    // block cache and record caches together
  std::uint64_t log_segment_bytes = 16u
                                    << 20;  // of the log's files, of which two or three are mapped at a time
  std::uint64_t log_bytes_max = 1024u << 20;  // beyond it, what holds the oldest records is flushed
  engine::lsm::Compression compression = engine::lsm::Compression::lz4;  // below level 0
  std::uint32_t value_separation_bytes = 4096;    // larger values have files of their own; 0: never
  engine::lsm::CompactionMode compaction_mode{};  // adaptive
  // How long what is deleted or has expired may take space in tables, while the store is open; 0: for ever.
  std::chrono::milliseconds deletion_age_max{0};
  // What leaves of B+ trees aim at, as the workload has it (docs/btree.md).
  std::uint32_t btree_node_bytes_min = 4u << 10;
  std::uint32_t btree_node_bytes_max = 64u << 10;
  // Of compaction while nobody writes; 0: compaction is not metered (engine/lsm/work_meter.h).
  std::uint64_t idle_work_bytes_per_second = 0;
  std::chrono::milliseconds maintenance_interval{100};  // 0: never by itself
  // Called with a line that names the file whenever a table is found damaged, from any thread; may be empty.
  std::function<void(const std::string& line)> on_damage;
  // When a stored value expires, in Unix milliseconds, or engine::KeyPolicy::kNeverObsolete. From then on it
  // is absent to readers; compaction drops it.
  std::int64_t (*value_expiry_ms)(BytesView value) = nullptr;
  // Whether a stored value ends with a reference to a large value; null: none ever does.
  bool (*value_is_large)(BytesView value) = nullptr;
};

struct StoreRecovery {  // for the start-up lines
  bool created = false;
  engine::LogRecovery log;
  std::uint64_t records_applied = 0;  // those no engine had persisted
};

// Two threads may call any of the public functions at once. The Background must have been stopped before the
// store is destroyed, and everything else that uses the store must be gone.
class Store {
 public:
  // Waits for disks. Errors: locked, unsupported, corruption, io, no_space; the message is complete, and the
  // Background has been stopped.
  static engine::Result<std::unique_ptr<Store>> open(engine::FileSystem& files,
                                                     engine::Background& background, engine::Clock& clock,
                                                     const StoreOptions& options, StoreRecovery& recovery);
  ~Store();  // syncs the log; memtables are left to the next start's replay
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // Grows whenever the map or a database's identity changes. Cheap. Whoever holds a shard's lock and finds
  // the epoch that it routed with has routed right.
  std::uint64_t epoch() const { return epoch_.load(std::memory_order_acquire); }
  std::shared_ptr<const ShardMap> map() const;  // immutable; stays valid while held
  DatabaseId database_id(unsigned database) const { return databases_.id(database); }

  Shard& shard(ShardId id) { return *shards_[static_cast<std::size_t>(id)]; }
  const std::vector<std::unique_ptr<Shard>>& shards() const { return shards_; }  // by id

  // Live keys of a database (as SELECT numbers them), in time that does not depend on their number. Keys that
  // have expired count until their space is given back.
  std::int64_t key_count(unsigned database);
  // Empties one database, or all: one log record, at once for readers; the space comes back in the
  // background. Returns the record's Lsn. Errors as Log::append.
  engine::Result<engine::Lsn> flush_database(unsigned database);
  engine::Result<engine::Lsn> flush_all();

  // One round of housekeeping: bounds the log by flushing what holds its oldest records, writes the catalog,
  // trims the log. Waits for disks. A thread of the store calls it several times a second; tests call it
  // themselves.
  engine::Status maintain();

  engine::Log& log() { return *log_; }
  engine::lsm::TreeStore& trees() { return *trees_; }
  engine::btree::TreeStore* btrees() { return btrees_.get(); }  // null: no shard is a B+ tree
  engine::LargeValueStore& large_values() { return *large_values_; }
  // The large value that a stored value stands for, if it does.
  std::optional<engine::LargeValueReference> large_value_in(BytesView stored) const;
  const engine::KeyPolicy& policy() const { return *policy_; }
  engine::Clock& clock() { return clock_; }
  const StoreOptions& options() const { return options_; }

 private:
  Store(engine::FileSystem& files, engine::Background& background, engine::Clock& clock,
        const StoreOptions& options);

  engine::Status recover(StoreRecovery& recovery);
  engine::Status prepare_folder(StoreRecovery& recovery);
  engine::Status load_catalog(bool created);
  engine::Status check_log_covers_tables() const;
  engine::Status open_large_values();
  engine::Status open_engines();
  engine::Status open_lsm_trees(double part);  // of the memory
  engine::Status open_btrees(double part);
  engine::Status replay(engine::Lsn lsn, engine::RecordKind kind, BytesView payload, StoreRecovery& recovery);
  engine::Status replay_batch(engine::Lsn lsn, BytesView payload, StoreRecovery& recovery);
  engine::Status wait_for_admission(Shard& owner, std::size_t bytes);
  engine::Result<engine::Lsn> flush_databases(unsigned first, unsigned count);
  void apply_flush(BytesView payload);
  engine::Lsn oldest_needed_lsn();
  engine::Status write_catalog(engine::Lsn log_needed_from);
  void flush_oldest_shard();
  engine::Status maintain_large_values();
  void maintenance_loop(const std::stop_token& stop);

  engine::FileSystem& files_;
  engine::Background& background_;
  engine::Clock& clock_;
  const StoreOptions options_;
  std::unique_ptr<engine::FolderLock> folder_lock_;

  DatabaseTable databases_;              // changed under the locks of all shards
  std::shared_ptr<const ShardMap> map_;  // likewise
  mutable std::mutex map_mutex_;         // guards the pointer map_
  std::atomic<std::uint64_t> epoch_ = 1;

  std::unique_ptr<engine::KeyPolicy> policy_;
  std::unique_ptr<engine::LogBarrier> barrier_;
  std::unique_ptr<engine::LargeValueStore> large_values_;
  std::unique_ptr<LargeValueSweep> large_value_sweep_;
  std::unique_ptr<engine::lsm::TreeStore> trees_;
  std::unique_ptr<engine::btree::TreeStore> btrees_;
  std::unique_ptr<engine::Log> log_;
  std::vector<std::unique_ptr<Shard>> shards_;

  std::mutex maintenance_mutex_;     // one round at a time; guards the next
  engine::Lsn log_needed_from_ = 1;  // as the catalog file says
  std::jthread maintenance_;         // last: stops before anything that it uses goes
};

}  // namespace shale::cluster
