#include "src/pubsub/subscriptions.h"

#include <utility>

namespace shale::server {
namespace {

// Nodes of two hash tables, the channel, and its lists.
constexpr std::size_t kSubscriptionBytes = 320;

std::size_t bytes_of(std::string_view name) { return kSubscriptionBytes + name.size(); }

}  // namespace

Subscriptions::~Subscriptions() { remove_all(); }

bool Subscriptions::add(ChannelKind kind, std::string_view name) {
  if (of(kind).contains(name)) return false;
  auto channel = pubsub_.subscribe(kind, name, subscriber_);
  const std::string_view kept_name = channel->name();
  of(kind).emplace(kept_name, std::move(channel));
  memory_bytes_ += bytes_of(name);
  show_count(kind);
  return true;
}

bool Subscriptions::remove(ChannelKind kind, std::string_view name) {
  const auto found = of(kind).find(name);
  if (found == of(kind).end()) return false;
  memory_bytes_ -= bytes_of(name);
  const std::shared_ptr<Channel> channel = std::move(found->second);
  of(kind).erase(found);
  pubsub_.unsubscribe(kind, *channel, subscriber_);
  show_count(kind);
  return true;
}

void Subscriptions::remove_all() {
  for (const ChannelKind kind : {ChannelKind::channel, ChannelKind::pattern, ChannelKind::shard_channel}) {
    for (const auto& [name, channel] : of(kind)) pubsub_.unsubscribe(kind, *channel, subscriber_);
    of(kind).clear();
    show_count(kind);
  }
  memory_bytes_ = 0;
}

void Subscriptions::show_count(ChannelKind kind) {
  const bool was_empty = shown_.empty();
  shown_.by_kind[static_cast<std::size_t>(kind)].store(static_cast<std::uint32_t>(count(kind)),
                                                       std::memory_order_relaxed);
  if (was_empty != shown_.empty()) pubsub_.note_client(was_empty ? 1 : -1);
}

std::vector<std::string_view> Subscriptions::names(ChannelKind kind) const {
  std::vector<std::string_view> names;
  names.reserve(count(kind));
  for (const auto& [name, channel] : of(kind)) names.push_back(name);
  return names;
}

}  // namespace shale::server
