// Ranges of keys that compaction leaves alone because a slice there is damaged. What overlaps such a slice
// cannot be merged past it: its newer versions would come to lie below the older ones that can still be read.
#pragma once

#include <optional>
#include <vector>

#include "engine/bytes.h"
#include "engine/lsm/shape.h"
#include "engine/lsm/version.h"

namespace shale::engine::lsm {

// Of a level's runs, in their order.
std::vector<const Run*> pointers_to(const std::vector<Run>& runs);

// As views of the slices of a Version, which must outlive it.
class BlockedRanges {
 public:
  struct Range {
    BytesView begin;
    BytesView end;
  };

  // Those of all slices of these runs that are known to be damaged now.
  explicit BlockedRanges(const std::vector<const Run*>& runs);

  const std::vector<Range>& all() const { return ranges_; }
  // The end of the range that `key` lies in, if it does.
  std::optional<BytesView> end_around(BytesView key) const;
  // The end of the last range that ends at or below `key`; empty if there is none.
  BytesView last_end_before(BytesView key) const;
  // Where the first range above `key` begins, if there is one.
  std::optional<BytesView> next_begin(BytesView key) const;
  // Whether the run has keys outside the ranges, however few: what it has there in bytes may round to
  // nothing.
  bool leave_something_of(const Run& run) const;
  // Bytes that the run has outside the ranges.
  std::uint64_t free_bytes(const Run& run) const;

 private:
  std::vector<Range> ranges_;  // in order, disjoint and not adjacent
};

// What stands in the way of pushing a level's data down, and of merging its runs with each other.
BlockedRanges blocked_below(const Version& version, const LevelPlan& plan, std::uint32_t level);
BlockedRanges blocked_within(const Version& version, std::uint32_t level);

// What of a level may be pushed down, in bytes; of level 0 also in runs.
std::uint64_t movable_bytes(const Version& version, const LevelPlan& plan, std::uint32_t level);
std::size_t movable_runs(const Version& version, const LevelPlan& plan);
// How many runs the level would count if those that cannot be merged into its oldest did not.
std::size_t mergeable_runs(const Version& version, std::uint32_t level);

// Every flush adds a run to level 0, and what of it lies in a blocked range stays. So that reads do not have
// to look into ever more of them, the newest are merged with each other now and then: those that are newer
// than what is damaged in the range, and of these no more than are of similar size.
struct CrowdedRange {
  BytesView begin;
  BytesView end;
  std::vector<const Run*> runs;  // of level 0, newest first; at least two
};
// One that has more such runs than level 0 should, if there is one.
std::optional<CrowdedRange> crowded_range(const Version& version, const LevelPlan& plan, const Shape& shape);

}  // namespace shale::engine::lsm
