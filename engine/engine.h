// An ordered store of byte strings: what the LSM tree and the B+ tree both are, and all that the rest of
// Shale knows of them. Nothing here knows of shards, Redis or sockets.
//
// Locking. An engine is a single-threaded data structure behind its owner's mutex, handed over when the
// engine is made. Every call below is made with that mutex held and never waits for a disk. Background jobs
// of the engine work on immutable data and take the mutex only to swap their result in.
//
// Waiting. A read that needs bytes from disk returns Error{not_resident} without having changed anything, and
// adds what it lacks to the ReadContext as Loads. The caller releases the mutex, runs the Loads on background
// threads, and calls again: the loaded bytes stay in memory for as long as the Loads are kept.
// (docs/architecture.md, "prefetch, execute")
//
// Durability. An engine does not write the log: its owner appends to the log first and then applies. The
// engine persists itself in the background and says up to where: after a crash, records after persisted_lsn()
// must be applied again.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/bytes.h"
#include "engine/memory/pinned.h"
#include "engine/result.h"

namespace shale::engine {

// Something a read lacks. run() fetches it and may wait for a disk; call it without the engine's mutex. While
// the Load is alive, what it fetched stays in memory. An I/O or checksum error met by run() is reported by
// the read that is made again, not lost.
class Load {
 public:
  virtual ~Load() = default;
  virtual void run() = 0;
  // Says that run() follows soon. Who runs several Loads one after the other announces all of them before:
  // the disk then works on them together.
  virtual void announce() {}
  // A long one does a part with each run(), so that others get their turn on the thread: false if run() has
  // to be called again.
  virtual bool done() const { return true; }
};

// What one command's reads need and hold. Not thread-safe; lives as long as views returned by the reads are
// used.
struct ReadContext {
  std::vector<std::shared_ptr<Load>> missing;  // to be run before the command is executed again
  std::vector<Pin> pins;                       // keep the bytes behind returned views in memory

  void clear() {
    missing.clear();
    pins.clear();
  }
};

// Which keys a cursor walks: begin <= key < end. An empty end is open, as an empty begin is by itself.
struct CursorBounds {
  BytesView begin;
  BytesView end;
};

// Walks the keys within its bounds in order, forward and backward, and may turn at any key. To it there are
// no others: seek of a key below the bounds finds their first key, seek_before of one behind them their last.
// What lies outside of them is not read.
//
// A new cursor stands nowhere, one that has been moved past either end likewise: it is not valid() until a
// seek finds a key. Lives only while the engine's mutex is held without interruption, and no write is applied
// meanwhile. Every move returns not_resident as get does; after an error the cursor is of no further use.
// Like get, it shows records that KeyPolicy calls obsolete as long as they are there.
class Cursor {
 public:
  virtual ~Cursor() = default;
  virtual Status seek(BytesView key) = 0;         // to the first key >= `key`; of all, with an empty one
  virtual Status seek_before(BytesView key) = 0;  // to the last key < `key`
  virtual Status seek_last() = 0;                 // to the last key of all
  virtual Status next() = 0;                      // requires valid()
  virtual Status previous() = 0;                  // requires valid()
  virtual bool valid() const = 0;
  virtual BytesView key() const = 0;  // requires valid(); valid until the next call on the cursor
  // How the value begins: at least kHeadBytes of it, or all of a shorter one. As key().
  virtual BytesView head() const = 0;
  // As key(). Errors: not_resident as from a move, of a large value; io, corruption.
  virtual Result<BytesView> value() = 0;

