#include "engine/lsm/shape_advisor.h"

#include <fmt/format.h>

#include <algorithm>

namespace shale::engine::lsm {
namespace {

// Nanoseconds, as measured on the development machine (docs/benchmarks.md): orders of magnitude matter here.
constexpr double kReadPerRun = 100;   // one more filter, and now and then a block for nothing
constexpr double kSeekPerRun = 1500;  // one more search for a place, and one more run in the merge
constexpr double kCompactionPerByteUnknown = 5;

// A step must save this part of what its level costs.
constexpr double kWorthwhile = 0.08;
// Of the window's time: a tree that has nothing to do keeps its shape.
constexpr double kBusyEnough = 0.0005;

constexpr std::uint32_t kLevel0RunsMax = 12;
constexpr std::uint32_t kLevel0RunsAlwaysAllowed = 4;
// Level 0 may grow up to this part of the last level: what lies above that is space paid twice.
constexpr double kLevel0Share = 0.1;

}  // namespace

// What the window's workload costs a level, in nanoseconds, as a function of the runs it may hold.
struct ShapeAdvisor::Prices {
  const Version& version;
  const Shape& shape;
  const LevelPlan& plan;
  double flushed_bytes;
  double per_run;  // of all reads and seeks together
  double compaction_per_byte;

  std::uint32_t runs_max_limit(std::uint32_t level) const {
    if (level == Version::kLastLevel) return 1;  // or space would be paid twice
    if (level != 0) return kRunsMaxLimit;
    const double allowed = kLevel0Share * static_cast<double>(version.level_bytes(Version::kLastLevel)) /
                           static_cast<double>(std::max<std::uint64_t>(shape.flush_bytes, 1));
    return std::clamp(static_cast<std::uint32_t>(std::min(allowed, 1e6)), kLevel0RunsAlwaysAllowed,
                      kLevel0RunsMax);
  }

  // Bytes that a level has for its newest run, into which the level above is merged.
  double newest_run_bytes(std::uint32_t level, std::uint32_t runs_max) const {
    const double bytes = level == Version::kLastLevel ? static_cast<double>(version.level_bytes(level))
                                                      : static_cast<double>(plan.limit_bytes[level]);
    return bytes / runs_max;
  }

  // A range of the level above is taken when it is twice as dense as on average (compaction_picker.h).
  double rewritten(double target_bytes, double source_bytes) const {
    return 1 + target_bytes / (2 * std::max(source_bytes, 1.0));
  }

  double of(std::uint32_t level, std::uint32_t runs_max) const {
    double rewrites = 0;
    if (level == 0) {
      const double source = static_cast<double>(runs_max) * static_cast<double>(shape.flush_bytes);
      rewrites = rewritten(newest_run_bytes(plan.base_level, shape.runs_max[plan.base_level]), source);
    } else {
      const std::uint32_t above = level == plan.base_level ? 0 : level - 1;
      rewrites = rewritten(newest_run_bytes(level, runs_max), static_cast<double>(plan.limit_bytes[above]));
    }
    const double runs = level == 0 ? runs_max : (1.0 + runs_max) / 2;
    return flushed_bytes * rewrites * compaction_per_byte + per_run * runs;
  }
};

std::optional<ShapeAdvisor::Step> ShapeAdvisor::advise(const WorkloadCounts& counts, const Version& version,
                                                       const Shape& shape, const LevelPlan& plan,
                                                       TimePoint now) {
  if (!window_begin_) {
    window_begin_ = now;
    window_begin_counts_ = counts;
  }
  const std::chrono::duration<double> passed = now - *window_begin_;
  if (passed < kWindow) return {};
  const WorkloadCounts before = std::exchange(window_begin_counts_, counts);
  window_begin_ = now;

  const auto flushed = static_cast<double>(counts.flushed_bytes - before.flushed_bytes);
  const auto reads = static_cast<double>(counts.table_reads - before.table_reads);
  const auto seeks = static_cast<double>(counts.seeks - before.seeks);
  const double per_byte = counts.compaction_bytes == 0 ? kCompactionPerByteUnknown
                                                       : static_cast<double>(counts.compaction_time.count()) /
                                                             static_cast<double>(counts.compaction_bytes);
  const Prices prices{version, shape, plan, flushed, reads * kReadPerRun + seeks * kSeekPerRun, per_byte};

  std::optional<Idea> best;
  double best_saving = 0;
  double best_part = 0;
  const auto consider = [&](std::uint32_t level, std::uint32_t runs_max) {
    const double present = prices.of(level, shape.runs_max[level]);
    const double saving = present - prices.of(level, runs_max);
    if (saving < kWorthwhile * present || saving <= best_saving) return;
    best = Idea{level, runs_max};
    best_saving = saving;
    best_part = saving / present;
  };
  for (std::uint32_t level = 0; level < Version::kLastLevel; ++level) {
    if (level != 0 && level < plan.base_level) continue;
    const std::uint32_t present = shape.runs_max[level];
    if (present > 1) consider(level, present - 1);
    if (present < prices.runs_max_limit(level)) consider(level, present + 1);
  }
  const bool is_busy = best_saving > kBusyEnough * passed.count() * 1e9;
  const bool again = best && best == last_idea_;
  last_idea_ = is_busy ? best : std::nullopt;
  if (!is_busy || !again) return {};
  // The next step the same way needs one window to agree, not two.
  const bool is_more = best->runs_max > shape.runs_max[best->level];
  last_idea_->runs_max += is_more ? 1 : -1;
  return Step{
      best->level, best->runs_max,
      fmt::format("{:.1f} MB/s flushed, {:.0f} reads/s and {:.0f} seeks/s in tables: {} run{} in level "
                  "{} instead of {} save{} {:.0f} % there",
                  flushed / passed.count() / 1e6, reads / passed.count(), seeks / passed.count(),
                  best->runs_max, best->runs_max == 1 ? "" : "s", best->level, shape.runs_max[best->level],
                  best->runs_max == 1 ? "s" : "", 100 * best_part)};
}

std::string_view shape_name(const Shape& shape, const LevelPlan& plan) {
  std::uint32_t most = 1;
  for (std::uint32_t level = plan.base_level; level < Version::kLastLevel; ++level) {
    most = std::max(most, shape.runs_max[level]);
  }
  if (most == 1 && shape.runs_max[0] <= 4) return "leveled";
  if (most >= kRunsMaxLimit / 2 || shape.runs_max[0] >= 8) return "tiered";
  return "between leveled and tiered";
}

}  // namespace shale::engine::lsm
