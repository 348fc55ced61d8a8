#include "src/metering/tick_clock.h"

#include <gtest/gtest.h>

#include <chrono>

namespace shale::server {
namespace {

using std::chrono::steady_clock;

TEST(TickClock, CountsNanosecondsAsTheMonotonicClockDoes) {
  TickClock clock;
  const auto ticks_begin = clock.now();
  const auto begin = steady_clock::now();
  while (steady_clock::now() - begin < std::chrono::milliseconds{20}) {
  }
  const std::chrono::duration<double, std::nano> passed = steady_clock::now() - begin;
  const auto counted = static_cast<double>(clock.nanoseconds_between(ticks_begin, clock.now()));
  // The thread may lose its processor between two looks at the clocks: only less than what has passed is
  // wrong.
  EXPECT_GT(counted, passed.count() * 0.98);
  EXPECT_LT(counted, passed.count() * 3);
}

TEST(TickClock, GoesOnAtTheSamePaceWhenItIsMeasuredAgain) {
  TickClock clock;
  const auto begin = clock.now();
  while (clock.nanoseconds_between(begin, clock.now()) < 120'000'000) {
  }
  const auto end = clock.now();
  const auto before = static_cast<double>(clock.nanoseconds_between(begin, end));
  clock.calibrate();
  EXPECT_NEAR(static_cast<double>(clock.nanoseconds_between(begin, end)) / before, 1, 0.05);
}

TEST(TickClock, IsNeverNegative) {
  const TickClock clock;
  EXPECT_EQ(clock.nanoseconds_between(1000, 999), 0);
  EXPECT_EQ(clock.nanoseconds_between(1000, 1000), 0);
}

}  // namespace
}  // namespace shale::server
