// How a command works on the store: take the locks of the shards its keys live in, read, buffer writes,
// commit.
//
// A batch of pipelined commands takes the locks once (ShardLocks) and then runs one Transaction per command.
// A Transaction's writes are one log record, so they survive a crash whole or not at all, and become visible
// together. EXEC runs several commands as one Transaction (docs/transactions.md). Both classes are reused
// from batch to batch by their owner and allocate nothing in steady state. Not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <unordered_map>
#include <vector>

#include "cluster/access_draw.h"
#include "cluster/log_records.h"
#include "cluster/position.h"
#include "cluster/shard.h"
#include "cluster/store.h"
#include "engine/engine.h"
#include "engine/large/staged_large_value.h"

namespace shale::cluster {

class ShardLocks {
 public:
  explicit ShardLocks(Store& store) : store_(store) {}
  ~ShardLocks() { unlock(); }
  ShardLocks(const ShardLocks&) = delete;
  ShardLocks& operator=(const ShardLocks&) = delete;

  // Declares a key of a database, as SELECT numbers them; returns its index. `key` must stay where it is
  // until clear(). Only while nothing is locked, or behind lock_all().
  std::size_t add(unsigned database, BytesView key);
  std::size_t key_count() const { return keys_.size(); }
  // From here on until clear(), a key that is declared again is known to be the same (first_of).
  void share_keys() { shares_keys_ = true; }
  // Takes the locks of all declared keys' shards, in the order of shard ids, and starts fetching the memory
  // of every key. If the map or a database's identity has changed meanwhile, the keys are routed again.
  void lock();
  // The same with the locks of all shards there are, whatever is declared.
  void lock_all();
  bool holds_all() const { return holds_all_; }
  const std::vector<Shard*>& locked_shards() const { return shards_; }
  // Behind lock_all(): keys that are declared from here on are those of databases with these identities,
  // which stay where they are until clear().
  void use_identities(const DatabaseIds& identities) { identities_ = &identities; }
  // Behind lock_all(): the same with a name that is kept here until clear().
  std::size_t add_kept(unsigned database, BytesView key) {
    return add(database, kept_names_.emplace_back(key));
  }
  // Behind lock_all(), when this thread has changed the map: finds who owns the keys now.
  void find_owners();
  void unlock();  // fine if not locked
  void clear();   // unlocks and forgets the keys

  // One run of lock() to unlock() in so many is timed (ShardStats::busy_ns). At random, so that no pattern of
  // the clients' goes unseen.
  static constexpr unsigned kTimedStride = 32;
  // A command has been executed, whose keys are the `count` from `first` on: it has taken the time since the
  // one before it.
  void note_executed(std::size_t first, std::size_t count) {
    if (timed_ && count != 0) shard(first).execution_times.note(count_time(first, count), timed_until_);
  }

  bool locked() const { return locked_; }
  engine::HashedKey key(std::size_t index) const;  // its position
  std::uint64_t hash(std::size_t index) const { return keys_[index].hash; }
  BytesView name(std::size_t index) const { return keys_[index].name; }
  unsigned database(std::size_t index) const { return keys_[index].database; }
  // The first index under which the same key has been declared: `index` itself unless keys are shared.
  std::size_t first_of(std::size_t index) const { return firsts_.empty() ? index : firsts_[index]; }
  Shard& shard(std::size_t index) const { return *keys_[index].shard; }
  // For how many accesses that of this key stands in samples; 0: it is none of those that are looked at.
  unsigned access_weight(std::size_t index) const { return draw_.weight(index); }

 private:
  struct RoutedKey {
    BytesView name;  // as the client gave it
    unsigned database;
    std::uint32_t position_offset;  // into positions_
    std::uint32_t position_length;
    std::uint64_t hash;  // engine::hash_bytes of the position
    Shard* shard;
  };
  void route(RoutedKey& key);
  void route_all();
  void note_first(std::size_t index);
  void lock_shards();
  void begin_timing();
  // Counts the time since the last call as that of these keys' shards, and returns it.
  std::chrono::nanoseconds count_time(std::size_t first, std::size_t count);

  Store& store_;
  std::uint64_t epoch_ = 0;  // of the store, when the keys were routed
  std::shared_ptr<const Layout> layout_;
  Bytes positions_;
  std::vector<RoutedKey> keys_;
  std::deque<Bytes> kept_names_;
  bool shares_keys_ = false;
  std::vector<std::uint32_t> firsts_;  // by key; empty unless keys are shared
  std::unordered_multimap<std::uint64_t, std::uint32_t> first_by_hash_;
  std::vector<Shard*> shards_;  // distinct, in lock order
  bool locked_ = false;
  bool holds_all_ = false;
  const DatabaseIds* identities_ = nullptr;  // null: the store's
  bool timed_ = false;
  unsigned runs_until_timed_ = 1;
  std::minstd_rand random_;
  AccessDraw draw_;
  std::chrono::steady_clock::time_point timed_until_;
};

class Transaction {
 public:
  Transaction(Store& store, ShardLocks& locks) : store_(store), locks_(locks) {}

