// A clock that is cheap enough to be read after every command: the processor's time stamp counter where the
// kernel's own monotonic clock is made from it (then a tick is as true as that clock, at a third of its
// cost), else the monotonic clock itself. What a tick is worth is measured against the monotonic clock, at
// the start and each second again.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace shale::server {

class TickClock {
 public:
  using Ticks = std::uint64_t;

  // Measures for some hundred microseconds.
  TickClock();

  Ticks now() const {
#if defined(__x86_64__)
    if (counts_cycles_) [[likely]]
      return __rdtsc();
#endif
    return monotonic_ns();
  }
  // From one tick to a later one, in nanoseconds; 0 if the counters of two processors say it was earlier.
  std::int64_t nanoseconds_between(Ticks earlier, Ticks later) const {
    if (later <= earlier) return 0;
    const auto ticks = static_cast<double>(static_cast<std::int64_t>(later - earlier));
    return static_cast<std::int64_t>(ticks * ns_per_tick_.load(std::memory_order_relaxed));
  }

  // Measures what a tick has been worth since the last call: once a second, by one thread.
  void calibrate();
  bool counts_cycles() const { return counts_cycles_; }

 private:
  void measure();
  static Ticks monotonic_ns() {
    return static_cast<Ticks>(std::chrono::steady_clock::now().time_since_epoch().count());
  }

  const bool counts_cycles_;
  std::atomic<double> ns_per_tick_ = 1;
  Ticks calibrated_at_ = 0;
  Ticks calibrated_at_ns_ = 0;
};

}  // namespace shale::server
