#include "src/tracking/tracking.h"

#include <algorithm>
#include <limits>

namespace shale::server {
namespace {

constexpr int kSurplusKeysMax = 10'000;

}  // namespace

void Tracking::begin(const std::shared_ptr<TrackedClient>& client) {
  const std::lock_guard lock{mutex_};
  all_clients_.push_back(client);
  clients_.fetch_add(1, std::memory_order_relaxed);
}

void Tracking::add_prefixes(const std::shared_ptr<TrackedClient>& client,
                            std::span<const std::string> prefixes) {
  const std::lock_guard lock{mutex_};
  for (const std::string& prefix : prefixes) prefixes_[prefix].push_back(client);
  prefix_count_.store(prefixes_.size(), std::memory_order_relaxed);
}

void Tracking::end(const std::shared_ptr<TrackedClient>& client) {
  client->deactivate();
  const std::lock_guard lock{mutex_};
  for (const std::string& prefix : client->options().prefixes) {
    const auto found = prefixes_.find(prefix);
    std::erase(found->second, client);
    if (found->second.empty()) prefixes_.erase(found);
  }
  prefix_count_.store(prefixes_.size(), std::memory_order_relaxed);
  std::erase(all_clients_, client);
  clients_.fetch_sub(1, std::memory_order_relaxed);
}

void Tracking::note_read(std::string_view key, const std::shared_ptr<TrackedClient>& client) {
  table_.add(key, client);
  trim();
}

void Tracking::note_write(std::string_view key, std::uint64_t writer) {
  tell_all(table_.take(key), key, writer);
}

void Tracking::tell_all(const Clients& clients, std::string_view key, std::uint64_t writer) {
  for (const auto& client : clients) {
    if (client->no_loop() && client->id() == writer) continue;
    tell(client, {&key, 1});
  }
}

void Tracking::tell(const std::shared_ptr<TrackedClient>& client, std::span<const std::string_view> keys) {
  if (!client->is_active()) return;
  const bool redirects = client->redirect() != 0;
  pubsub_.inbox(client->listener_thread())
      .put({.push = make_invalidation(keys),
            .channel = {},
            .message = 0,
            .client = client->listener(),
            .tracked = client,
            .resp2_push = redirects ? make_invalidation_message(keys) : nullptr});
}

void Tracking::broadcast(std::span<const std::string_view> keys, std::uint64_t writer) {
  const std::lock_guard lock{mutex_};
  std::vector<std::string_view> matching;
  for (const auto& [prefix, clients] : prefixes_) {
    matching.clear();
    for (const std::string_view key : keys) {
      if (key.starts_with(prefix)) matching.push_back(key);
    }
    if (matching.empty()) continue;
    for (const auto& client : clients) {
      if (client->no_loop() && client->id() == writer) continue;
      tell(client, matching);
    }
  }
}

void Tracking::note_flush() {
  table_.clear();
  const std::lock_guard lock{mutex_};
  for (const auto& client : all_clients_) tell(client, {});
}

// A bounded number of them: who lowers the limit by a million does not hold up a thread.
void Tracking::trim() {
  const std::int64_t option = config_.number(Option::tracking_table_max_keys);
  const std::size_t keys_max =
      option == 0 ? std::numeric_limits<std::size_t>::max() : static_cast<std::size_t>(option);
  for (int keys = 0; keys < kSurplusKeysMax; ++keys) {
    const auto surplus = table_.take_surplus(keys_max, table_bytes_max_);
    if (!surplus) return;
    tell_all(surplus->second, surplus->first, 0);
  }
}

void Tracking::redirection_is_broken(const TrackedClient& client) {
  client.note_broken_redirection();
  pubsub_.inbox(client.thread())
      .put({.push = make_broken_redirection(client.redirect()),
            .channel = {},
            .message = 0,
            .client = client.id(),
            .tracked = {},
            .resp2_push = {}});
}

}  // namespace shale::server
