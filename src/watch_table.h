// Which keys clients watch (WATCH), so that whoever changes one can tell them. Bounded; and as long as nobody
// watches, a change costs one comparison.
//
// A client begins to watch a key, and a key is changed, under the lock of the key's shard: so no change falls
// between what WATCH has seen of the key and the watching. EXEC decides under the locks of all watched keys.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "src/value.h"

namespace shale::server {

class Watches;

// What a key was when its client began to watch it.
struct WatchedState {
  bool present = false;  // and had not expired: an expired key that goes has not changed
  std::int64_t expires_at_ms = kNoExpiry;
};

// Thread-safe.
class WatchTable {
 public:
  // Keys of all clients together may take so many bytes.
  explicit WatchTable(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}
  WatchTable(const WatchTable&) = delete;
  WatchTable& operator=(const WatchTable&) = delete;

  // Whether anybody watches any key. Exact for a key whose shard's lock the caller holds.
  bool any() const { return count_.load(std::memory_order_relaxed) != 0; }
  std::size_t count() const { return count_.load(std::memory_order_relaxed); }

  // A key of a database, as SELECT numbers them, has been written: set, changed, deleted. Under the lock of
  // its shard.
  void touch(unsigned database, BytesView name);
  // All keys of a database have gone, or it has another's: whoever watches one that was there is told. Under
  // all shards' locks.
  void touch_replaced(unsigned database);
  // Names of keys of the database that are watched and were not there. Under all shards' locks.
  std::vector<Bytes> watched_absent(unsigned database);

 private:
  friend class Watches;
  struct Watch {
    std::uint64_t hash;
    unsigned database;
    Bytes name;
    WatchedState state;
    std::atomic<bool>* touched;
  };
  struct Stripe {
    std::atomic<std::size_t> count = 0;
    std::mutex mutex;  // guards what follows
    std::unordered_multimap<std::uint64_t, Watch*> by_hash;
  };
  static constexpr std::size_t kStripes = 64;

  static std::uint64_t hash_of(unsigned database, BytesView name);
  static std::size_t bytes_of(const Watch& watch) { return sizeof(Watch) + 64 + watch.name.size(); }
  Stripe& stripe_of(std::uint64_t hash) { return stripes_[hash % kStripes]; }
  bool has(const Watch& watch);  // whether the same client watches the same key
  bool add(Watch& watch);
  void remove(Watch& watch);

  const std::uint64_t bytes_max_;
  std::atomic<std::uint64_t> bytes_ = 0;
  std::atomic<std::size_t> count_ = 0;
  std::array<Stripe, kStripes> stripes_;
};

// One client's watched keys. Used by its thread; the table sets `touched`, which outlives the watches.
class Watches {
 public:
  Watches(WatchTable& table, std::atomic<bool>& touched) : table_(table), touched_(touched) {}
  ~Watches() { clear(); }
  Watches(const Watches&) = delete;
  Watches& operator=(const Watches&) = delete;

  // Under the lock of the key's shard. Keeps what is known of a key that is watched already. False if the
  // table is full.
  [[nodiscard]] bool add(unsigned database, BytesView name, const WatchedState& state);
  // Nothing is watched any more, and nothing has been touched.
  void clear();

  std::size_t size() const { return watches_.size(); }
  // Whether a watched key has been changed, or has expired since the client began to watch it.
  bool has_failed(std::int64_t now_ms) const;
  // Calls visit(database, name) for every key. The names stay until clear().
  template <class Visit>
  void for_each(Visit visit) const {
    for (const auto& watch : watches_) visit(watch->database, BytesView{watch->name});
  }

 private:
  WatchTable& table_;
  std::atomic<bool>& touched_;
  std::vector<std::unique_ptr<WatchTable::Watch>> watches_;
};

}  // namespace shale::server
