// Who has subscribed to what, and the way from a publisher to them. Thread-safe, but for what belongs to a
// subscriber: that is called on the subscriber's thread.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "src/pubsub/channel.h"
#include "src/pubsub/push_inbox.h"

namespace shale::server {

// Channels by name, in stripes, each with a lock of its own, so that publishers to different channels do not
// meet.
class ChannelTable {
 public:
  // Makes the channel if there is none.
  std::shared_ptr<Channel> subscribe(std::string_view name, const Subscriber& subscriber);
  // The channel is forgotten with its last subscriber.
  void unsubscribe(const Channel& channel, const Subscriber& subscriber);

  // Calls send(channel) under the channel's lock, if there is one of that name.
  template <class Send>
  void with_channel(std::string_view name, Send send) {
    Stripe& stripe = stripe_of(name);
    const std::lock_guard lock{stripe.mutex};
    const auto found = stripe.channels.find(name);
    if (found != stripe.channels.end()) send(found->second);
  }
  std::size_t subscriber_count(std::string_view name);
  // Names that match, in no order; "*" is all.
  std::vector<std::string> names(std::string_view pattern);
  std::size_t size() const { return size_.load(std::memory_order_relaxed); }

  explicit ChannelTable(unsigned threads) : threads_(threads) {}

 private:
  static constexpr std::size_t kStripes = 64;
  struct alignas(64) Stripe {
    std::mutex mutex;  // guards the channels, as Channel says
    std::unordered_map<std::string_view, std::shared_ptr<Channel>> channels;  // by the name in the channel
  };
  Stripe& stripe_of(std::string_view name) {
    return stripes_[std::hash<std::string_view>{}(name) % kStripes];
  }

  const unsigned threads_;
  std::array<Stripe, kStripes> stripes_;
  std::atomic<std::size_t> size_ = 0;
};

class PubSub {
 public:
  explicit PubSub(unsigned threads);

  std::shared_ptr<Channel> subscribe(ChannelKind kind, std::string_view name, const Subscriber& subscriber);
  void unsubscribe(ChannelKind kind, const Channel& channel, const Subscriber& subscriber);

  // To the subscribers of the channel and of patterns that match it. Returns how many subscriptions that is.
  // What one thread publishes arrives in its order.
  std::size_t publish(std::string_view channel, std::string_view payload);
  std::size_t publish_to_shard_channel(std::string_view channel, std::string_view payload);
  // Whether anybody listens to anything but shard channels. Cheap.
  bool has_listeners() const { return channels_.size() + pattern_count() != 0; }

  // Whether a thread has not caught up with what has been published: publishers should wait a little.
  bool is_congested() const;

  std::vector<std::string> channels(std::string_view pattern) { return channels_.names(pattern); }
  std::vector<std::string> shard_channels(std::string_view pattern) { return shard_channels_.names(pattern); }
  std::size_t subscriber_count(std::string_view channel) { return channels_.subscriber_count(channel); }
  std::size_t shard_subscriber_count(std::string_view channel) {
    return shard_channels_.subscriber_count(channel);
  }
  // Clients that have subscribed to anything; a client says so when it becomes one (+1) and when it is none
  // any more (-1).
  std::size_t client_count() const { return clients_.load(std::memory_order_relaxed); }
  void note_client(int change) {
    clients_.fetch_add(static_cast<std::size_t>(change), std::memory_order_relaxed);
  }
  std::size_t channel_count() const { return channels_.size(); }
  std::size_t shard_channel_count() const { return shard_channels_.size(); }
  std::size_t pattern_count() const { return pattern_count_.load(std::memory_order_relaxed); }

  unsigned thread_count() const { return static_cast<unsigned>(inboxes_.size()); }
  PushInbox& inbox(unsigned thread) { return inboxes_[thread]; }

  // To all subscribers of the channel, under the lock that guards it.
  void send(const std::shared_ptr<Channel>& channel, const SharedPush& push);

 private:
  std::size_t publish_to_patterns(std::string_view channel, std::string_view payload);

  std::vector<PushInbox> inboxes_;  // by thread
  ChannelTable channels_;
  ChannelTable shard_channels_;

  std::atomic<std::size_t> clients_ = 0;
  std::mutex patterns_mutex_;  // guards what follows
  std::map<std::string, std::shared_ptr<Channel>, std::less<>> patterns_;
  std::atomic<std::size_t> pattern_count_ = 0;
};

}  // namespace shale::server