  static constexpr std::size_t kHeadBytes = 16;
};

struct LevelStats {
  std::uint64_t tables = 0;  // slices of tables
  std::uint64_t runs = 0;
  std::uint64_t runs_max = 0;  // as the shape has it
  std::uint64_t bytes = 0;
  std::uint64_t bytes_max = 0;  // as planned; 0: no limit
  std::uint64_t entries = 0;
  std::uint64_t tombstones = 0;
  Bytes begin_key;  // of all keys k in the level: begin_key <= k < end_key
  Bytes end_key;
};

// What only a B+ tree has (docs/btree.md); as EngineStats.
struct BtreeStats {
  std::uint32_t height = 0;                   // now, levels, leaves included
  std::uint64_t inner_nodes = 0;              // now
  std::uint64_t leaves = 0;                   // now
  std::uint64_t leaf_bytes = 0;               // now, of their bases
  std::vector<std::uint64_t> leaves_by_size;  // now: below 2, 4, 8, 16, 32, 64, 128 KiB, and above
  std::uint64_t node_bytes = 0;               // now, what leaves aim at
  std::uint64_t pool_bytes = 0;               // now, of pages that are on disk as well
  std::uint64_t pool_leaves = 0;              // now
  std::uint64_t pool_evictions = 0;
  std::uint64_t changed_bytes = 0;  // now, what is not on disk yet
  bool checkpoint_running = false;  // now
  std::uint64_t checkpoints = 0;
  std::chrono::milliseconds checkpoint_age{0};   // since the last one ended
  std::chrono::milliseconds last_checkpoint{0};  // how long it took
  std::uint64_t bases_written = 0;               // leaves written whole
  std::uint64_t changes_written = 0;             // leaves of which only changes were
  std::uint64_t moved_bytes = 0;                 // of pages written again so that the file's end could be cut
  std::uint64_t splits = 0;
  std::uint64_t joins = 0;
  std::uint64_t file_bytes = 0;       // now, of all trees
  std::uint64_t file_free_bytes = 0;  // now, within it
};

// As measured since the engine was opened unless a comment says otherwise. Sizes in bytes.
struct EngineStats {
  std::uint64_t memtable_bytes = 0;            // now, what writes go to
  std::uint64_t immutable_memtable_bytes = 0;  // now, waiting to be flushed or being flushed
  std::uint64_t immutable_memtables = 0;       // now
  std::uint64_t disk_bytes = 0;                // now, in tables and value files
  std::uint64_t value_files = 0;               // now, files of large values
  std::uint64_t value_file_bytes = 0;          // now, of the values in them
  std::uint64_t live_value_bytes = 0;          // now, of those that tables refer to
  std::uint64_t relocated_value_bytes = 0;     // written again because their file was mostly garbage
  std::uint64_t table_memory_bytes = 0;        // now, indexes and filters of open tables

  std::uint64_t user_bytes_written = 0;  // keys and values applied
  std::uint64_t flush_bytes_written = 0;
  std::uint64_t compaction_bytes_read = 0;
  std::uint64_t compaction_bytes_written = 0;
  std::uint64_t disk_bytes_written = 0;  // by flushes and compactions: over user_bytes_written, write
                                         // amplification
  std::uint64_t flushes = 0;
  std::uint64_t compactions = 0;
  std::uint64_t debt_bytes = 0;  // now, what compaction still has to rewrite before the tree is in shape
  double pressure = 0;           // now: above 0 writers are slowed, 1 is as far behind as it should ever be

  std::uint64_t delayed_writes = 0;  // that were asked to pause
  std::uint64_t refused_writes = 0;  // that found the engine busy; tried again, they are counted again
  std::chrono::microseconds longest_write_wait{0};  // for the background to catch up, either way

  std::uint64_t reads = 0;         // point reads
  std::uint64_t table_reads = 0;   // of them, those that no memory could answer
  std::uint64_t seeks = 0;         // of cursors
  std::uint64_t bloom_checks = 0;  // over table_reads: tables asked per read
  std::uint64_t bloom_false_positives = 0;
  std::uint64_t record_cache_hits = 0;
  std::uint64_t record_cache_misses = 0;
  std::uint64_t record_cache_bytes = 0;  // now
  std::uint64_t not_resident = 0;        // reads that had to wait for a block

  // What is deleted, overwritten or has expired and still takes space in tables, now.
  std::uint64_t tombstones = 0;
  std::uint64_t obsolete_entries = 0;  // tombstones, and values that newer entries hide; those that have
                                       // expired count only from when compaction has met them
  std::uint64_t obsolete_bytes = 0;    // about what these take
  std::chrono::milliseconds obsolete_age{0};  // how long the oldest deletion or expiry has been waiting; an
                                              // upper bound

  std::string shape;         // now, for people: what compaction aims at
  std::string shape_reason;  // of its last change
  std::uint64_t shape_changes = 0;
  std::uint64_t damaged_tables = 0;  // now: they cannot be read, and compaction goes around them
  std::vector<LevelStats> levels;
  std::optional<BtreeStats> btree;  // of a B+ tree
};

class Engine {
 public:
  virtual ~Engine() = default;

