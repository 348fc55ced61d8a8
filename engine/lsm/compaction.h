// Runs a compaction: merges what its inputs have in a range of keys into new tables.
#pragma once

#include <chrono>
#include <cstdint>
#include <set>
#include <vector>

#include "engine/lsm/compaction_picker.h"
#include "engine/lsm/tree_store.h"
#include "engine/lsm/version.h"

namespace shale::engine::lsm {

struct CompactionResult {
  std::vector<TableRef> tables;         // new, in key order
  std::vector<TableRef> leftover;       // what stays of inputs that reach beyond the range, narrowed
  std::vector<std::uint64_t> consumed;  // numbers of tables that are gone or left over: VersionEdit::removed
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_written = 0;            // value files included
  std::uint64_t relocated_bytes = 0;          // of values
  std::set<std::uint64_t> unreadable_values;  // value files of which a value could not be relocated
  std::chrono::nanoseconds busy_time{0};      // processor time of the thread
};

// How a job is metered: WorkMeter::pay.
struct WorkPace {
  double behind = 1;
  double quota = 1;
};

// Waits for the disk; runs without any lock. `version` is the one that the compaction was picked from. On an
// Error (io, no_space, corruption; stopped if the background is being stopped) the files made so far are
// removed. Nothing is in the version yet.
Result<CompactionResult> run_compaction(TreeStore& store, const Version& version,
                                        const Compaction& compaction, const WorkPace& pace);

}  // namespace shale::engine::lsm
