// Meters background work by the byte: every committed byte buys a quota of compaction, so that work keeps
// pace with the writes that cause it instead of coming in bursts (TigerBeetle's compaction beats, and bLSM).
// What nobody buys still runs at an idle rate, and work that is behind is not metered at all.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>

#include "engine/io/background.h"

namespace shale::engine::lsm {

// Thread-safe.
class WorkMeter {
 public:
  // `idle_bytes_per_second` 0: nothing is metered.
  WorkMeter(const Background& background, std::uint64_t idle_bytes_per_second)
      : background_(background), idle_bytes_per_second_(idle_bytes_per_second) {}

  // Writers have committed `bytes`.
  void note_committed(std::uint64_t bytes) { committed_bytes_.fetch_add(bytes, std::memory_order_relaxed); }

  // To be called by a compaction before it reads and writes `bytes` more. Waits until they are paid for, a
  // tenth of a second at most. `behind`: how far work is behind, 1 and more is not metered; `quota`: how many
  // bytes of work a committed byte causes.
  void pay(std::uint64_t bytes, double behind, double quota);

 private:
  const Background& background_;  // once it stops, nobody waits any more
  const std::uint64_t idle_bytes_per_second_;
  std::atomic<std::uint64_t> committed_bytes_ = 0;

  std::mutex mutex_;                  // guards everything below
  std::uint64_t credited_bytes_ = 0;  // of committed_bytes_, those that have bought something
  double credit_ = 0;                 // bytes of work; never more than a second's worth
  std::chrono::steady_clock::time_point credited_at_{};
};

}  // namespace shale::engine::lsm
