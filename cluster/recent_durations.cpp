#include "cluster/recent_durations.h"

#include <algorithm>
#include <cmath>

namespace shale::cluster {

std::uint64_t RecentDurations::last_of(std::size_t bucket) {
  if (bucket < 2 * kFractions) return bucket;
  const std::size_t shift = (bucket >> kFractionBits) - 1;
  return ((kFractions + (bucket & (kFractions - 1)) + 1) << shift) - 1;
}

void RecentDurations::note(std::chrono::nanoseconds duration, TimePoint now) {
  if (const std::int64_t ended = windows_ended(now); ended > 0) {
    if (ended == 1) {
      previous_ = current_;
    } else {
      previous_.fill(0);
    }
    current_.fill(0);
    window_begin_ += ended * kWindow;
  }
  const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0));
  ++current_[bucket_of(std::min(ns, kLongestNs))];
}

std::optional<std::chrono::nanoseconds> RecentDurations::percentile(double part, TimePoint now) const {
  const std::int64_t ended = windows_ended(now);
  const auto count = [&](std::size_t bucket) {
    return std::uint64_t{ended < 2 ? current_[bucket] : 0} + (ended < 1 ? previous_[bucket] : 0);
  };
  std::uint64_t all = 0;
  for (std::size_t bucket = 0; bucket < current_.size(); ++bucket) all += count(bucket);
  if (all == 0) return {};
  const auto wanted =
      std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(part * static_cast<double>(all))));
  std::uint64_t seen = 0;
  std::size_t bucket = 0;
  while ((seen += count(bucket)) < wanted) ++bucket;
  return std::chrono::nanoseconds{last_of(bucket)};
}

}  // namespace shale::cluster
