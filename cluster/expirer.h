// Erases keys that have expired, soon after they have, whether somebody reads them or not.
//
// A thread of the store's makes rounds: fetch the hints of what has been written, put them in the calendar,
// take out those that are due, and look at the keys themselves, some dozens at a time under their shards'
// locks. A value that has expired is erased as a command would erase it; one that expires at another time
// than the hint says was written since, and has a hint of its own. docs/expiry.md.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "cluster/expiry_calendar.h"
#include "cluster/expiry_inbox.h"
#include "cluster/transaction.h"
#include "engine/result.h"

namespace shale::cluster {

class Store;

// Thread-safe.
class Expirer {
 public:
  explicit Expirer(Store& store);

  // Called for every key that has been erased because it had expired, after its record is in the log: by the
  // thread that makes rounds, without any shard's lock. Set before there are any rounds, or with none.
  using Listener = std::function<void(unsigned database, BytesView key)>;
  void on_expired(Listener listener);
  // Likewise, with how long a shard's lock was held to look at some keys.
  void on_hold(std::function<void(std::chrono::nanoseconds)> listener);

  // While it is off, keys that have expired are absent as ever, but nothing is erased.
  void set_active(bool active) { active_.store(active, std::memory_order_relaxed); }
  bool active() const { return active_.load(std::memory_order_relaxed); }
  // Nothing is erased before this time either; a time that is over ends the pause.
  void pause_until(std::chrono::steady_clock::time_point end) {
    paused_until_.store(end.time_since_epoch().count(), std::memory_order_relaxed);
  }

  // Makes rounds until it is asked to stop.
  void run(const std::stop_token& stop);
  // One round; tests call it. Waits for disks. True if there may be more to do at once. Errors: those of the
  // log and the engines that have kept it from erasing; nothing is forgotten.
  engine::Result<bool> round();

  // Takes note of what has been written, so that the log can be trimmed; does nothing while a round goes on.
  void try_cover();
  // Has everything persisted that keeps the log from being trimmed, in the background; else as try_cover().
  void try_flush();
  // At start: a record of the log has put a value that expires at `position`, and the end of that record.
  // `applies`: the value's shard has not persisted it, and so has it again.
  void replay(engine::Lsn lsn, std::int64_t due_ms, BytesView position, bool applies);
  void end_replayed_record(engine::Lsn lsn);

  ExpiryInbox& inbox() { return inbox_; }
  ExpiryCalendar& calendar() { return calendar_; }
  // How many have been erased, since the start or reset_stats().
  std::uint64_t expired_keys() const { return expired_keys_.load(std::memory_order_relaxed); }
  void reset_stats() { expired_keys_.store(0, std::memory_order_relaxed); }

 private:
  struct Look {
    ExpiryHint hint;
    ShardId shard{};
    std::uint64_t place = 0;  // the first bytes of the position: most comparisons need no more
  };
  enum class Outcome : std::uint8_t { done, erased, again, missing };

  void drain(bool stores_all = false);
  void take_in();
  void note_crowding();
  void route(BytesView hints);
  engine::Status look_at_all();
  engine::Status look_at(std::span<Look> looks);
  engine::Result<bool> try_look_at(std::span<Look> looks, std::vector<Outcome>& outcomes);
  Outcome look_at_one(std::size_t index, const ExpiryHint& hint);
  std::span<Look> settle(std::span<Look> looks, const std::vector<Outcome>& outcomes);
  void note_expired(std::size_t index, const ExpiryHint& hint);
  void put_back(std::span<const Look> looks);
  std::optional<unsigned> number_of(DatabaseId database) const;

  Store& store_;
  ExpiryInbox inbox_;
  ExpiryCalendar calendar_;
  bool may_erase() const;

  std::atomic<bool> active_ = true;
  std::atomic<std::chrono::steady_clock::rep> paused_until_ = 0;
  std::atomic<std::uint64_t> expired_keys_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> flush_wanted_ = false;

  std::mutex round_mutex_;  // one round at a time; guards what follows
  Listener listener_;
  std::function<void(std::chrono::nanoseconds)> hold_listener_;
  ShardLocks locks_;
  Transaction transaction_;
  Bytes arrived_;
  Bytes due_;
  std::vector<Look> looks_;  // of due_
  std::array<DatabaseId, kDatabaseCount> databases_{};
  std::chrono::steady_clock::time_point crowding_noted_{};
  Bytes replayed_;                  // of one record
  std::size_t replayed_bytes_ = 0;  // since everything was stored
};

}  // namespace shale::cluster
