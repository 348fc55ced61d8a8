// One LSM tree: memtables, a record cache, and the tables of a Version; flushes and compactions in the
// background.
//
//   I1  A key's newest entry is found first: active memtable, sealed memtables from new to old, level 0 from
//   new to old,
//       levels 1 and up. The record cache holds only records that tables hold and no memtable shadows.
//   I2  Memtables are flushed in the order in which they were sealed, so persisted_lsn() covers everything
//   before it. I3  At most one flush and one compaction of a tree run at a time; each applies its edit to the
//   Version that is
//       current when it ends.
//   I4  No edit is made durable before the log is, up to the newest record that the edit persists or relies
//   on. I5  A table's file is removed only after an edit without it is durable in the manifest.
//
// Design, and what was measured: docs/lsm.md.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "engine/engine.h"
#include "engine/lsm/class_counts.h"
#include "engine/lsm/compaction.h"
#include "engine/lsm/compaction_picker.h"
#include "engine/lsm/memtable.h"
#include "engine/lsm/record_cache.h"
#include "engine/lsm/shape.h"
#include "engine/lsm/shape_advisor.h"
#include "engine/lsm/tree_store.h"
#include "engine/lsm/value_census.h"
#include "engine/lsm/version.h"

namespace shale::engine::lsm {

// A memtable, or a sealed one's keys from `begin` on and below `end`, and what is known of them. Once sealed
// only its guesses and corrections change, under the owner's mutex.
struct LoggedMemtable {
  LoggedMemtable(MemtableBudget& budget, std::size_t chunk_bytes)
      : contents(std::make_shared<Contents>(budget, chunk_bytes)) {
    share.resize(memtable.memory_bytes());
  }
  // What `whole` has within bounds, as `part` has counted it (tree_change.h).
  struct Part {
    ClassCounts balances;
    std::uint64_t live_bytes = 0;  // of keys and values
    std::size_t entries = 0;
  };
  LoggedMemtable(const LoggedMemtable& whole, Bytes begin_key, Bytes end_key, const Part& part);

  // How much of what users wrote is in it.
  std::uint64_t live_bytes() const { return counted ? counted->live_bytes : memtable.live_bytes(); }
  std::size_t entry_count() const { return counted ? counted->entries : memtable.entry_count(); }
  bool has(BytesView key) const { return begin <= key && (end.empty() || key < end); }
  // The part of the bounds that the memtable has keys of.
  CursorBounds within(CursorBounds bounds) const;

  // Two trees may have parts of it.
  struct Contents {
    Contents(MemtableBudget& budget, std::size_t chunk_bytes)
        : share(budget), memtable(chunk_bytes, &budget.chunks()) {}
    MemtableBudget::Share share;  // given back when the memory has been
    Memtable memtable;
  };
  const std::shared_ptr<Contents> contents;
  MemtableBudget::Share& share = contents->share;
  Memtable& memtable = contents->memtable;
  const Bytes begin;  // empty: all
  const Bytes end;    // empty: open
  const std::optional<Part> counted;
  ClassCounts balances;
  Lsn first_lsn = 0;                // 0: empty
  std::int64_t first_write_ms = 0;  // Unix milliseconds
  Lsn last_lsn = 0;
  std::uint64_t separable_bytes = 0;  // put with values that are large enough for a value file
  std::size_t guess_count = 0;        // of all entries, looked up or not
  std::vector<Bytes>
      guesses;  // to be looked up: keys taken to be overwrites because a filter said so (key_guesses.h)
  std::set<Bytes> new_keys;  // of the guesses, those found wrong after sealing: their entries count one more
};

// Lives as long as its owner or its background work wants it.
class Tree final : public Engine, public std::enable_shared_from_this<Tree> {
 public:
  Tree(TreeStore& store, std::uint32_t id, std::mutex& owner, Lsn persisted_lsn,
       std::shared_ptr<const Version> version);
  ~Tree() override;
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  Result<std::optional<BytesView>> get(const HashedKey& key, ReadContext& context) override;
  void prefetch_index(const HashedKey& key) const override;
  void prefetch_record(const HashedKey& key) const override;
  Status admit_write(std::size_t bytes) override;
  std::chrono::microseconds write_delay(std::size_t bytes) override;
  void put(const HashedKey& key, BytesView value, Lsn lsn) override {
    write(key, value, EntryType::value, lsn);
  }
  void erase(const HashedKey& key, Lsn lsn) override { write(key, {}, EntryType::tombstone, lsn); }
  void reclaim_obsolete(Lsn lsn) override;
  std::unique_ptr<Cursor> cursor(CursorBounds bounds, ReadContext& context) override;
  Lsn persisted_lsn() const override { return persisted_lsn_; }
  std::optional<Lsn> oldest_unpersisted_lsn() const override;
  void flush() override;
  void stop_work() override { stopping_ = true; }
  bool work_stopped() const override;
  void resume_work() override;
  void tick() override;
  std::optional<Bytes> middle_key() const override;
  std::int64_t key_count(std::uint32_t count_class) const override;
  EngineStats stats() const override;

