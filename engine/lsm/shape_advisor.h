// Adapts a tree's shape to its workload: moves the runs a level may hold, one step at a time, to where what
// was measured in the last seconds would have cost less.
//
// What one more run in a level costs is known: every point read that reaches tables asks one more filter, and
// every seek searches one more run. What it saves is known, too: bytes that come into a level are merged with
// a run of that part of its size. The advisor counts reads, seeks and flushed bytes in windows of some
// seconds, and prices each level's present number against one more and one less. A step is taken when it
// gains clearly in two windows running; since the price has one minimum, and the step back would have to gain
// as clearly, it does not flap. A shape that has changed rewrites nothing: later compactions follow it.
//
// Dostoevsky (SIGMOD 2018) gives the cost of the family of shapes in closed form; that a tree can follow its
// workload by such a model is shown by Endure (VLDB 2022). Here the constants are measured prices.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "engine/lsm/shape.h"
#include "engine/lsm/version.h"

namespace shale::engine::lsm {

// What a tree has been asked to do, counted since it was opened.
struct WorkloadCounts {
  std::uint64_t flushed_bytes = 0;
  std::uint64_t table_reads = 0;       // point reads that no memory could answer
  std::uint64_t seeks = 0;             // of cursors, and each hundred steps once more
  std::uint64_t compaction_bytes = 0;  // read and written
  std::chrono::nanoseconds compaction_time{0};
};

// Used under the tree's lock.
class ShapeAdvisor {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds kWindow{5};

  struct Step {
    std::uint32_t level = 0;
    std::uint32_t runs_max = 0;
    std::string reason;  // for people: what was measured, and what the step saves
  };

  // To be called often; does something once per window. The step to take, if any.
  std::optional<Step> advise(const WorkloadCounts& counts, const Version& version, const Shape& shape,
                             const LevelPlan& plan, TimePoint now);

 private:
  struct Prices;
  struct Idea {
    std::uint32_t level = 0;
    std::uint32_t runs_max = 0;
    bool operator==(const Idea&) const = default;
  };

  WorkloadCounts window_begin_counts_;
  std::optional<TimePoint> window_begin_;
  std::optional<Idea> last_idea_;  // of the window before
};

// A name for people: "leveled", "tiered" or something between.
std::string_view shape_name(const Shape& shape, const LevelPlan& plan);

}  // namespace shale::engine::lsm
