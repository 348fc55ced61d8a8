// What to compact next. Jobs are small, whatever the size of the tree: a range of keys, chosen so that the
// inputs come to about TreeStore::compaction_job_bytes(). Ranges of a level follow each other through the
// keys, and at the end begin anew (LevelDB's doc/impl.md): so the next one begins where the level has
// gathered most since it was last taken, and finds twice the average to merge into the same bytes below.
// Damaged slices are gone around (blocked_ranges.h).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/lsm/blocked_ranges.h"
#include "engine/lsm/shape.h"
#include "engine/lsm/tree_store.h"
#include "engine/lsm/version.h"

namespace shale::engine::lsm {

enum class CompactionReason : std::uint8_t {
  overflow,
  merge_runs,
  obsolete_class,
  deletion_age,
  relocate_values
};

struct Compaction {
  CompactionReason reason = CompactionReason::overflow;
  std::uint32_t source_level = 0;
  std::uint32_t target_level = 0;
  std::uint64_t target_run = 0;  // of the target level; may be new
  Bytes begin_key;               // of the keys k that are taken: begin_key <= k < end_key
  Bytes end_key;
  // What overlaps the range, per run, newest run first. Slices may reach beyond the range.
  std::vector<std::vector<TableRef>> inputs;
  bool bottom = false;             // nothing older has keys in the range
  std::vector<TableRef> obsolete;  // slices that hold nothing but obsolete records: dropped unread
  // Value files, ascending, whose values are written elsewhere, up to so many bytes (value_relocation.h).
  std::vector<std::uint64_t> victims;
  std::uint64_t relocation_bytes_max = 0;

  bool is_drop() const { return !obsolete.empty(); }
  // One slice with nothing to merge with, and nothing in it that would be dropped: it only changes its place.
  bool is_move() const;
  std::uint64_t input_bytes() const;
};

// Writes the slice again to where it is: about `part` (0 to 1) of it, from its beginning.
Compaction rewrite_in_place(const Version& version, const TableRef& slice, CompactionReason reason,
                            double part);

// Used under the tree's lock.
class CompactionPicker {
 public:
  explicit CompactionPicker(TreeStore& store) : store_(store) {}

  std::optional<Compaction> pick(const Version& version, const Shape& shape);
  // Tables all of whose records belong to classes that are no longer live.
  std::optional<Compaction> pick_obsolete(const Version& version) const;
  // One step of what has been obsolete since before `due_ms` (ObsoleteTimes) on its way out, the oldest
  // first: towards the last level with tombstones, so that they meet what they hide; expired values in the
  // last level are dropped where they are. Lethe (Sarkar et al., SIGMOD 2020) is the idea: a bound on how
  // long deletes take to become real.
  std::optional<Compaction> pick_overdue(const Version& version, const Shape& shape,
                                         std::int64_t due_ms) const;

 private:
  std::optional<Compaction> pick_level(const Version& version, const Shape& shape, const LevelPlan& plan,
                                       std::uint32_t level);
  // Both begin at `next_key`, or above it, and leave there where they end.
  std::optional<Compaction> push_down(const Version& version, const Shape& shape, const LevelPlan& plan,
                                      std::uint32_t level, Bytes& next_key) const;
  std::optional<Compaction> merge_runs(const Version& version, std::uint32_t level, Bytes& next_key) const;
  std::optional<Compaction> expel(const Version& version, const Shape& shape, const LevelPlan& plan,
                                  const TableRef& slice) const;
  static Compaction merge_crowded(const Version& version, const CrowdedRange& crowded);
  // Sets the beginning of the range; returns whether it begins a new sweep through the keys, or nothing if
  // all of them are blocked.
  static std::optional<bool> begin_range(const std::vector<const Run*>& runs, const Run* target,
                                         const BlockedRanges& blocked, const Bytes& next_key,
                                         Compaction& compaction);
  std::uint64_t choose_target_run(const Version& version, const Shape& shape, const LevelPlan& plan,
                                  std::uint32_t level, bool is_new_sweep) const;
  void take_range(const Version& version, const std::vector<const Run*>& sources, const Run* target,
                  const BlockedRanges& blocked, Bytes& next_key, Compaction& compaction) const;
  void choose_end(const std::vector<const Run*>& sources, const Run* target, Compaction& compaction) const;

  TreeStore& store_;
  // By source level: where the next job begins, of those that push down and of those that merge runs.
  std::array<Bytes, Version::kLevelCount> next_key_;
  std::array<Bytes, Version::kLevelCount> next_merge_key_;
};

}  // namespace shale::engine::lsm