  // Memory of the active memtable. Without the owner's mutex, and so a moment old.
  std::uint64_t active_bytes() const { return active_bytes_.load(std::memory_order_relaxed); }
  // Flushes the active memtable if there is still need to. Takes the owner's mutex.
  void relieve();
  // Flushes again if the last flush has met a full disk. Takes the owner's mutex.
  void retry_flush();
  // What the tree aims at from now on, and why; with flush_bytes 0 that stays as measured. Under the owner's
  // mutex.
  void set_shape(const Shape& shape, std::string reason);
  const Version& version() const { return *version_; }
  // What the tables hold, and which they are: under the owner's mutex, which is `owner()`.
  TreeSnapshot snapshot() const { return {persisted_lsn_, version_}; }
  std::mutex& owner() const { return owner_; }
  std::uint32_t id() const { return id_; }
  // What it has; from now on it has none, as far as others count. Takes the owner's mutex; its work has
  // stopped.
  void leave_tables(std::vector<TableRef>& tables);

 private:
  friend class TreeCut;
  friend class TreeUnion;
  using MemtableRef = std::shared_ptr<LoggedMemtable>;

  void write(const HashedKey& key, BytesView value, EntryType type, Lsn lsn);
  const std::vector<const LiveTable*>& candidates(const HashedKey& key);
  Presence presence_below_active(const HashedKey& key);
  Result<std::optional<BytesView>> get_from_tables(const HashedKey& key, ReadContext& context);
  Result<std::optional<Entry>> get_from_table(const LiveTable& table, const HashedKey& key,
                                              ReadContext& context);

  // What has been obsolete since before then is to go now: half of the time it may stay is for its way.
  std::int64_t overdue_ms() const;
  bool has_overdue() const;
  double overdue_fill() const;
  void flush_if_old();
  bool active_is_dead() const;
  MemtableRef make_memtable() const;
  void seal_active();
  void note_active_memory();
  void adapt_shape();
  LevelStats level_stats(std::uint32_t level) const;
  void count_obsolete(EngineStats& stats) const;
  void note_busy(std::chrono::steady_clock::time_point now);
  void note_wait(std::chrono::steady_clock::duration waited);
  // What of the user's writes stands in level 0, values in value files included.
  std::uint64_t level0_user_bytes() const;
  double compaction_pressure() const;
  // After value_census_ has been told of it.
  void install(std::shared_ptr<const Version> version);
  void note_record_bytes();

  // Appends to the manifest once the log is durable up to `lsn` and to whatever made records obsolete. Waits;
  // without the owner's mutex.
  Status commit(const VersionEdit& edit, Lsn lsn);
  // Up to where the log is not needed once this memtable, the oldest sealed one, has been flushed.
  Lsn persisted_with(const LoggedMemtable& sealed) const;
  Status commit_compaction(const VersionEdit& edit);

