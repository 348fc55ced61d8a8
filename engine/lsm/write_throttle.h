// Slows writers to what background work can sustain, long before anything would have to stop them.
//
// Two figures decide: the pressure (how far the background is behind, 0 not at all, 1 as far as it should
// ever be), and the drain, the measured rate at which it has been working off what is written. At pressure 0
// writers are free; above it they share a rate of drain times a factor that falls from 2 through 1 to almost
// nothing as the pressure grows. Where the factor is below 1 the pressure falls: so it settles where writers
// and background are even, without oscillating between stop and go (the idea of bLSM's spring and gear
// scheduler: Sears, Ramakrishnan, SIGMOD 2012).
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace shale::engine::lsm {

// Not thread-safe.
class WriteThrottle {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  // No writer is asked to pause longer than this.
  static constexpr std::chrono::milliseconds kPauseMax{200};

  // The background has worked off `bytes` of user data. Call it also with 0 when time has passed; only time
  // under pressure counts, as otherwise the background may have been idle.
  void note_drained(std::uint64_t bytes, double pressure, TimePoint now);

  // How long whoever writes `bytes` now should pause before the next write.
  std::chrono::microseconds pause_for(std::uint64_t bytes, double pressure, TimePoint now);

  double drain_bytes_per_second() const { return drain_; }

 private:
  static constexpr double kRateMin = 512.0 * 1024;  // bytes per second: no pressure stops writers for good

  double drain_ = 0;                 // 0: not measured yet
  std::uint64_t drained_bytes_ = 0;  // in the window that is running
  TimePoint window_begin_{};
  bool under_pressure_ = false;  // since window_begin_
  TimePoint next_free_{};        // when all that was admitted is paid for
};

}  // namespace shale::engine::lsm
