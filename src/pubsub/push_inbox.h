// What other threads, and the thread itself, have for the clients of one I/O thread. Any thread puts pushes
// in; the I/O thread is woken once, takes all that is there, and hands it out.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "src/pubsub/channel.h"

namespace shale::server {

class TrackedClient;

struct Delivery {
  SharedPush push;
  std::shared_ptr<const Channel>
      channel;                // to those of its subscribers who live on the thread; or, if there is none,
  std::uint64_t message = 0;  // (the channel's number for it)
  std::uint64_t client = 0;   // to this client
  // An invalidation of what this client caches: goes to `client` if that speaks RESP3; with RESP2, as another
  // push, if it has subscribed to something.
  std::shared_ptr<const TrackedClient> tracked = {};
  SharedPush resp2_push = {};
};

class PushInbox {
 public:
  // Publishers wait while there is more than this: see PubSub::is_congested().
  static constexpr std::size_t kBytesMax = 8u << 20;

  // `wake` makes the I/O thread call take(), soon. Called under a lock: it must not wait. Set by the thread
  // before its first client is there, and taken back (an empty function) before it ends.
  void set_wake(std::function<void()> wake);

  // Any thread.
  void put(Delivery delivery);
  // What has been put in and not been taken, roughly.
  std::size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  bool empty() const { return bytes() == 0; }

  // Everything, in the order in which it was put in; `taken` is empty, and gives its memory in exchange.
  void take(std::vector<Delivery>& taken);

 private:
  static std::size_t bytes_of(const Delivery& delivery) {
    return sizeof(Delivery) + delivery.push->encoded.size();
  }

  std::mutex mutex_;  // guards what follows
  std::vector<Delivery> deliveries_;
  std::function<void()> wake_;
  bool woken_ = false;                  // and has not come yet
  std::atomic<std::size_t> bytes_ = 0;  // written under the lock
};

}  // namespace shale::server
