#include "engine/btree/node_advisor.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

namespace shale::engine::btree {
namespace {

// Nanoseconds, as measured on the development machine (docs/btree.md): orders of magnitude matter here.
constexpr double kNextLeaf = 700;       // a cursor goes on to the next leaf, which is in memory
constexpr double kFetch = 20'000;       // a leaf is read from disk, and what waited for it is done again
constexpr double kFetchedByte = 1;      // read, held to its checksum, parsed
constexpr double kMergedRecord = 10;    // of a leaf with several layers that a cursor enters
constexpr double kChangedLeaf = 3'000;  // taken, written and installed by a checkpoint
constexpr double kMergedByte = 0.8;     // of a base that changes are applied to
constexpr double kWrittenByte = 2;
constexpr double kIndexEntry = 150;  // of a leaf, in an inner node that a checkpoint writes

constexpr double kLeavesPerInnerNode = 128;

// A step must save this part of what the size makes any difference to.
constexpr double kWorthwhile = 0.08;
// Of the time: a tree that has nothing to do keeps its size.
constexpr double kBusyEnough = 0.0005;
constexpr double kNewestWeight = 0.3;
constexpr unsigned kWindowsBefore = 2;
constexpr unsigned kWindowsBeforeTurning = 4;

}  // namespace

std::uint32_t next_larger(std::uint32_t bytes, const LeafSizes& sizes) {
  const std::uint32_t power = std::bit_floor(bytes);
  return std::min(bytes < power + power / 2 ? power + power / 2 : 2 * power, sizes.bytes_max);
}

std::uint32_t next_smaller(std::uint32_t bytes, const LeafSizes& sizes) {
  const std::uint32_t power = std::bit_floor(bytes - 1);
  return std::max(bytes > power + power / 2 ? power + power / 2 : power, sizes.bytes_min);
}

std::uint32_t nearest_size(std::uint64_t average_bytes, const LeafSizes& sizes) {
  std::uint32_t size = sizes.bytes_min;
  while (size < sizes.bytes_max) {
    const std::uint32_t larger = next_larger(size, sizes);
    if (average_bytes * average_bytes < std::uint64_t{size} * larger) break;
    size = larger;
  }
  return size;
}

// What the workload costs, in nanoseconds per second, as far as the size of leaves makes a difference. A
// point read in memory halves the records as often wherever the index ends and the leaf begins.
struct NodeAdvisor::Prices {
  const Rates& rates;
  const CheckpointCosts& costs;
  double leaf_bytes;  // of a leaf, on average

  Prices(const Rates& measured, const CheckpointCosts& checkpoint, std::uint32_t target_bytes)
      : rates(measured),
        costs(checkpoint),
        leaf_bytes(costs.leaves == 0 || costs.leaf_bytes == 0
                       ? target_bytes
                       : static_cast<double>(costs.leaf_bytes) / static_cast<double>(costs.leaves)) {}

  double reads(double size) const {
    const double walked = rates.leaves_walked * kNextLeaf + rates.walks_fetched * kFetch;
    return walked * leaf_bytes / size + rates.leaves_fetched * size * kFetchedByte +
           rates.records_merged * kMergedRecord * size / leaf_bytes;
  }

  // Writes that each leaf had of the checkpoint, as if they came to any leaf alike: from how many had any.
  double writes_per_leaf() const {
    const auto leaves = static_cast<double>(costs.leaves);
    const double part = static_cast<double>(costs.leaves_changed) / leaves;
    constexpr double kNearlyAll = 0.95;
    return part < kNearlyAll ? -std::log(1 - part)
                             : std::max(3.0, static_cast<double>(costs.writes) / leaves);
  }

