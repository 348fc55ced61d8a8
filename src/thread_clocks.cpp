#include "src/thread_clocks.h"

#include <pthread.h>

#include <algorithm>

namespace shale::server {

void ThreadClocks::add_current_thread() {
  Clock clock;
  if (::pthread_getcpuclockid(::pthread_self(), &clock.id) != 0) return;
  const std::lock_guard lock{mutex_};
  clocks_.push_back(clock);
}

double ThreadClocks::busy_share(TimePoint now) {
  const std::lock_guard lock{mutex_};
  const std::chrono::duration<double> elapsed = now - asked_at_;
  asked_at_ = now;
  std::chrono::nanoseconds used{0};
  for (Clock& clock : clocks_) {
    ::timespec time{};
    if (::clock_gettime(clock.id, &time) != 0) continue;
    const auto total = std::chrono::seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec};
    used += total - clock.used;
    clock.used = total;
  }
  if (clocks_.empty() || elapsed.count() <= 0) return 0;
  const double share = std::chrono::duration<double>(used) / (elapsed * static_cast<double>(clocks_.size()));
  return std::clamp(share, 0.0, 1.0);
}

}  // namespace shale::server
