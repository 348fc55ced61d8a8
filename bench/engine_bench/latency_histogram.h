// Latencies in buckets that are at most 1/64 wide of what they hold (as in HdrHistogram): 30 KiB, a few
// nanoseconds to count one.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace shale::bench {

class LatencyHistogram {
 public:
  // Writes slower than these are counted exactly, not from buckets.
  static constexpr std::array<std::uint64_t, 4> kSlowMs = {10, 50, 100, 250};

  void add(std::uint64_t latency_ns) {
    ++buckets_[bucket_of(latency_ns)];
    ++count_;
    max_ns_ = std::max(max_ns_, latency_ns);
    if (latency_ns <= kSlowMs[0] * 1'000'000) return;
    for (std::size_t i = 0; i < kSlowMs.size(); ++i) slower_[i] += latency_ns > kSlowMs[i] * 1'000'000;
  }

  void add(const LatencyHistogram& other) {
    for (std::size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
    for (std::size_t i = 0; i < slower_.size(); ++i) slower_[i] += other.slower_[i];
    count_ += other.count_;
    max_ns_ = std::max(max_ns_, other.max_ns_);
  }

  std::uint64_t count() const { return count_; }
  std::uint64_t max_ns() const { return max_ns_; }
  std::uint64_t slower_than(std::size_t index) const { return slower_[index]; }  // than kSlowMs[index]

  // The least latency that `part` (0 to 1) of all do not exceed, rounded up to its bucket's end.
  std::uint64_t percentile_ns(double part) const {
    const auto wanted =
        std::max<std::uint64_t>(1, static_cast<std::uint64_t>(part * static_cast<double>(count_)));
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
      seen += buckets_[bucket];
      if (seen >= wanted) return std::min(last_of(bucket), max_ns_);
    }
    return max_ns_;
  }

 private:
  static constexpr unsigned kFractionBits = 6;
  static constexpr std::uint64_t kFractions = std::uint64_t{1} << kFractionBits;

  // Below 2 * kFractions a bucket for each; above, kFractions buckets for each power of two.
  static std::size_t bucket_of(std::uint64_t latency_ns) {
    if (latency_ns < 2 * kFractions) return latency_ns;
    const unsigned shift = static_cast<unsigned>(std::bit_width(latency_ns)) - kFractionBits - 1;
    return (std::size_t{shift} << kFractionBits) + (latency_ns >> shift);
  }
  static std::uint64_t last_of(std::size_t bucket) {
    if (bucket < 2 * kFractions) return bucket;
    const std::size_t shift = (bucket >> kFractionBits) - 1;
    return ((kFractions + (bucket & (kFractions - 1)) + 1) << shift) - 1;
  }

  std::array<std::uint64_t, (64 - kFractionBits + 1) << kFractionBits> buckets_{};
  std::array<std::uint64_t, kSlowMs.size()> slower_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ns_ = 0;
};

}  // namespace shale::bench
