#include "cluster/expiry_inbox.h"

#include <cstring>

namespace shale::cluster {

std::size_t ExpiryInbox::place_number() {
  static std::atomic<std::size_t> threads = 0;
  thread_local const std::size_t number = threads.fetch_add(1, std::memory_order_relaxed) % kPlaces;
  return number;
}

void ExpiryInbox::add(std::int64_t due_ms, const engine::HashedKey& position) {
  Place& place = mine();
  const std::lock_guard lock{place.mutex};
  std::uint32_t& newest = place.newest[position.hash % kNewestKeys];
  if (newest != 0) {
    BytesView from = BytesView{place.hints}.substr(newest - 1);
    // An earlier time gets a hint of its own: should its write fail, the later one is still known.
    const auto known = take_hint(from);
    if (known->position == position.bytes && due_ms >= known->due_ms) {
      std::memcpy(place.hints.data() + newest - 1, &due_ms, sizeof due_ms);
      return;
    }
  }
  newest = static_cast<std::uint32_t>(place.hints.size() + 1);
  append_hint({due_ms, 0, position.bytes}, place.hints);
  place.bytes.store(place.hints.size(), std::memory_order_relaxed);
}

void ExpiryInbox::drain(Bytes& to) {
  for (Place& place : places_) {
    const std::lock_guard lock{place.mutex};
    if (place.hints.empty()) continue;
    to.append(place.hints);
    place.hints.clear();
    place.newest.fill(0);
    place.bytes.store(0, std::memory_order_relaxed);
  }
}

}  // namespace shale::cluster
