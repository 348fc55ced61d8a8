// When shards are split and merged without being asked: decisions only, from what is measured each second.
//
// A shard is split when it is larger than it may be, or when in eight of the last ten seconds it was read,
// written or at work more than it may be, and a cut halves that load; two of its pieces are merged when both
// have been cold for long. What was considered, with the sources of the thresholds: docs/sharding.md, "By
// itself".
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cluster/load_sample.h"
#include "cluster/shard_map.h"

namespace shale::cluster {

// 0 of a limit: none.
struct SplitLimits {
  bool enabled = true;
  std::uint64_t shard_bytes_max = 10ull << 30;  // on disk
  double read_units_max = 100000;               // of 4 KiB, per second
  double write_units_max = 50000;               // of 1 KiB, per second
  double heat_max = 0.25;                       // of a core, at work under the shard's lock
  std::size_t shards_max = 64;
  std::chrono::seconds cool_down{30};     // after a change of a shard until the next
  std::chrono::seconds merge_after{600};  // that both have been cold; 0: never
};

// What a shard was asked for, per second.
struct ShardLoad {
  double read_units = 0;
  double write_units = 0;
  double heat = 0;       // of a core: time under its lock
  double lock_wait = 0;  // seconds that threads have waited for its lock
};

// Used by one thread. Time is the caller's: whoever simulates it can simulate years.
class SplitPolicy {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  struct ShardWindow {
    ShardId id{};
    ShardLoad load;
    std::uint64_t bytes = 0;
    LoadShape shape{};
  };
  // A second, roughly, that has just ended.
  struct Window {
    TimePoint end{};
    double busy = 0;  // of the threads that execute commands: their processor time, 0 to 1
    std::vector<ShardWindow> shards;
    std::vector<std::pair<ShardId, ShardId>> mergeable;  // see kinship.h
  };
  enum class Action : std::uint8_t { none, split, merge };
  struct Decision {
    Action action = Action::none;
    ShardId shard{};
    ShardId other{};        // of a merge
    bool at_front = false;  // cut where the load has come to; else where it halves
    bool by_size = false;   // cut where the data halves, if the load does not say
    std::string cause;      // for people
  };

  // At most one change at a time. To be called for every window.
  Decision decide(const SplitLimits& limits, const Window& window);
  // What has been made of a decision, or by command: `high` came of `low`, `from` went into `into`. In the
  // order in which it happened; also of the past, at a start.
  void note_split(ShardId low, ShardId high, TimePoint at);
  void note_merge(ShardId into, ShardId from, TimePoint at);
  void note_change(ShardId shard, TimePoint at);  // any other, or one that failed

  // Why a shard that is above a limit was or was not split last, and when; empty if it never was above one.
  struct Verdict {
    std::string text;
    TimePoint at{};
  };
  Verdict verdict(ShardId shard) const;

 private:
  // The last ten windows, a bit each, the youngest lowest.
  struct Streak {
    void push(bool is_above) { bits = bits << 1 | (is_above ? 1u : 0u); }
    unsigned count() const;

    std::uint32_t bits = 0;
  };
  struct Streaks {  // of windows above a limit
    Streak reads;
    Streak writes;
    Streak heat;
    Streak saturated;
  };
  struct State {
    Streaks above;
    unsigned flaps = 0;  // how often in a row it was split soon after a merge
    TimePoint changed_at{};
    TimePoint merged_at{};
    Verdict verdict;
  };
  struct Excess {
    std::string cause;  // empty: within its limits
    double times = 0;   // the limit
    bool by_size = false;
  };

  void observe(const SplitLimits& limits, const Window& window);
  Excess excess_of(const SplitLimits& limits, const ShardWindow& shard, const State& state) const;
  std::string refusal(const SplitLimits& limits, const Window& window, const ShardWindow& shard,
                      const Excess& excess) const;
  Decision decide_split(const SplitLimits& limits, const Window& window);
  Decision decide_merge(const SplitLimits& limits, const Window& window);
  static std::chrono::seconds merge_wait(const SplitLimits& limits, unsigned flaps);
  static bool is_cold(const SplitLimits& limits, const ShardWindow& low, const ShardWindow& high);

  std::map<ShardId, State> states_;  // of the shards of the last window
  std::map<std::pair<ShardId, ShardId>, TimePoint> cold_since_;
};

}  // namespace shale::cluster
