// How much of their time the threads that execute commands are at work: by the processor time they have used.
#pragma once

#include <time.h>

#include <chrono>
#include <mutex>
#include <vector>

namespace shale::server {

// Thread-safe.
class ThreadClocks {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  explicit ThreadClocks(TimePoint now) : asked_at_(now) {}

  void add_current_thread();
  // Of the time of all threads together since the last call, 0 to 1. A thread that has ended counts as idle.
  double busy_share(TimePoint now);

 private:
  struct Clock {
    ::clockid_t id{};
    std::chrono::nanoseconds used{0};
  };

  std::mutex mutex_;  // guards what follows
  std::vector<Clock> clocks_;
  TimePoint asked_at_;
};

}  // namespace shale::server
