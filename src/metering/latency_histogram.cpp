#include "src/metering/latency_histogram.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace shale::server {

static_assert(LatencySteps::longest_of(LatencySteps::of(LatencySteps::kLongestNs)) ==
              LatencySteps::kLongestNs);
static_assert(LatencySteps::of(LatencySteps::longest_of(400)) == 400);
static_assert(LatencySteps::of(LatencySteps::longest_of(400) + 1) == 401);

void LatencySummary::add(const LatencyHistogram& histogram) {
  for (std::size_t step = 0; step < kLatencySteps; ++step) {
    const std::int64_t count = histogram.count(step);
    counts_[step] += count;
    total_ += count;
  }
}

std::uint64_t LatencySummary::percentile(double percent) const {
  if (total_ == 0) return 0;
  const double share = std::clamp(percent, 0.0, 100.0) / 100;
  const auto wanted = std::max<std::int64_t>(1, std::llround(share * static_cast<double>(total_)));
  std::int64_t seen = 0;
  for (std::size_t step = 0; step < kLatencySteps; ++step) {
    seen += counts_[step];
    if (seen >= wanted) return LatencySteps::longest_of(step);
  }
  return LatencySteps::kLongestNs;
}

std::int64_t LatencySummary::below(std::uint64_t ns) const {
  const auto end =
      counts_.begin() + static_cast<std::ptrdiff_t>(std::min(LatencySteps::of(ns), kLatencySteps));
  return std::accumulate(counts_.begin(), end, std::int64_t{0});
}

}  // namespace shale::server
