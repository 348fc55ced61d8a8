#include "src/watch_table.h"

#include <algorithm>
#include <utility>

namespace shale::server {

std::uint64_t WatchTable::hash_of(unsigned database, BytesView name) {
  constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;
  return engine::hash_bytes(name) + database * kOdd;
}

bool WatchTable::add(Watch& watch) {
  const std::size_t bytes = bytes_of(watch);
  if (bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes > bytes_max_) {
    bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    return false;
  }
  Stripe& stripe = stripe_of(watch.hash);
  const std::lock_guard lock{stripe.mutex};
  stripe.by_hash.emplace(watch.hash, &watch);
  stripe.count.fetch_add(1, std::memory_order_relaxed);
  count_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void WatchTable::remove(Watch& watch) {
  Stripe& stripe = stripe_of(watch.hash);
  const std::lock_guard lock{stripe.mutex};
  const auto [begin, end] = stripe.by_hash.equal_range(watch.hash);
  const auto own = std::find_if(begin, end, [&](const auto& entry) { return entry.second == &watch; });
  stripe.by_hash.erase(own);
  stripe.count.fetch_sub(1, std::memory_order_relaxed);
  count_.fetch_sub(1, std::memory_order_relaxed);
  bytes_.fetch_sub(bytes_of(watch), std::memory_order_relaxed);
}

void WatchTable::touch(unsigned database, BytesView name) {
  const std::uint64_t hash = hash_of(database, name);
  Stripe& stripe = stripe_of(hash);
  if (stripe.count.load(std::memory_order_relaxed) == 0) return;
  const std::lock_guard lock{stripe.mutex};
  const auto [begin, end] = stripe.by_hash.equal_range(hash);
  for (auto entry = begin; entry != end; ++entry) {
    const Watch& watch = *entry->second;
    if (watch.database != database || BytesView{watch.name} != name) continue;
    watch.touched->store(true, std::memory_order_relaxed);
  }
}

bool WatchTable::has(const Watch& watch) {
  Stripe& stripe = stripe_of(watch.hash);
  const std::lock_guard lock{stripe.mutex};
  const auto [begin, end] = stripe.by_hash.equal_range(watch.hash);
  return std::any_of(begin, end, [&](const auto& entry) {
    const Watch& other = *entry.second;
    return other.touched == watch.touched && other.database == watch.database && other.name == watch.name;
  });
}

void WatchTable::touch_replaced(unsigned database) {
  for (Stripe& stripe : stripes_) {
    const std::lock_guard lock{stripe.mutex};
    for (const auto& [hash, watch] : stripe.by_hash) {
      if (watch->database == database && watch->state.present)
        watch->touched->store(true, std::memory_order_relaxed);
    }
  }
}

std::vector<Bytes> WatchTable::watched_absent(unsigned database) {
  std::vector<Bytes> names;
  if (!any()) return names;
  for (Stripe& stripe : stripes_) {
    const std::lock_guard lock{stripe.mutex};
    for (const auto& [hash, watch] : stripe.by_hash) {
      if (watch->database == database && !watch->state.present) names.push_back(watch->name);
    }
  }
  return names;
}

bool Watches::add(unsigned database, BytesView name, const WatchedState& state) {
  const std::uint64_t hash = WatchTable::hash_of(database, name);
  auto watch =
      std::make_unique<WatchTable::Watch>(WatchTable::Watch{hash, database, Bytes{name}, state, &touched_});
  if (table_.has(*watch)) return true;
  if (!table_.add(*watch)) return false;
  watches_.push_back(std::move(watch));
  return true;
}

void Watches::clear() {
  for (const auto& watch : watches_) table_.remove(*watch);
  watches_.clear();
  touched_.store(false, std::memory_order_relaxed);
}

bool Watches::has_failed(std::int64_t now_ms) const {
  if (touched_.load(std::memory_order_relaxed)) return true;
  return std::ranges::any_of(watches_, [now_ms](const auto& watch) {
    const WatchedState& state = watch->state;
    return state.present && state.expires_at_ms != kNoExpiry && state.expires_at_ms <= now_ms;
  });
}

}  // namespace shale::server
