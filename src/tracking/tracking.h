// CLIENT TRACKING: tells clients that cache what they have read when it changes.
//
// Readers register, and writers look up, under the lock of the key's shard (TrackingTable). Broadcasting
// clients are told by prefix instead, of all that a run of commands has changed at once, when its locks have
// been released. While nobody tracks, a command pays for one comparison.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/config.h"
#include "src/pubsub/pubsub.h"
#include "src/tracking/tracked_client.h"
#include "src/tracking/tracking_table.h"

namespace shale::server {

// Thread-safe.
class Tracking {
 public:
  // Of memory for connections, the table may take so many bytes. The others outlive it.
  Tracking(PubSub& pubsub, const Config& config, std::uint64_t table_bytes_max)
      : pubsub_(pubsub), config_(config), table_bytes_max_(table_bytes_max) {}

  // On the client's thread: it begins to track, also hears of these prefixes, and tracks no longer.
  void begin(const std::shared_ptr<TrackedClient>& client);
  void add_prefixes(const std::shared_ptr<TrackedClient>& client, std::span<const std::string> prefixes);
  void end(const std::shared_ptr<TrackedClient>& client);

  // Whether anybody tracks. Exact for a key whose shard's lock the caller holds.
  bool any() const { return client_count() != 0; }
  std::size_t client_count() const { return clients_.load(std::memory_order_relaxed); }

  // The client has read the key. Under the lock of its shard.
  void note_read(std::string_view key, const std::shared_ptr<TrackedClient>& client);
  // The key has been written, by the client `writer` (0: by none). Under the lock of its shard. Broadcasting
  // clients are to be told by broadcast().
  void note_write(std::string_view key, std::uint64_t writer);

  bool broadcasts() const { return prefix_count() != 0; }
  // Keys, each named once, that have been written by `writer`. Without locks.
  void broadcast(std::span<const std::string_view> keys, std::uint64_t writer);
  // All keys of a database have gone: everybody forgets everything.
  void note_flush();

  // Gives up keys beyond tracking-table-max-keys.
  void trim();
  void redirection_is_broken(const TrackedClient& client);

  std::size_t key_count() const { return table_.key_count(); }
  std::size_t item_count() const { return table_.item_count(); }
  std::size_t prefix_count() const { return prefix_count_.load(std::memory_order_relaxed); }

 private:
  using Clients = TrackingTable::Clients;
  void tell(const std::shared_ptr<TrackedClient>& client, std::span<const std::string_view> keys);
  void tell_all(const Clients& clients, std::string_view key, std::uint64_t writer);

  PubSub& pubsub_;
  const Config& config_;
  const std::uint64_t table_bytes_max_;
  TrackingTable table_;
  std::atomic<std::size_t> clients_ = 0;
  std::atomic<std::size_t> prefix_count_ = 0;

  std::mutex mutex_;  // guards what follows
  std::map<std::string, Clients, std::less<>> prefixes_;
  Clients all_clients_;
};

}  // namespace shale::server
