// Compaction: merging tables so that reads find few of them and space held by old versions comes back.
//
// Leveled, with partial compactions: level 0 goes into level 1 when it has kLevel0Trigger tables; a deeper
// level that has outgrown its size gives one table to the next level, chosen round robin by key. Each level
// may be kFanout times the one above it. Sources: O'Neil et al., "The log-structured merge-tree", 1996;
// LevelDB's doc/impl.md for the round-robin choice.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "engine/lsm/tree_store.h"
#include "engine/lsm/version.h"

namespace shale::engine::lsm {

constexpr std::size_t kLevel0Trigger = 4;
constexpr std::uint64_t kFanout = 8;

struct Compaction {
  std::uint32_t level = 0;         // of the upper inputs; results go to level + 1
  std::vector<TableRef> upper;     // newest first if level is 0
  std::vector<TableRef> lower;     // of level + 1, in key order
  bool bottom = false;             // nothing below level + 1 overlaps
  std::vector<TableRef> obsolete;  // tables that hold nothing but obsolete records: dropped unread

  bool is_drop() const { return !obsolete.empty(); }
  // One table with nothing to merge with, and nothing that would be dropped: it only changes its level.
  bool is_move() const {
    return !is_drop() && level > 0 && upper.size() == 1 && lower.empty() &&
           (!bottom || upper.front()->table().properties().tombstone_count == 0);
  }
  std::vector<std::uint64_t> inputs() const;
};

// What to do next, if anything. Used under the tree's lock.
class CompactionPicker {
 public:
  explicit CompactionPicker(const TreeStoreOptions& options) : options_(options) {}

  std::optional<Compaction> pick(const Version& version);
  // Tables all of whose records belong to classes that are no longer live.
  std::optional<Compaction> pick_obsolete(const Version& version) const;
  // Bytes that compactions have to move before every level is within its size.
  std::uint64_t debt_bytes(const Version& version) const;

 private:
  std::uint64_t level_limit_bytes(std::uint32_t level) const;

  const TreeStoreOptions& options_;
  std::array<Bytes, Version::kLevelCount>
      next_key_;  // round robin: where the next compaction of a level begins
};

struct CompactionResult {
  std::vector<TableRef> tables;
  std::uint64_t bytes_written = 0;
};

// Merges the inputs into new tables. Waits for the disk; runs without any lock. On an Error the files made so
// far are removed.
Result<CompactionResult> run_compaction(TreeStore& store, const Compaction& compaction);

}  // namespace shale::engine::lsm
