#include "src/tracking/tracking_table.h"

#include <algorithm>

namespace shale::server {
namespace {

// A node of the hash table with its strings.
constexpr std::size_t kKeyBytes = 112;
constexpr std::size_t kItemBytes = sizeof(std::shared_ptr<TrackedClient>);

}  // namespace

void TrackingTable::add(std::string_view key, const std::shared_ptr<TrackedClient>& client) {
  Stripe& stripe = stripe_of(key);
  const std::lock_guard lock{stripe.mutex};
  auto found = stripe.clients.find(key);
  if (found == stripe.clients.end()) {
    found = stripe.clients.emplace(std::string{key}, Clients{}).first;
    keys_.fetch_add(1, std::memory_order_relaxed);
    bytes_.fetch_add(kKeyBytes + key.size(), std::memory_order_relaxed);
  } else if (std::ranges::find(found->second, client) != found->second.end()) {
    return;
  }
  Clients& clients = found->second;
  if (clients.size() == clients.capacity()) {  // before it grows: whoever has gone does not come back
    const std::size_t gone = std::erase_if(clients, [](const auto& other) { return !other->is_active(); });
    items_.fetch_sub(gone, std::memory_order_relaxed);
    bytes_.fetch_sub(gone * kItemBytes, std::memory_order_relaxed);
  }
  clients.push_back(client);
  items_.fetch_add(1, std::memory_order_relaxed);
  bytes_.fetch_add(kItemBytes, std::memory_order_relaxed);
}

void TrackingTable::note_gone(std::string_view key, const Clients& clients) {
  keys_.fetch_sub(1, std::memory_order_relaxed);
  items_.fetch_sub(clients.size(), std::memory_order_relaxed);
  bytes_.fetch_sub(kKeyBytes + key.size() + clients.size() * kItemBytes, std::memory_order_relaxed);
}

TrackingTable::Clients TrackingTable::take(std::string_view key) {
  if (key_count() == 0) return {};
  Stripe& stripe = stripe_of(key);
  const std::lock_guard lock{stripe.mutex};
  const auto found = stripe.clients.find(key);
  if (found == stripe.clients.end()) return {};
  Clients clients = std::move(found->second);
  note_gone(key, clients);
  stripe.clients.erase(found);
  return clients;
}

void TrackingTable::clear() {
  for (Stripe& stripe : stripes_) {
    const std::lock_guard lock{stripe.mutex};
    for (const auto& [key, clients] : stripe.clients) note_gone(key, clients);
    stripe.clients.clear();
  }
}

std::optional<std::pair<std::string, TrackingTable::Clients>> TrackingTable::take_surplus(
    std::size_t keys_max, std::size_t bytes_max) {
  for (std::size_t tries = 0; tries < kStripes; ++tries) {
    if (key_count() <= keys_max && memory_bytes() <= bytes_max) return std::nullopt;
    Stripe& stripe = stripes_[next_surplus_stripe_.fetch_add(1, std::memory_order_relaxed) % kStripes];
    const std::lock_guard lock{stripe.mutex};
    if (stripe.clients.empty()) continue;
    auto node = stripe.clients.extract(stripe.clients.begin());
    note_gone(node.key(), node.mapped());
    return std::pair{std::move(node.key()), std::move(node.mapped())};
  }
  return std::nullopt;
}

}  // namespace shale::server