  // Looks up, in the background, the keys that writes have guessed about.
  void schedule_resolution();
  void run_resolution();
  void correct(LoggedMemtable& memtable, const std::vector<Bytes>& new_keys);

  void schedule_flush();
  void run_flush();
  // Writes the memtable to a run of level 0, or to none if all it holds is obsolete. Without the owner's
  // mutex.
  Result<std::vector<TableRef>> write_memtable(const LoggedMemtable& sealed);

  // Whether the flush should write the memtable's large values to a value file.
  bool separates_values(const LoggedMemtable& sealed) const;

  void schedule_compaction();
  void run_compaction();
  WorkPace compaction_pace() const;
  void note_flush(const std::vector<TableRef>& tables);
  // How far the fullest level is beyond its plan, or value files beyond their garbage.
  double compaction_fill() const;
  double value_fill() const;
  static ValueCensus::Change census_change(const Version& before, const CompactionResult& result);
  void note_damage(const Version& version, std::size_t damaged_before);
  static void discard_consumed(const Version& before, const CompactionResult& result);
  std::optional<Compaction> pick_compaction();
  std::optional<Compaction> pick_overdue();
  std::optional<Compaction> pick_relocation();

  TreeStore& store_;
  const std::uint32_t id_;
  std::mutex& owner_;  // guards everything below

  MemtableRef active_;
  std::atomic<std::uint64_t> active_bytes_ = 0;
  std::deque<MemtableRef> sealed_;  // oldest first
  RecordCache record_cache_;
  std::shared_ptr<const Version> version_;
  ClassCounts table_balances_;  // of version_
  ValueCensus value_census_;    // of version_
  std::vector<const LiveTable*> candidates_;
  Lsn persisted_lsn_;

  bool flush_running_ = false;
  bool resolution_scheduled_ = false;  // or running
  MemtableRef resolving_;              // whose guesses are being looked up
  bool compaction_running_ = false;
  bool compaction_commits_ = false;  // and will change the tree
  bool stopping_ = false;            // no work begins any more, and no compaction is committed
  bool reclaim_wanted_ = false;
  std::uint64_t ticks_ = 0;
  std::int64_t next_expulsion_ms_ = 0;  // nothing overdue could be compacted; not tried again before then
  bool overdue_is_next_ = false;        // after another compaction, if something is overdue
  bool relocation_stalled_ = false;     // nothing to relocate was found in this version_
  bool relocation_is_next_ = false;     // after another compaction, if there is something to relocate
  Lsn reclaim_lsn_ = 0;                 // the newest record that made a class obsolete
  Shape shape_;
  LevelPlan plan_;  // of version_ and shape_
  ShapeAdvisor advisor_;
  std::string shape_reason_;  // of its last change
  std::uint64_t shape_changes_ = 0;
  CompactionPicker picker_;
  WriteThrottle throttle_;
  std::optional<std::chrono::steady_clock::time_point> busy_since_;  // writes have been refused since
  std::optional<Error> flush_error_;       // of the last flush; no_space is tried again, others are final
  std::optional<Error> compaction_error_;  // of the last compaction
  std::uint64_t user_bytes_written_ = 0;
  std::uint64_t delayed_writes_ = 0;
  std::uint64_t refused_writes_ = 0;
  std::chrono::steady_clock::duration longest_write_wait_{};
  std::uint64_t flush_bytes_written_ = 0;
  std::uint64_t compaction_bytes_read_ = 0;
  std::uint64_t compaction_bytes_written_ = 0;
  std::uint64_t relocated_value_bytes_ = 0;
  WorkloadCounts workload_;
  std::uint64_t reads_ = 0;
  std::uint64_t not_resident_ = 0;
  std::uint64_t flushes_ = 0;
  std::uint64_t compactions_ = 0;
  std::uint64_t bloom_checks_ = 0;
  std::uint64_t bloom_false_positives_ = 0;
};

}  // namespace shale::engine::lsm
