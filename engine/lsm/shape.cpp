#include "engine/lsm/shape.h"

#include <algorithm>

#include "engine/lsm/blocked_ranges.h"

namespace shale::engine::lsm {
namespace {

// A level comes into use when its plan is this much larger than level 0's, and is given up when it is this
// much smaller: a tree whose size sways about the border does not fill and empty a level each time.
constexpr double kUseAbove = 1.25;
constexpr double kGiveUpBelow = 0.6;
// Runs of level 0 are counted, too: narrowed to slices, they may be many without being large.
constexpr double kRunsPerFlush = 2.5;
// Fill of a level that has runs it should not have: due, but after levels that overflow.
constexpr double kMergeRunsFill = 1.01;

// How far a level is beyond its plan, `runs` of it counting.
void fill_level(const Version& version, const Shape& shape, std::uint32_t level, std::size_t runs,
                LevelPlan& plan) {
  const std::uint64_t bytes = plan.movable_bytes[level];
  double& fill = plan.fill[level];
  if (level == 0 || level >= plan.base_level) {
    if (bytes > plan.limit_bytes[level]) plan.debt_bytes += bytes - plan.limit_bytes[level];
    if (level < Version::kLastLevel) {
      fill = static_cast<double>(bytes) / static_cast<double>(plan.limit_bytes[level]);
    }
  } else if (bytes != 0) {
    fill = 2;  // a level that the plan no longer has
    plan.debt_bytes += bytes;
  }
  if (level == 0) {
    fill = std::max(fill, static_cast<double>(runs) / (kRunsPerFlush * shape.runs_max[0]));
  } else if (runs > shape.runs_max[level]) {
    fill = std::max(fill, kMergeRunsFill);
    plan.debt_bytes += version.runs(level).front().bytes();
  }
}

// What tables may be rewritten for each byte of records.
constexpr std::uint64_t kTableRewrites = 2;

std::uint64_t planned_flush_bytes(const Shape& shape) {
  return std::max(shape.flush_bytes, shape.flush_bytes_min / shape.record_bytes_per_table_byte);
}

std::uint64_t planned_fanout(const Shape& shape) {
  return std::max(shape.fanout, shape.record_bytes_per_table_byte / kTableRewrites);
}

}  // namespace

LevelPlan plan_levels(const Version& version, const Shape& shape) {
  constexpr std::uint32_t kLast = Version::kLastLevel;
  LevelPlan plan;
  plan.limit_bytes[0] = shape.runs_max[0] * planned_flush_bytes(shape);
  std::uint64_t limit = version.level_bytes(kLast);
  plan.limit_bytes[kLast] = UINT64_MAX;
  for (std::uint32_t level = kLast - 1; level > 0; --level) {
    limit /= planned_fanout(shape);
    const bool in_use = !version.runs(level).empty();
    const double least = static_cast<double>(plan.limit_bytes[0]) * (in_use ? kGiveUpBelow : kUseAbove);
    if (static_cast<double>(limit) < least) break;
    plan.limit_bytes[level] = limit;
    plan.base_level = level;
  }

  const bool is_damaged = version.damaged_tables() != 0;
  for (std::uint32_t level = 0; level <= kLast; ++level) {
    if (version.runs(level).empty()) continue;
    plan.movable_bytes[level] = version.level_bytes(level);
    std::size_t runs = version.runs(level).size();
    if (is_damaged) {
      plan.movable_bytes[level] = movable_bytes(version, plan, level);
      runs = level == 0 ? movable_runs(version, plan) : mergeable_runs(version, level);
    }
    if (level == 0) plan.level0_runs = runs;
    fill_level(version, shape, level, runs, plan);
  }
  if (is_damaged && crowded_range(version, plan, shape)) {
    plan.fill[0] = std::max(plan.fill[0], kMergeRunsFill);
  }
  return plan;
}

std::uint32_t target_level(const Version& version, const LevelPlan& plan, std::uint32_t level) {
  std::uint32_t target = std::max(level + 1, plan.base_level);
  // A level between that the plan no longer has must be empty before anything passes it by.
  for (std::uint32_t between = target; between > level + 1;) {
    if (!version.runs(--between).empty()) target = between;
  }
  return target;
}

}  // namespace shale::engine::lsm
