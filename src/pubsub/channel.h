// Something that clients subscribe to: a channel, a pattern of channels, or MONITOR's stream of commands.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "src/pubsub/push.h"

namespace shale::server {

enum class ChannelKind : std::uint8_t { channel, pattern, shard_channel };

// A client, as the subscriber of channels.
struct Subscriber {
  unsigned thread = 0;  // on which it lives
  PushReceiver* receiver = nullptr;
};

// How many channels, patterns and shard channels a client has subscribed to: written by its thread, shown by
// others.
struct SubscriptionCounts {
  std::array<std::atomic<std::uint32_t>, 3> by_kind{};  // by ChannelKind

  std::uint32_t of(ChannelKind kind) const {
    return by_kind[static_cast<std::size_t>(kind)].load(std::memory_order_relaxed);
  }
  bool empty() const {
    return (of(ChannelKind::channel) | of(ChannelKind::pattern) | of(ChannelKind::shard_channel)) == 0;
  }
};

// Its subscribers are kept by thread. Each thread's list is that thread's own, so that a message is handed
// out without a lock; the counts, which tell a publisher where subscribers are, are guarded by the lock of
// the table that holds the channel, and so are messages_total and the order in which messages are put into
// the threads' inboxes.
//
//   I1  A subscriber gets the messages published after it has subscribed, and none from before: those are on
//   their way to
//       its thread with smaller numbers.
//   I2  All subscribers get the messages of a channel in the same order.
class Channel {
 public:
  Channel(std::string name, unsigned threads) : name_(std::move(name)), parts_(threads) {}

  const std::string& name() const { return name_; }

  // Under the table's lock, on the subscriber's thread.
  void add(const Subscriber& subscriber);
  void remove(const Subscriber& subscriber);  // one that has been added

  // Under the table's lock.
  std::size_t subscriber_count() const { return subscriber_count_; }
  std::size_t subscriber_count(std::size_t thread) const { return parts_[thread].count; }
  std::size_t thread_count() const { return parts_.size(); }
  std::uint64_t next_message() { return ++messages_total_; }

  // On that thread: to its subscribers who were there when the message got its number.
  void hand_out(unsigned thread, std::uint64_t message, const SharedPush& push) const;

 private:
  struct Member {
    PushReceiver* receiver;
    std::uint64_t joined_at;  // the last message before it subscribed
  };
  struct Part {
    std::vector<Member> members;  // used by its thread only
    std::size_t count = 0;
  };

  const std::string name_;
  std::vector<Part> parts_;  // by thread
  std::size_t subscriber_count_ = 0;
  std::uint64_t messages_total_ = 0;
};

}  // namespace shale::server
