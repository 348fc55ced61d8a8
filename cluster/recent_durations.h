// How long something has taken of late, in buckets at most an eighth wide of what they hold (as in
// HdrHistogram): 2 KiB, a few nanoseconds to note one.
//
// There are two windows: one that is being filled, and the one before it. So what is asked for is of the last
// kWindow at least, and of nothing that is older than two.
#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace shale::cluster {

// Not thread-safe.
class RecentDurations {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds kWindow{10};

  // `now` may not go back by more than a window. Durations of more than a minute count as one of a minute.
  void note(std::chrono::nanoseconds duration, TimePoint now);
  // The least duration that `part` (0 to 1) of them did not exceed, rounded up to its bucket's end. Nothing
  // if none has been noted of late.
  std::optional<std::chrono::nanoseconds> percentile(double part, TimePoint now) const;

 private:
  static constexpr unsigned kFractionBits = 3;
  static constexpr std::uint64_t kFractions = std::uint64_t{1} << kFractionBits;
  static constexpr unsigned kLongestBits = 36;
  static constexpr std::uint64_t kLongestNs = (std::uint64_t{1} << kLongestBits) - 1;  // 69 seconds

  // Below 2 * kFractions a bucket for each; above, kFractions buckets for each power of two.
  static std::size_t bucket_of(std::uint64_t ns) {
    if (ns < 2 * kFractions) return ns;
    const unsigned shift = static_cast<unsigned>(std::bit_width(ns)) - kFractionBits - 1;
    return (std::size_t{shift} << kFractionBits) + (ns >> shift);
  }
  static std::uint64_t last_of(std::size_t bucket);

  using Window = std::array<std::uint32_t, (kLongestBits - kFractionBits + 1) << kFractionBits>;
  // How many windows have ended since the one that was being filled at the last note.
  std::int64_t windows_ended(TimePoint now) const { return (now - window_begin_) / kWindow; }

  TimePoint window_begin_;
  Window current_{};
  Window previous_{};
};

}  // namespace shale::cluster
