// How often something took how long: counts over times whose steps grow with the times themselves, 32 of them
// for each doubling, so that every time is known to 3 %.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "src/metering/counter.h"

namespace shale::server {

// The steps, in nanoseconds.
class LatencySteps {
 public:
  static constexpr std::uint64_t kLongestNs = (std::uint64_t{1} << 36) - 1;  // 68 s; what is longer counts so

  static constexpr std::size_t of(std::uint64_t ns) {
    if (ns > kLongestNs) ns = kLongestNs;
    if (ns < kPerDoubling) return static_cast<std::size_t>(ns);
    const unsigned octave = static_cast<unsigned>(std::bit_width(ns)) - 1 - kBits;
    return (static_cast<std::size_t>(octave) + 1) * kPerDoubling + ((ns >> octave) & (kPerDoubling - 1));
  }
  // The longest time of a step.
  static constexpr std::uint64_t longest_of(std::size_t step) {
    if (step < kPerDoubling) return step;
    const unsigned octave = static_cast<unsigned>(step / kPerDoubling) - 1;
    const std::uint64_t shortest = (kPerDoubling + step % kPerDoubling) << octave;
    return shortest + (std::uint64_t{1} << octave) - 1;
  }

  static constexpr unsigned kBits = 5;
  static constexpr std::uint64_t kPerDoubling = 1u << kBits;
};
inline constexpr std::size_t kLatencySteps = LatencySteps::of(LatencySteps::kLongestNs) + 1;

// Written by one thread, read by any.
class LatencyHistogram {
 public:
  void record(std::int64_t ns) { counts_[LatencySteps::of(static_cast<std::uint64_t>(ns))].add(); }
  void clear() {
    for (Counter& count : counts_) count.clear();
  }
  std::int64_t count(std::size_t step) const { return counts_[step].value(); }

 private:
  std::array<Counter, kLatencySteps> counts_;
};

// The sum of several, to be asked.
class LatencySummary {
 public:
  void add(const LatencyHistogram& histogram);

  std::int64_t total() const { return total_; }
  // The time within which `percent` of all were done, in nanoseconds; 0 if there were none.
  std::uint64_t percentile(double percent) const;
  // How many took less than `ns`, a power of two.
  std::int64_t below(std::uint64_t ns) const;

 private:
  std::array<std::int64_t, kLatencySteps> counts_{};
  std::int64_t total_ = 0;
};

}  // namespace shale::server