  // Absence is an answer, not an error. The view is valid until the next call on the engine, or until the
  // mutex is released. Errors: not_resident, corruption, io.
  virtual Result<std::optional<BytesView>> get(const HashedKey& key, ReadContext& context) = 0;

  // Hints that get or put of this key is about to come: starts fetching its memory into the processor's
  // caches. Two steps, because the second needs what the first fetched; each costs nanoseconds and changes
  // nothing.
  virtual void prefetch_index(const HashedKey& key) const = 0;
  virtual void prefetch_record(const HashedKey& key) const = 0;

  // Whether writes of about `bytes` may be applied now: success, or Error{busy} while the background must
  // catch up, or the Error that stopped the engine. Ask before the record goes to the log; after it, put and
  // erase do not fail.
  virtual Status admit_write(std::size_t bytes) = 0;
  // How long whoever is about to write `bytes` should pause after it, so that background work keeps up
  // without ever stopping anyone; at most a quarter of a second. Ask once per write: it is counted as made.
  virtual std::chrono::microseconds write_delay(std::size_t bytes) = 0;

  // `lsn` is the log record this write is part of and never decreases from call to call.
  virtual void put(const HashedKey& key, BytesView value, Lsn lsn) = 0;
  virtual void erase(const HashedKey& key, Lsn lsn) = 0;
  // Whole classes of records have become obsolete (see KeyPolicy::is_live_class) with the log record `lsn`:
  // starts giving their space back in the background, once that record is durable.
  virtual void reclaim_obsolete(Lsn lsn) = 0;

  // `context` and the bytes of the bounds must outlive the cursor.
  virtual std::unique_ptr<Cursor> cursor(CursorBounds bounds, ReadContext& context) = 0;

  // Everything up to here survives without the log. What oldest_unpersisted_lsn() names is the first record
  // the log still has to keep for this engine, if there is one.
  virtual Lsn persisted_lsn() const = 0;
  virtual std::optional<Lsn> oldest_unpersisted_lsn() const = 0;
  // Starts persisting all that has been applied so far, in the background.
  virtual void flush() = 0;
  // For an engine that is about to be replaced by others: no background work begins any more, and what has
  // begun comes to its end or is given up. Reads and writes go on; what is written stays in memory.
  virtual void stop_work() = 0;
  // Whether none is running any more that changes the engine's files. False without stop_work().
  virtual bool work_stopped() const = 0;
  // It is not replaced after all.
  virtual void resume_work() = 0;
  // To be called about ten times a second: adapts the engine's shape, and starts what is due by time.
  virtual void tick() = 0;

  // A key that has about half of the data below it, if there is one: in microseconds, and so not exact.
  virtual std::optional<Bytes> middle_key() const = 0;

  // Live keys in `count_class` (see KeyPolicy), expired ones included until they are dropped.
  virtual std::int64_t key_count(std::uint32_t count_class) const = 0;

  virtual EngineStats stats() const = 0;
};

// The write-ahead rule, as engines keep it: before an engine's own files say that a record is persisted, or
// forget what it made obsolete, the log must be durable up to that record.
class LogBarrier {
 public:
  virtual ~LogBarrier() = default;
  // Waits until the log is durable up to and including `lsn`. Called on background threads. An Error is
  // final.
  virtual Status wait_until_durable(Lsn lsn) = 0;
};

// What the owner of an engine knows about its keys and values, asked by the engine where it matters. Must be
// thread-safe: background jobs ask too.
class KeyPolicy {
 public:
  virtual ~KeyPolicy() = default;
  // Keys are counted per class; a small number of classes at any time.
  virtual std::uint32_t count_class(BytesView key) const = 0;
  // False once every record of the class is obsolete, for ever.
  virtual bool is_live_class(std::uint32_t count_class) const = 0;
  // From when on the record may be forgotten, in Unix milliseconds: when it expires; 0 if it may go already,
  // kNeverObsolete if it stays. Must always be the same, and reads by the owner must treat the record as
  // absent from then on. Of a large value only the beginning may be given, as Cursor::head().
  virtual std::int64_t obsolete_from_ms(BytesView key, BytesView value) const = 0;

  static constexpr std::int64_t kNeverObsolete = INT64_MAX;
};

}  // namespace shale::engine
