// Taking a shard's lock for a command: who has to wait is counted, and for how long.
#pragma once

#include "cluster/shard.h"
#include "engine/io/background.h"

namespace shale::cluster {

// Takes the lock. The clock is read only if somebody else holds it.
void lock_counted(Shard& shard, const engine::Clock& clock);

// Holds one shard's lock, and counts the time from then on as the shard's (ShardStats::busy_ns): for work
// that is long enough to be timed each time, as walks are.
class BusyShardLock {
 public:
  BusyShardLock(Shard& shard, const engine::Clock& clock);
  ~BusyShardLock();
  BusyShardLock(const BusyShardLock&) = delete;
  BusyShardLock& operator=(const BusyShardLock&) = delete;

 private:
  Shard& shard_;
  const engine::Clock& clock_;
  std::chrono::steady_clock::time_point begin_;
};

}  // namespace shale::cluster
