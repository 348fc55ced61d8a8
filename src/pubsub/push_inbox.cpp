#include "src/pubsub/push_inbox.h"

#include <cassert>
#include <utility>

namespace shale::server {

void PushInbox::set_wake(std::function<void()> wake) {
  const std::lock_guard lock{mutex_};
  wake_ = std::move(wake);
}

void PushInbox::put(Delivery delivery) {
  const std::lock_guard lock{mutex_};
  bytes_.store(bytes() + bytes_of(delivery), std::memory_order_relaxed);
  deliveries_.push_back(std::move(delivery));
  if (woken_ || !wake_) return;
  woken_ = true;
  wake_();
}

void PushInbox::take(std::vector<Delivery>& taken) {
  assert(taken.empty());
  const std::lock_guard lock{mutex_};
  deliveries_.swap(taken);
  bytes_.store(0, std::memory_order_relaxed);
  woken_ = false;
}

}  // namespace shale::server
