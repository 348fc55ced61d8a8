#include "engine/lsm/write_throttle.h"

#include <gtest/gtest.h>

namespace shale::engine::lsm {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using TimePoint = WriteThrottle::TimePoint;

const TimePoint kStart{std::chrono::hours{1}};

// The background works off 10 MB a second for three seconds.
WriteThrottle with_known_drain(TimePoint& now) {
  WriteThrottle throttle;
  now = kStart;
  for (int i = 0; i < 30; ++i, now += milliseconds{100}) throttle.note_drained(1'000'000, 0.5, now);
  return throttle;
}

// What a writer manages in a second who writes 10 kB at a time and pauses as it is told.
double rate_at(WriteThrottle& throttle, double pressure, TimePoint now) {
  const TimePoint end = now + std::chrono::seconds{1};
  std::uint64_t bytes = 0;
  for (; now < end; now += microseconds{10}) {
    now += throttle.pause_for(10'000, pressure, now);
    bytes += 10'000;
  }
  return static_cast<double>(bytes);
}

TEST(WriteThrottle, LeavesWritersAloneWithoutPressure) {
  WriteThrottle throttle;
  EXPECT_EQ(throttle.pause_for(1 << 20, 0, kStart), microseconds{0});
}

TEST(WriteThrottle, MeasuresTheDrainUnderPressureOnly) {
  TimePoint now;
  WriteThrottle throttle = with_known_drain(now);
  EXPECT_NEAR(throttle.drain_bytes_per_second(), 10e6, 1e6);
  for (int i = 0; i < 100; ++i, now += milliseconds{100}) throttle.note_drained(0, 0, now);  // idle
  EXPECT_NEAR(throttle.drain_bytes_per_second(), 10e6, 2.5e6);
}

TEST(WriteThrottle, HoldsWritersToTheDrainAtHalfPressureAndBelowItAtFull) {
  TimePoint now;
  WriteThrottle throttle = with_known_drain(now);
  EXPECT_NEAR(rate_at(throttle, 0.5, now), 10e6, 1.5e6);
  now += std::chrono::seconds{10};
  EXPECT_LT(rate_at(throttle, 1, now), 6e6);
  now += std::chrono::seconds{10};
  EXPECT_GT(rate_at(throttle, 0.1, now), 14e6);
}

TEST(WriteThrottle, NeverAsksForALongPauseHoweverManyWait) {
  WriteThrottle throttle;
  microseconds longest{0};
  for (int writer = 0; writer < 1'000; ++writer) {
    longest = std::max(longest, throttle.pause_for(1 << 20, 10, kStart));
  }
  EXPECT_EQ(longest, microseconds{WriteThrottle::kPauseMax});
}

}  // namespace
}  // namespace shale::engine::lsm
