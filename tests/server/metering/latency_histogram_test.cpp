#include "src/metering/latency_histogram.h"

#include <gtest/gtest.h>

#include <memory>

namespace shale::server {
namespace {

TEST(LatencySteps, KnowEveryTimeToThreePercent) {
  for (std::uint64_t ns = 1; ns < LatencySteps::kLongestNs; ns += ns / 7 + 1) {
    const std::uint64_t longest = LatencySteps::longest_of(LatencySteps::of(ns));
    EXPECT_GE(longest, ns);
    EXPECT_LE(static_cast<double>(longest), static_cast<double>(ns) * 1.032) << ns;
  }
}

TEST(LatencySteps, FollowEachOtherWithoutGap) {
  for (std::size_t step = 0; step + 1 < kLatencySteps; ++step) {
    ASSERT_EQ(LatencySteps::of(LatencySteps::longest_of(step)), step);
    ASSERT_EQ(LatencySteps::of(LatencySteps::longest_of(step) + 1), step + 1);
  }
  EXPECT_EQ(LatencySteps::of(UINT64_MAX), kLatencySteps - 1);
}

TEST(LatencySummary, AddsUpThreadsAndGivesPercentiles) {
  const auto one = std::make_unique<LatencyHistogram>();
  const auto other = std::make_unique<LatencyHistogram>();
  for (int i = 0; i < 98; ++i) one->record(1'000);
  other->record(50'000);
  other->record(5'000'000);
  LatencySummary summary;
  summary.add(*one);
  summary.add(*other);
  EXPECT_EQ(summary.total(), 100);
  EXPECT_NEAR(static_cast<double>(summary.percentile(50)), 1'000, 32);
  EXPECT_NEAR(static_cast<double>(summary.percentile(99)), 50'000, 1'600);
  EXPECT_NEAR(static_cast<double>(summary.percentile(100)), 5'000'000, 160'000);
  EXPECT_NEAR(static_cast<double>(summary.percentile(0)), 1'000, 32);
  EXPECT_EQ(summary.below(1'024), 98);
  EXPECT_EQ(summary.below(65'536), 99);
  EXPECT_EQ(summary.below(8'388'608), 100);
}

TEST(LatencySummary, OfNothingIsZero) {
  const LatencySummary summary;
  EXPECT_EQ(summary.total(), 0);
  EXPECT_EQ(summary.percentile(99.9), 0u);
}

TEST(LatencyHistogram, BeginsAgainWhenCleared) {
  const auto histogram = std::make_unique<LatencyHistogram>();
  histogram->record(70'000'000'000);  // longer than the longest step
  histogram->clear();
  LatencySummary summary;
  summary.add(*histogram);
  EXPECT_EQ(summary.total(), 0);
}

}  // namespace
}  // namespace shale::server
