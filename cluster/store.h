// The store: one data folder, opened. Owns the log, the shards and the map between keys and shards; opens,
// recovers, trims the log, and stops. What a command does with it goes through ShardLocks and Transaction.
//
// The folder:
//   FORMAT    format version; a newer or foreign folder is refused
//   LOCK      held while a process has the folder open
//   history   the last changes of the layout, for people
//   backups/  backups, unless they are elsewhere (backups.h)
//   catalog   shard map, shards and their trees, database identities; replaced atomically
//   log/      the write-ahead log
//   lsm/      tables and manifest of every LSM tree
//   btree/    the page file of every B+ tree; made with the first of them
//   large/    large values, a file for each (docs/large-values.md); made with the first of them
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "cluster/catalog.h"
#include "cluster/layout.h"
#include "cluster/log_records.h"
#include "cluster/store_options.h"
#include "cluster/trees.h"
#include "engine/engine.h"
#include "engine/io/background.h"
#include "engine/io/file_system.h"
#include "engine/log/log.h"

namespace shale::engine {
class LargeValueStore;
struct LargeValueReference;
}  // namespace shale::engine

namespace shale::cluster {

class Backups;
class ChangeHistory;
class Expirer;
class LargeValueSweep;
class Reshaper;

struct LoggedWrite;
struct StoreCut;

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
  std::shared_ptr<const Layout> layout() const;  // immutable; stays valid while held
  DatabaseId database_id(unsigned database) const { return databases_.id(database); }
  // Whose an identity is, as SELECT numbers databases; nothing if it is that of one that has been emptied.
  std::optional<unsigned> database_of(DatabaseId id) const;
  // Whether keys stored under this identity are still those of a database.
  bool is_live(DatabaseId id) const { return databases_.is_live(id); }
  Placement placement() const { return placement_; }

  std::vector<std::shared_ptr<Shard>> shards() const { return layout()->shards(); }  // by id
  // What the catalog says of them. Takes their locks, one after the other.
  std::vector<ShardRecord> shard_records() const { return records_of(shards(), {}); }

  // Live keys of a database (as SELECT numbers them), in time that does not depend on their number. Keys that
  // have expired count until they are erased (expirer.h), or an engine has left them out.
  std::int64_t key_count(unsigned database);
  // Empties one database, or all: one log record, at once for readers; the space comes back in the
  // background. Where keys are placed by range, the boundaries between shards stay at the same keys. Returns
  // the record's Lsn. Errors as Log::append; unsupported (a database has been emptied too often).
  engine::Result<engine::Lsn> flush_database(unsigned database);
  engine::Result<engine::Lsn> flush_all();
  // Exchanges two databases: one log record, at once for everybody. Returns the record's Lsn. Errors as
  // Log::append.
  engine::Result<engine::Lsn> swap_databases(unsigned a, unsigned b);

  // --- For transactions that empty or swap databases (transaction.h). The caller holds the locks of all
  // shards.

  DatabaseIds database_ids() const { return databases_.ids(); }
  // As DatabaseTable.
  std::optional<DatabaseIds> ids_after_flush(const DatabaseIds& before, unsigned first,
                                             unsigned count) const {
    return databases_.ids_after_flush(before, first, count);
  }
  // Makes these changes, along with `writes`, which are for the caller to apply next: one log record. Errors
  // as Log::append.
  engine::Result<engine::Lsn> change_identities(std::span<const IdentityChange> changes, BytesView writes);
  // When the record has been applied: starts giving back the space of what it has made obsolete.
  void reclaim_obsolete(engine::Lsn lsn);

  // One round of housekeeping: bounds the log by flushing what holds its oldest records, writes the catalog,
  // trims the log. Waits for disks. A thread of the store calls it several times a second; tests call it
  // themselves.
  engine::Status maintain();

  // --- For changes of the layout (reshaper.h), one at a time.

  // Numbers that no shard, and no tree, has had. One that is not in the catalog at the next start is given
  // again.
  ShardId new_shard_id();
  std::uint32_t new_tree_number();
  struct NewLayout {
    // What becomes of the map as it is. Asked before the new layout is made durable, and again, under the
    // locks, if a flush has changed the map meanwhile; its Error gives the change up.
    std::function<engine::Result<std::vector<Boundary>>(const ShardMap& map)> divide;
    std::vector<std::shared_ptr<Shard>> shards;  // by id
    std::vector<ShardRecord> changed;            // of those of them that get other trees, by id
    std::vector<std::shared_ptr<Shard>> locked;  // those whose trees or ranges change, by id
    std::function<void()> prepare;               // called when it is durable; without any shard's lock
    std::function<void()> swap;  // puts the trees in their places; under the locks of `locked`
  };
  // Makes a new layout durable, and then the one that counts. `pause`: for how long the locks were held.
  // Waits for the disk; the caller holds no shard's lock. On an Error the old layout counts; if
  // catalog_in_doubt(), a crash may find either, and the trees of both must stay.
  engine::Status change_layout(const NewLayout& next, std::chrono::microseconds& pause);
  bool catalog_in_doubt() const { return catalog_in_doubt_.load(std::memory_order_relaxed); }

