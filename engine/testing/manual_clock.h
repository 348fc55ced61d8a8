// A clock that a test sets.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "engine/io/background.h"

namespace shale::engine {

// Thread-safe.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(std::int64_t unix_ms = 1'700'000'000'000) : unix_ms_(unix_ms) {}

  std::chrono::steady_clock::time_point now() const override {
    return std::chrono::steady_clock::time_point{std::chrono::nanoseconds{steady_ns_.load()}};
  }
  std::int64_t unix_ms() const override { return unix_ms_.load(); }

  // Both clocks go on by this much; what is less than a millisecond only moves now().
  void advance(std::chrono::nanoseconds by) {
    const std::int64_t before = steady_ns_.fetch_add(by.count());
    unix_ms_ += (before + by.count()) / 1'000'000 - before / 1'000'000;
  }
  // An operator sets the wall clock, maybe back; now() does not notice.
  void set_unix_ms(std::int64_t unix_ms) { unix_ms_ = unix_ms; }

 private:
  std::atomic<std::int64_t> steady_ns_ = 1'000'000'000;
  std::atomic<std::int64_t> unix_ms_;
};

}  // namespace shale::engine
