// What one client has subscribed to. Belongs to its connection's thread, and ends there (Connection::close),
// which ends the subscriptions.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "src/pubsub/pubsub.h"

namespace shale::server {

class Subscriptions {
 public:
  // `shown` outlives them.
  Subscriptions(PubSub& pubsub, const Subscriber& subscriber, SubscriptionCounts& shown)
      : pubsub_(pubsub), subscriber_(subscriber), shown_(shown) {}
  ~Subscriptions();
  Subscriptions(const Subscriptions&) = delete;
  Subscriptions& operator=(const Subscriptions&) = delete;

  // False if it had subscribed already.
  bool add(ChannelKind kind, std::string_view name);
  // False if it had not subscribed.
  bool remove(ChannelKind kind, std::string_view name);
  void remove_all();

  std::size_t count(ChannelKind kind) const { return of(kind).size(); }
  // In no order; valid until that one is removed.
  std::vector<std::string_view> names(ChannelKind kind) const;
  // What they take, roughly: in this class and in the tables.
  std::size_t memory_bytes() const { return memory_bytes_; }

 private:
  using Channels =
      std::unordered_map<std::string_view, std::shared_ptr<Channel>>;  // by the name in the channel
  Channels& of(ChannelKind kind) { return channels_[static_cast<std::size_t>(kind)]; }
  const Channels& of(ChannelKind kind) const { return channels_[static_cast<std::size_t>(kind)]; }

  void show_count(ChannelKind kind);

  PubSub& pubsub_;
  const Subscriber subscriber_;
  SubscriptionCounts& shown_;
  std::array<Channels, 3> channels_;  // by kind
  std::size_t memory_bytes_ = 0;
};

}  // namespace shale::server
