#include "cluster/recent_durations.h"

#include <gtest/gtest.h>

namespace shale::cluster {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr RecentDurations::TimePoint kStart{std::chrono::hours{100}};

TEST(RecentDurations, SayNothingWhereNothingHasBeenNoted) {
  const RecentDurations durations;
  EXPECT_FALSE(durations.percentile(0.5, kStart));
}

TEST(RecentDurations, AreRightToAnEighth) {
  RecentDurations durations;
  for (int i = 1; i <= 1000; ++i) durations.note(microseconds{i}, kStart);
  for (const double part : {0.01, 0.5, 0.9, 0.99, 1.0}) {
    const double ns = static_cast<double>(durations.percentile(part, kStart)->count());
    EXPECT_GE(ns, part * 1e6);
    EXPECT_LE(ns, part * 1e6 * 1.125);
  }
}

TEST(RecentDurations, AreExactBelowSixteenNanoseconds) {
  RecentDurations durations;
  for (int ns = 0; ns < 16; ++ns) {
    durations = {};
    durations.note(nanoseconds{ns}, kStart);
    EXPECT_EQ(durations.percentile(0.5, kStart), nanoseconds{ns});
  }
}

TEST(RecentDurations, BeyondAMinuteCountAsTheLongest) {
  RecentDurations durations;
  durations.note(std::chrono::hours{10}, kStart);
  EXPECT_GT(durations.percentile(0.5, kStart), seconds{60});
  EXPECT_LT(durations.percentile(0.5, kStart), seconds{70});
}

TEST(RecentDurations, AreOfOneWindowAtLeastAndOfTwoAtMost) {
  RecentDurations durations;
  durations.note(microseconds{1}, kStart);
  const auto window = RecentDurations::kWindow;
  durations.note(microseconds{100}, kStart + window);
  EXPECT_LT(durations.percentile(0.5, kStart + window), microseconds{2});
  EXPECT_GE(durations.percentile(1.0, kStart + window), microseconds{100});
  EXPECT_GE(durations.percentile(0.5, kStart + 2 * window), microseconds{100});
  EXPECT_FALSE(durations.percentile(0.5, kStart + 3 * window));
  durations.note(microseconds{5}, kStart + 9 * window);
  EXPECT_LT(durations.percentile(1.0, kStart + 9 * window), microseconds{6});
}

}  // namespace
}  // namespace shale::cluster