  // The store at this moment (store_cut.h). Waits for disks, never long; without any lock. One at a time.
  // Errors: io, stopped.
  engine::Result<StoreCut> cut();

  // A shard that is not in the layout any more, but whose lock somebody may be about to take, or a tree's
  // work.
  void keep(std::shared_ptr<Shard> retired);

  Reshaper& reshaper() { return *reshaper_; }
  Backups& backups() { return *backups_; }
  Expirer& expirer() { return *expirer_; }
  ChangeHistory& history() { return *history_; }
  engine::Log& log() { return *log_; }
  Trees& trees() { return *trees_; }
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
  void load_history();
  engine::Status check_log_covers_tables() const;
  void create_layout();
  engine::Status open_large_values();
  engine::Status open_engines();
  engine::Status open_calendar();
  engine::Status replay(engine::Lsn lsn, engine::RecordKind kind, BytesView payload, StoreRecovery& recovery);
  engine::Status replay_batch(engine::Lsn lsn, BytesView payload, StoreRecovery& recovery);
  void replay_expiry(const LoggedWrite& write, engine::Lsn lsn);
  engine::Status wait_for_admission(Shard& owner, std::size_t bytes);
  engine::Result<engine::Lsn> flush_databases(unsigned first, unsigned count);
  void apply(std::span<const IdentityChange> changes, engine::Lsn lsn);
  engine::Lsn oldest_needed_lsn();
  static std::vector<ShardRecord> records_of(const std::vector<std::shared_ptr<Shard>>& shards,
                                             const std::vector<ShardRecord>& changed);
  // What flushes and swaps change, as it was at one moment.
  struct DatabasesState {
    DatabaseIds databases;
    std::shared_ptr<const Layout> layout;
    engine::Lsn lsn;  // the record that has made it so
  };
  DatabasesState databases_state() const;
  // As it is to be written; with maintenance_mutex_.
  CatalogState catalog_of(engine::Lsn log_needed_from, const DatabasesState& state, std::uint64_t map_version,
                          std::vector<Boundary> boundaries, std::vector<ShardRecord> shards) const;
  engine::Status write_catalog(engine::Lsn log_needed_from);
  engine::Status write_catalog(engine::Lsn log_needed_from, const DatabasesState& state,
                               std::uint64_t map_version, std::vector<Boundary> boundaries,
                               std::vector<ShardRecord> shards);
  engine::Status publish(const NewLayout& next, std::uint64_t made_from, std::shared_ptr<const Layout> made);
  void flush_oldest_shard();
  engine::Status maintain_large_values();
  void open_backups();
  void maintenance_loop(const std::stop_token& stop);

  engine::FileSystem& files_;
  engine::Background& background_;
  engine::Clock& clock_;
  const StoreOptions options_;
  std::unique_ptr<engine::FolderLock> folder_lock_;

  Placement placement_{Sharding::ring};  // constant once the catalog is read
  DatabaseTable databases_;              // changed under the locks of all shards, and layout_mutex_
  std::atomic<std::uint64_t> epoch_ = 1;

  std::unique_ptr<engine::KeyPolicy> policy_;
  std::unique_ptr<engine::LogBarrier> barrier_;
  std::unique_ptr<engine::LargeValueStore> large_values_;
  std::unique_ptr<LargeValueSweep> large_value_sweep_;
  std::unique_ptr<Trees> trees_;
  std::unique_ptr<engine::Log> log_;
  std::shared_ptr<const Layout> layout_;  // changed under the locks of the shards concerned
  engine::Lsn databases_lsn_ = 0;         // the newest flush or swap record that has been applied
  mutable std::mutex layout_mutex_;       // guards layout_ and databases_lsn_

  std::unique_ptr<Expirer> expirer_;
  std::unique_ptr<ChangeHistory> history_;
  std::unique_ptr<Reshaper> reshaper_;
  std::unique_ptr<Backups> backups_;
  std::atomic<bool> catalog_in_doubt_ = false;
  std::mutex maintenance_mutex_;     // one round at a time; guards what follows
  engine::Lsn log_needed_from_ = 1;  // as the catalog file says
  std::uint32_t next_shard_ = 0;     // numbers that no shard and no tree has had
  std::uint32_t next_tree_ = 0;
  // What the last cut wants to be kept, as long as it does.
  std::weak_ptr<const engine::Lsn> log_kept_from_;
  std::weak_ptr<const void> large_values_kept_;
  std::vector<std::shared_ptr<Shard>> retired_;  // without their trees: some hundred bytes each
  std::jthread maintenance_;                     // last: these stop before anything that they use goes
  std::jthread expiry_;
};

}  // namespace shale::cluster