  // Reads see the transaction's own writes. `declared` is one of ShardLocks' keys; it must be locked.
  // The view is valid until the next call on the transaction, or until the locks are released.
  engine::Result<std::optional<BytesView>> get(std::size_t declared);
  // The same, but looking at the key is no access: it is not counted.
  engine::Result<std::optional<BytesView>> look(std::size_t declared);
  // How often the key has been accessed of late, of all clients (hot_keys.h).
  double accesses_per_second(std::size_t declared) const;
  // Later writes of one index replace earlier ones. `value` is copied.
  void put(std::size_t declared, BytesView value);
  // A large value, of which `header` is the beginning that is stored with its reference. `staged` has all its
  // bytes.
  void put_large(std::size_t declared, BytesView header, std::shared_ptr<engine::StagedLargeValue> staged);
  void erase(std::size_t declared);
  // Completes the files of the large values that have been put, so that the transaction's own reads find
  // them; commit() does it by itself. Errors: not_resident until that has been done, as reads().missing will
  // do it; io, no_space.
  engine::Status finish_large_values();

  // Whether the key is to be written, as far as it goes.
  bool writes(std::size_t declared) const { return pending_write(locks_.first_of(declared)) != nullptr; }

  // Behind ShardLocks::lock_all():

  // Empties databases, as SELECT numbers them: at once for what the transaction does from here on, for all
  // others with the commit. Error: unsupported (a database has been emptied too often).
  engine::Status empty_databases(unsigned first, unsigned count);
  // Exchanges two databases, likewise.
  void swap_databases(unsigned a, unsigned b);
  // Whether the database has, with the commit, none of the keys that it had before, or others'.
  bool replaces(unsigned database) const { return empties(database) || (swapped_ >> database & 1) != 0; }
  bool empties(unsigned database) const;
  bool empties_any() const { return emptied_ != 0; }
  DatabaseId database_id(unsigned database) const;
  // As Store::key_count, with the transaction's writes. Errors: not_resident, corruption, io.
  engine::Result<std::int64_t> key_count(unsigned database);
  // Keys of the shard that are of the database: all that are stored, and all that the transaction puts.
  std::int64_t key_count_at_most(const Shard& shard, unsigned database) const;
  // A cursor of a shard's engine that sees the transaction's writes. Lives until the next of them; the bytes
  // of the bounds must outlive it.
  std::unique_ptr<engine::Cursor> cursor(Shard& shard, const engine::CursorBounds& bounds);

  // Makes the writes happen: log, then engines. Returns the record's Lsn, or 0 if there was nothing to write.
  // On an Error nothing has changed. busy: release the locks and try again shortly. not_resident: a large
  // value is not durable yet, as reads().missing will make it.
  engine::Result<engine::Lsn> commit();
  // Forgets buffered writes, what reads lacked and what they held; keeps the locks.
  void reset();

  // What has been written so far, to be given up again if one command of several fails.
  struct Savepoint {
    std::size_t writes;
    std::size_t payload_bytes;
    std::size_t staged;
  };  // emptied and swapped databases stay so: nothing fails behind that
  Savepoint savepoint() const { return {writes_.size(), payload_.size(), staged_.size()}; }
  void roll_back(const Savepoint& savepoint);

  // Calls visit(index) for the key of every write, in their order; until reset().
  template <class Visit>
  void for_each_write(Visit visit) const {
    for (const Write& write : writes_) visit(std::size_t{write.key_index});
  }
  // Reads and writes are the store's own: they are no load, and make no key hot.
  void set_unnoticed() { noticed_ = false; }

  engine::ReadContext& reads() { return reads_; }
  Store& store() { return store_; }
  bool has_writes() const { return !writes_.empty() || identities_.has_value(); }
  // The longest pause that an engine written to since the last call wants its writers to make.
  std::chrono::microseconds take_write_delay();

 private:
  struct Write {
    std::uint32_t key_index;
    bool erases;
    std::size_t value_offset;  // into payload_
    std::size_t value_length;
  };
  std::uint64_t value_bytes(BytesView stored) const;  // of the value itself, if it is a large one
  void note_hot_read(std::size_t index, BytesView stored);
  const Write* pending_write(std::size_t index) const;
  void remember(Write write);
  void leave_expiry_hints();
  void note_read(std::size_t index, const engine::Result<std::optional<BytesView>>& found);
  void note_write(const Write& write);
  void index_writes();
  engine::Status admit();
  engine::Status admit(Shard& shard);
  void apply(const Write& write, std::size_t number, engine::Lsn lsn);
  // What of large values changes with this write, which has been made with the record `lsn`.
  void note_large_values(const Write& write, std::size_t number, engine::Lsn lsn);

  struct StagedWrite {
    std::size_t number;  // of the write
    std::shared_ptr<engine::StagedLargeValue> value;
  };

  Store& store_;
  ShardLocks& locks_;
  engine::ReadContext reads_;
  Bytes payload_;  // the log record under construction
  std::vector<Write> writes_;
  std::vector<StagedWrite> staged_;  // in the order of the writes
  std::vector<std::uint32_t>
      newest_write_;  // by key index: 1 + index into writes_, or 0; empty while writes are few
  void change_identity(const IdentityChange& change);

  std::optional<DatabaseIds> identities_;  // all databases', if some have changed
  std::vector<IdentityChange> identity_changes_;
  std::uint32_t emptied_ = 0;  // a bit for each
  std::uint32_t swapped_ = 0;  // likewise
  std::chrono::microseconds write_delay_{0};
  bool noticed_ = true;
};

}  // namespace shale::cluster
