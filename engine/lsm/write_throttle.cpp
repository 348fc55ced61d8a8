#include "engine/lsm/write_throttle.h"

namespace shale::engine::lsm {
namespace {

constexpr std::chrono::milliseconds kWindow{500};
constexpr double kWindowWeight = 0.4;                // of the newest window
constexpr double kDrainUnknown = 32.0 * (1u << 20);  // bytes per second, until the first window is over
// Writes below this lead are not worth a pause; the lead is remembered.
constexpr std::chrono::microseconds kPauseMin{100};

double factor(double pressure) {
  // 2 at the beginning, 1 at one half, 0.5 at one; then falling with the square.
  return pressure < 1 ? 2.0 / (1 + pressure * (1 + 2 * pressure)) : 0.5 / (pressure * pressure);
}

}  // namespace

void WriteThrottle::note_drained(std::uint64_t bytes, double pressure, TimePoint now) {
  if (!under_pressure_) {
    if (pressure <= 0) return;
    under_pressure_ = true;
    window_begin_ = now;
    drained_bytes_ = 0;
    return;
  }
  drained_bytes_ += bytes;
  const std::chrono::duration<double> passed = now - window_begin_;
  if (passed >= kWindow) {
    const double rate = static_cast<double>(drained_bytes_) / passed.count();
    drain_ = drain_ == 0 ? rate : (1 - kWindowWeight) * drain_ + kWindowWeight * rate;
    window_begin_ = now;
    drained_bytes_ = 0;
  }
  under_pressure_ = pressure > 0;
}

std::chrono::microseconds WriteThrottle::pause_for(std::uint64_t bytes, double pressure, TimePoint now) {
  if (pressure <= 0) return std::chrono::microseconds{0};
  if (!under_pressure_) note_drained(0, pressure, now);
  const double rate = std::max(kRateMin, (drain_ == 0 ? kDrainUnknown : drain_) * factor(pressure));
  const std::chrono::duration<double> cost{static_cast<double>(bytes) / rate};
  next_free_ = std::max(next_free_, now) + std::chrono::duration_cast<TimePoint::duration>(cost);
  next_free_ = std::min<TimePoint>(next_free_, now + kPauseMax);
  const auto pause = std::chrono::duration_cast<std::chrono::microseconds>(next_free_ - now);
  return pause < kPauseMin ? std::chrono::microseconds{0} : pause;
}

}  // namespace shale::engine::lsm
