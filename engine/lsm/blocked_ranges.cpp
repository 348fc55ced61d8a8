#include "engine/lsm/blocked_ranges.h"

#include <algorithm>

namespace shale::engine::lsm {
std::vector<const Run*> pointers_to(const std::vector<Run>& runs) {
  std::vector<const Run*> found;
  found.reserve(runs.size());
  for (const Run& run : runs) found.push_back(&run);
  return found;
}

BlockedRanges::BlockedRanges(const std::vector<const Run*>& runs) {
  std::vector<Range> all;
  for (const Run* run : runs) {
    for (const TableRef& slice : run->tables()) {
      if (slice->is_damaged()) all.push_back({slice->begin_key(), slice->end_key()});
    }
  }
  std::ranges::sort(all, {}, &Range::begin);
  for (const Range& range : all) {
    if (!ranges_.empty() && range.begin <= ranges_.back().end) {
      ranges_.back().end = std::max(ranges_.back().end, range.end);
    } else {
      ranges_.push_back(range);
    }
  }
}

std::optional<BytesView> BlockedRanges::end_around(BytesView key) const {
  const auto above = std::ranges::upper_bound(ranges_, key, {}, &Range::begin);
  if (above == ranges_.begin() || std::prev(above)->end <= key) return {};
  return std::prev(above)->end;
}

BytesView BlockedRanges::last_end_before(BytesView key) const {
  const auto above = std::ranges::upper_bound(ranges_, key, {}, &Range::end);
  return above == ranges_.begin() ? BytesView{} : std::prev(above)->end;
}

std::optional<BytesView> BlockedRanges::next_begin(BytesView key) const {
  const auto above = std::ranges::upper_bound(ranges_, key, {}, &Range::begin);
  if (above == ranges_.end()) return {};
  return above->begin;
}

bool BlockedRanges::leave_something_of(const Run& run) const {
  return std::ranges::any_of(run.tables(), [this](const TableRef& slice) {
    const auto blocked_end = end_around(slice->begin_key());
    return !blocked_end || *blocked_end < slice->end_key();
  });
}

std::uint64_t BlockedRanges::free_bytes(const Run& run) const {
  std::uint64_t bytes = run.bytes();
  for (const Range& range : ranges_) {
    for (const TableRef& slice : run.overlapping(range.begin, range.end)) {
      // What cannot be read cannot be measured either: a damaged slice lies in its range whole.
      bytes -= std::min(
          bytes, slice->is_damaged() ? slice->bytes() : slice->approximate_bytes(range.begin, range.end));
    }
  }
  return bytes;
}

BlockedRanges blocked_below(const Version& version, const LevelPlan& plan, std::uint32_t level) {
  auto runs = pointers_to(version.runs(level));
  if (level < Version::kLastLevel) {
    const auto& below = version.runs(target_level(version, plan, level));
    if (!below.empty()) runs.push_back(&below.front());
  }
  return BlockedRanges{runs};
}

BlockedRanges blocked_within(const Version& version, std::uint32_t level) {
  return BlockedRanges{pointers_to(version.runs(level))};
}

std::uint64_t movable_bytes(const Version& version, const LevelPlan& plan, std::uint32_t level) {
  const BlockedRanges blocked = blocked_below(version, plan, level);
  std::uint64_t bytes = 0;
  for (const Run& run : version.runs(level)) bytes += blocked.free_bytes(run);
  return bytes;
}

std::size_t movable_runs(const Version& version, const LevelPlan& plan) {
  const BlockedRanges blocked = blocked_below(version, plan, 0);
  return static_cast<std::size_t>(std::ranges::count_if(
      version.runs(0), [&](const Run& run) { return blocked.leave_something_of(run); }));
}

std::size_t mergeable_runs(const Version& version, std::uint32_t level) {
  const auto& runs = version.runs(level);
  const BlockedRanges blocked = blocked_within(version, level);
  return 1 + static_cast<std::size_t>(std::count_if(runs.begin(), std::prev(runs.end()), [&](const Run& run) {
           return blocked.leave_something_of(run);
         }));
}

namespace {

// Level 0's runs with keys in the range, from the newest up to the first that is damaged there.
std::vector<const Run*> newer_than_damage(const Version& version, BytesView begin, BytesView end) {
  std::vector<const Run*> newer;
  for (const Run& run : version.runs(0)) {
    const auto slices = run.overlapping(begin, end);
    if (std::ranges::any_of(slices, [](const TableRef& slice) { return slice->is_damaged(); })) break;
    if (!slices.empty()) newer.push_back(&run);
  }
  return newer;
}

std::uint64_t bytes_in(const Run& run, BytesView begin, BytesView end) {
  std::uint64_t bytes = 0;
  for (const TableRef& slice : run.overlapping(begin, end)) bytes += slice->approximate_bytes(begin, end);
  return bytes;
}

}  // namespace

std::optional<CrowdedRange> crowded_range(const Version& version, const LevelPlan& plan, const Shape& shape) {
  constexpr std::size_t kCrowded = 2;    // times as many runs as there should be
  constexpr std::uint64_t kSimilar = 2;  // times as large as all that are newer together
  const BlockedRanges blocked = blocked_below(version, plan, 0);
  for (const BlockedRanges::Range& range : blocked.all()) {
    auto runs = newer_than_damage(version, range.begin, range.end);
    if (runs.size() <= kCrowded * shape.runs_max[0] || runs.size() < 2) continue;
    std::size_t count = 2;
    std::uint64_t bytes =
        bytes_in(*runs[0], range.begin, range.end) + bytes_in(*runs[1], range.begin, range.end);
    for (; count < runs.size(); ++count) {
      const std::uint64_t next = bytes_in(*runs[count], range.begin, range.end);
      if (next > kSimilar * bytes) break;
      bytes += next;
    }
    runs.resize(count);
    return CrowdedRange{range.begin, range.end, std::move(runs)};
  }
  return {};
}

}  // namespace shale::engine::lsm
