// All hints of keys that expire, in the order of when they are to be looked at.
//
// Time is divided into slots: those that are near 64 ms wide, farther ones a 32nd of their distance. What is
// near or far changes as time goes by: when a slot begins, it is opened, and what is not due yet goes to
// narrower ones. A slot is a set of chunks of some hundred hints each; the one that is being filled is in
// memory, the others are records of an LSM tree of the store's own, so memory holds one chunk for each slot
// and the memtable's, whatever expires.
//
//   I1  Every hint of a log record up to covered_lsn is in the tree, or has been dealt with by a record that
//       the log has. The tree's writes have that number, and the log is kept from there on: so a start gets
//       the other hints from the log.
//   I2  A chunk that has been opened stays in the tree until what was in it is again, or has been dealt with.
//
// Chunks have the keys (with the placement's prefix, of a database that does not exist):
//   begin of the slot: u64 big-endian  XXH3-64 of the hints: u64
// and, before all others, one without any of it has the counts. docs/expiry.md.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "cluster/expiry_hint.h"
#include "engine/engine.h"
#include "engine/io/background.h"

namespace shale::cluster {

// What is known of the hints of one database.
struct ExpiryCount {
  std::int64_t hints = 0;
  double due_s_sum = 0;  // of their due times, Unix seconds
};

// Thread-safe, but for open(). Its mutex is taken last: after a shard's, if one is held (at start).
class ExpiryCalendar {
 public:
  ExpiryCalendar(Placement placement, const engine::Clock& clock) : placement_(placement), clock_(clock) {}

  // The number of its tree, which no shard's has, and the class of all its keys.
  static constexpr std::uint32_t kTree = UINT32_MAX;
  static constexpr DatabaseId kClass = UINT32_MAX;

  std::mutex& mutex() { return mutex_; }  // the tree's owner's
  // Waits for the disk. Errors: those of reading.
  engine::Status open(std::shared_ptr<engine::Engine> tree);

  // New hints: append_hint() made each.
  void add(BytesView hints) { place(hints, true); }
  // Hints that take_due() has given, to be given again: when due, if that is still to come, or in a moment.
  void put_back(BytesView hints) { place(hints, false); }
  // Those that take_due() has given have been dealt with.
  void remove(std::span<const ExpiryHint> hints);

  // Appends hints that are to be looked at now to `due`, not many more than fit into `bytes_max`. True if
  // there may be more. Errors: not_resident (`context` says what to load), corruption, io; what has been
  // appended counts.
  engine::Result<bool> take_due(Bytes& due, std::size_t bytes_max, engine::ReadContext& context);

  // Says that add() has had the hints of all records up to `lsn`, and that nothing take_due() has given is
  // still being looked at. Stores full chunks, and now and then, or if `all` is asked for, everything that is
  // in memory. If the tree cannot take it now, the next call tries again.
  void cover(engine::Lsn lsn, bool all);
  // The first record of the log that is still needed for hints.
  engine::Lsn log_needed_from() const;
  engine::Lsn persisted_lsn() const;
  void flush();  // has everything stored persisted, in the background
  void tick();   // engine::Engine::tick()

  // Whether many hints are of values that have been written over since. Then new ones are looked at early,
  // and go if it is so.
  void set_crowded(bool crowded);
  ExpiryCount count(DatabaseId database) const;
  std::int64_t hint_count() const;     // of all
  std::uint64_t memory_bytes() const;  // of chunks that are not in the tree
  std::int64_t stored_chunks() const;  // in the tree

 private:
  using Chunk = std::pair<std::int64_t, Bytes>;  // begin of its slot

  void place(BytesView hints, bool are_new);
  void place_one(const ExpiryHint& hint, std::int64_t now_ms);
  void open_chunk(BytesView hints, std::int64_t now_ms, Bytes& due);
  void take_from_memory(std::int64_t now_ms, Bytes& due);
  engine::Result<bool> take_from_tree(std::int64_t now_ms, Bytes& due, std::size_t bytes_max,
                                      engine::ReadContext& context);
  bool has_room(bool for_all);
  void store(const Chunk& chunk);
  void store_full_chunks();
  void store_all(engine::Lsn lsn);
  void store_counts();
  void note_unpersisted();
  void decode_counts(BytesView stored);
  Bytes key_of(std::int64_t slot_ms, std::uint64_t hash) const;
  Bytes counts_key() const;
  std::int64_t slot_of(BytesView key) const;

  const Placement placement_;
  const engine::Clock& clock_;
  mutable std::mutex mutex_;  // guards what follows
  std::shared_ptr<engine::Engine> tree_;
  std::map<std::int64_t, Bytes> filling_;  // by the begin of their slots
  std::vector<Chunk> full_;                // on their way to the tree
  std::set<Bytes> opened_;                 // I2: keys of chunks that are to be erased
  Bytes read_from_;                        // no chunk below it is unopened
  std::int64_t next_stored_ms_ = 0;        // no slot in the tree begins before, but for opened chunks
  std::map<DatabaseId, ExpiryCount> counts_;
  bool counts_changed_ = false;
  bool counts_stored_ = false;  // ever
  bool crowded_ = false;
  engine::Lsn covered_lsn_ = 0;
  engine::Lsn unpersisted_from_ = 0;  // first record whose hints are only in the tree's memory, if any are
  std::chrono::steady_clock::time_point last_all_{};  // when everything was stored
};

}  // namespace shale::cluster