  // Of a checkpoint like the last one.
  double checkpoint(double size) const {
    const double leaves = static_cast<double>(costs.leaf_bytes) / size;
    const double part = 1 - std::exp(-writes_per_leaf() * size / leaf_bytes);
    const double changed = leaves * part;
    const double fresh = static_cast<double>(costs.fresh_bytes) / changed;
    // Changes and, when they have grown, bases: docs/btree.md, "A leaf has layers".
    const double written = std::min(std::sqrt(2 * fresh * size), fresh + size);
    const double merged = static_cast<double>(costs.merged_bytes) /
                          static_cast<double>(costs.leaves_changed) * size / leaf_bytes;
    const double inner_part = std::min(1.0, part * kLeavesPerInnerNode);
    return changed * (kChangedLeaf + merged * kMergedByte + written * kWrittenByte) +
           leaves * inner_part * kIndexEntry;
  }

  double write(double size) const {
    const bool is_known =
        costs.writes != 0 && costs.leaf_bytes != 0 && costs.leaves_changed != 0 && costs.fresh_bytes != 0;
    return is_known ? checkpoint(size) / static_cast<double>(costs.writes) : 0;
  }

  double of(double size) const { return reads(size) + rates.writes * write(size); }
};

void NodeAdvisor::take_window(const LeafWorkload& workload, double seconds) {
  const LeafWorkload before = std::exchange(window_begin_workload_, workload);
  const auto take = [&](double& rate, std::uint64_t then, std::uint64_t now) {
    rate += kNewestWeight * (static_cast<double>(now - then) / seconds - rate);
  };
  take(rates_.writes, before.writes, workload.writes);
  take(rates_.leaves_walked, before.leaves_walked, workload.leaves_walked);
  take(rates_.leaves_fetched, before.leaves_fetched, workload.leaves_fetched);
  take(rates_.walks_fetched, before.walks_fetched, workload.walks_fetched);
  take(rates_.records_merged, before.records_merged, workload.records_merged);
}

// Whether this has been wanted for long enough.
bool NodeAdvisor::insists_on(Direction direction) {
  windows_wanted_ = direction == wanted_ ? windows_wanted_ + 1 : 1;
  wanted_ = direction;
  if (direction == Direction::none) return false;
  const bool is_turning = last_step_ != Direction::none && last_step_ != direction;
  return windows_wanted_ >= (is_turning ? kWindowsBeforeTurning : kWindowsBefore);
}

std::optional<NodeAdvisor::Step> NodeAdvisor::advise(const LeafWorkload& workload,
                                                     const CheckpointCosts& costs, std::uint32_t target_bytes,
                                                     TimePoint now) {
  if (!window_begin_) {
    window_begin_ = now;
    window_begin_workload_ = workload;
  }
  const std::chrono::duration<double> passed = now - *window_begin_;
  if (passed < kWindow) return {};
  window_begin_ = now;
  take_window(workload, passed.count());

  const Prices prices{rates_, costs, target_bytes};
  const double present = prices.of(target_bytes);
  // Of all sizes: where each leaf is written to in each checkpoint, the next one costs as much.
  std::uint32_t best = target_bytes;
  double saving = std::max(kWorthwhile * present, kBusyEnough * 1e9);
  for (std::uint32_t size = sizes_.bytes_min;; size = next_larger(size, sizes_)) {
    if (present - prices.of(size) > saving) {
      best = size;
      saving = present - prices.of(size);
    }
    if (size == sizes_.bytes_max) break;
  }
  const Direction direction = best == target_bytes  ? Direction::none
                              : best < target_bytes ? Direction::smaller
                                                    : Direction::larger;
  if (!insists_on(direction)) return {};
  last_step_ = direction;
  const bool is_smaller = direction == Direction::smaller;
  return Step{
      is_smaller ? next_smaller(target_bytes, sizes_) : next_larger(target_bytes, sizes_),
      fmt::format("{:.0f} writes/s of {:.0f} ns, {:.0f} leaves/s walked, {:.0f} leaves/s read from disk: "
                  "{} than {} bytes, for {} would save {:.0f} %",
                  rates_.writes, prices.write(target_bytes), rates_.leaves_walked,
                  rates_.leaves_fetched + rates_.walks_fetched, is_smaller ? "smaller" : "larger",
                  target_bytes, best, 100 * saving / present)};
}

}  // namespace shale::engine::btree
