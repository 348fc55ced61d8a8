// The form a tree aims at: how many sorted runs a level may hold, and how many bytes.
//
// Leveled and tiered compaction are one mechanism with one integer per level, the runs it may hold. At 1 what
// comes into a level is merged with what is there (leveled: few runs for reads, bytes rewritten often). At n
// it is merged only with the newest run until that has its n-th part of the level, and then a new run is
// begun (tiered: bytes rewritten seldom, n runs for every read). Dayan, Idreos, "Dostoevsky" (SIGMOD 2018),
// call the family a fluid LSM-tree; Cassandra's UnifiedCompactionStrategy has an operator set such an
// integer.
//
// Sizes are planned from below, as in RocksDB's dynamic level sizes (Dong et al., CIDR 2017): the last level
// is as large as the data, each one above it kFanout times smaller, and levels that would be smaller than
// level 0 stay empty. So all that lies above the last level is a known share of it, whatever its size.
#pragma once

#include <array>
#include <cstdint>

#include "engine/lsm/version.h"

namespace shale::engine::lsm {

constexpr std::uint64_t kFanout = 8;
constexpr std::uint32_t kRunsMaxLimit = 8;  // of a level below level 0: more runs than kFanout cannot fill it

struct Shape {
  // Level 0 counts in flushes: so many memtables' bytes may lie in it.
  std::array<std::uint32_t, Version::kLevelCount> runs_max{4, 2, 2, 2, 2, 2, 1};
  std::uint64_t flush_bytes = 0;              // of a run of level 0, as flushes have been of late
  std::uint64_t flush_bytes_min = 64u << 10;  // what a run of level 0 counts for at least
  std::uint64_t fanout = kFanout;             // how many times larger a level is than the one above
  // How many bytes of records a byte of tables stands for: large where values are in value files. Merging
  // then costs little, and what upper levels hide costs much: garbage that nobody sees (value_census.h). So
  // level 0 is smaller and the last level follows sooner.
  std::uint64_t record_bytes_per_table_byte = 1;

  bool operator==(const Shape&) const = default;
};

// What the shape comes to for a tree of this size.
struct LevelPlan {
  std::uint32_t base_level = Version::kLastLevel;                 // where level 0 goes
  std::array<std::uint64_t, Version::kLevelCount> limit_bytes{};  // of the last level: no limit

  // What compaction may move of a level; less than it holds only where there is damage (blocked_ranges.h).
  std::array<std::uint64_t, Version::kLevelCount> movable_bytes{};
  std::size_t level0_runs = 0;  // likewise, of level 0's runs
  // At most 1 for a level within its plan.
  std::array<double, Version::kLevelCount> fill{};
  // Bytes that compactions have to move before every level is within its plan.
  std::uint64_t debt_bytes = 0;
};
LevelPlan plan_levels(const Version& version, const Shape& shape);
// Where a level's data goes next.
std::uint32_t target_level(const Version& version, const LevelPlan& plan, std::uint32_t level);

}  // namespace shale::engine::lsm
