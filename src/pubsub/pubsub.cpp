#include "src/pubsub/pubsub.h"

#include <algorithm>

#include "src/glob.h"

namespace shale::server {

std::shared_ptr<Channel> ChannelTable::subscribe(std::string_view name, const Subscriber& subscriber) {
  Stripe& stripe = stripe_of(name);
  const std::lock_guard lock{stripe.mutex};
  auto found = stripe.channels.find(name);
  if (found == stripe.channels.end()) {
    auto channel = std::make_shared<Channel>(std::string{name}, threads_);
    const std::string_view own_name = channel->name();
    found = stripe.channels.emplace(own_name, std::move(channel)).first;
    size_.fetch_add(1, std::memory_order_relaxed);
  }
  found->second->add(subscriber);
  return found->second;
}

void ChannelTable::unsubscribe(const Channel& channel, const Subscriber& subscriber) {
  Stripe& stripe = stripe_of(channel.name());
  const std::lock_guard lock{stripe.mutex};
  const auto found = stripe.channels.find(channel.name());
  found->second->remove(subscriber);
  if (found->second->subscriber_count() != 0) return;
  stripe.channels.erase(found);
  size_.fetch_sub(1, std::memory_order_relaxed);
}

std::size_t ChannelTable::subscriber_count(std::string_view name) {
  std::size_t count = 0;
  with_channel(name, [&](const std::shared_ptr<Channel>& channel) { count = channel->subscriber_count(); });
  return count;
}

std::vector<std::string> ChannelTable::names(std::string_view pattern) {
  std::vector<std::string> names;
  for (Stripe& stripe : stripes_) {
    const std::lock_guard lock{stripe.mutex};
    for (const auto& [name, channel] : stripe.channels) {
      if (glob_matches_all(pattern) || glob_matches(pattern, name)) names.emplace_back(name);
    }
  }
  return names;
}

PubSub::PubSub(unsigned threads) : inboxes_(threads), channels_(threads), shard_channels_(threads) {}

std::shared_ptr<Channel> PubSub::subscribe(ChannelKind kind, std::string_view name,
                                           const Subscriber& subscriber) {
  if (kind == ChannelKind::channel) return channels_.subscribe(name, subscriber);
  if (kind == ChannelKind::shard_channel) return shard_channels_.subscribe(name, subscriber);
  const std::lock_guard lock{patterns_mutex_};
  auto found = patterns_.find(name);
  if (found == patterns_.end()) {
    auto pattern = std::make_shared<Channel>(std::string{name}, thread_count());
    found = patterns_.emplace(std::string{name}, std::move(pattern)).first;
    pattern_count_.store(patterns_.size(), std::memory_order_relaxed);
  }
  found->second->add(subscriber);
  return found->second;
}

void PubSub::unsubscribe(ChannelKind kind, const Channel& channel, const Subscriber& subscriber) {
  if (kind == ChannelKind::channel) return channels_.unsubscribe(channel, subscriber);
  if (kind == ChannelKind::shard_channel) return shard_channels_.unsubscribe(channel, subscriber);
  const std::lock_guard lock{patterns_mutex_};
  const auto found = patterns_.find(channel.name());
  found->second->remove(subscriber);
  if (found->second->subscriber_count() != 0) return;
  patterns_.erase(found);
  pattern_count_.store(patterns_.size(), std::memory_order_relaxed);
}

void PubSub::send(const std::shared_ptr<Channel>& channel, const SharedPush& push) {
  const std::uint64_t message = channel->next_message();
  for (std::size_t thread = 0; thread < inboxes_.size(); ++thread) {
    if (channel->subscriber_count(thread) == 0) continue;
    inboxes_[thread].put({.push = push, .channel = channel, .message = message});
  }
}

std::size_t PubSub::publish(std::string_view channel, std::string_view payload) {
  std::size_t receivers = 0;
  channels_.with_channel(channel, [&](const std::shared_ptr<Channel>& found) {
    receivers = found->subscriber_count();
    send(found, make_message(channel, payload));
  });
  return pattern_count() == 0 ? receivers : receivers + publish_to_patterns(channel, payload);
}

std::size_t PubSub::publish_to_patterns(std::string_view channel, std::string_view payload) {
  std::size_t receivers = 0;
  const std::lock_guard lock{patterns_mutex_};
  for (const auto& [pattern, subscribed] : patterns_) {
    if (!glob_matches(pattern, channel)) continue;
    receivers += subscribed->subscriber_count();
    send(subscribed, make_pattern_message(pattern, channel, payload));
  }
  return receivers;
}

std::size_t PubSub::publish_to_shard_channel(std::string_view channel, std::string_view payload) {
  std::size_t receivers = 0;
  shard_channels_.with_channel(channel, [&](const std::shared_ptr<Channel>& found) {
    receivers = found->subscriber_count();
    send(found, make_shard_message(channel, payload));
  });
  return receivers;
}

bool PubSub::is_congested() const {
  return std::ranges::any_of(inboxes_,
                             [](const PushInbox& inbox) { return inbox.bytes() > PushInbox::kBytesMax; });
}

}  // namespace shale::server
