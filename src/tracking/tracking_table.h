// Which clients have read which keys and would like to hear when they change. A key is registered, and a
// change of it is looked up, under the lock of the key's shard: so no change falls between what a client has
// read and its registration. Database numbers play no part, as in Redis. Bounded: beyond the limit a key is
// given up, and its clients are told as if it had changed.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "src/tracking/tracked_client.h"

namespace shale::server {

// Thread-safe.
class TrackingTable {
 public:
  using Clients = std::vector<std::shared_ptr<TrackedClient>>;

  void add(std::string_view key, const std::shared_ptr<TrackedClient>& client);
  // Those who have registered for the key, who have to register again.
  Clients take(std::string_view key);
  void clear();
  // A key, with its clients, that is to be given up because there are more than `keys_max` keys or
  // `bytes_max` bytes.
  std::optional<std::pair<std::string, Clients>> take_surplus(std::size_t keys_max, std::size_t bytes_max);

  std::size_t key_count() const { return keys_.load(std::memory_order_relaxed); }
  std::size_t item_count() const {
    return items_.load(std::memory_order_relaxed);
  }  // pairs of key and client
  std::size_t memory_bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  struct Stripe {
    std::mutex mutex;  // guards the map
    std::unordered_map<std::string, Clients, Hash, std::equal_to<>> clients;
  };
  static constexpr std::size_t kStripes = 64;
  Stripe& stripe_of(std::string_view key) { return stripes_[Hash{}(key) % kStripes]; }
  void note_gone(std::string_view key, const Clients& clients);

  std::array<Stripe, kStripes> stripes_;
  std::atomic<std::size_t> keys_ = 0;
  std::atomic<std::size_t> items_ = 0;
  std::atomic<std::size_t> bytes_ = 0;
  std::atomic<std::size_t> next_surplus_stripe_ = 0;
};

}  // namespace shale::server
