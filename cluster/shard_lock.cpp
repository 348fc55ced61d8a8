#include "cluster/shard_lock.h"

namespace shale::cluster {

void lock_counted(Shard& shard, const engine::Clock& clock) {
  if (!shard.mutex.try_lock()) {
    const auto begin = clock.now();
    shard.mutex.lock();
    const auto end = clock.now();
    ++shard.stats.lock_waits;
    shard.stats.lock_wait_ns += static_cast<std::uint64_t>(std::chrono::nanoseconds{end - begin}.count());
    shard.lock_wait_times.note(end - begin, end);
  }
  ++shard.stats.lock_holds;
}

BusyShardLock::BusyShardLock(Shard& shard, const engine::Clock& clock) : shard_(shard), clock_(clock) {
  lock_counted(shard, clock);
  begin_ = clock.now();
}

BusyShardLock::~BusyShardLock() {
  const auto end = clock_.now();
  shard_.stats.busy_ns += static_cast<std::uint64_t>(std::chrono::nanoseconds{end - begin_}.count());
  shard_.execution_times.note(end - begin_, end);
  shard_.mutex.unlock();
}

}  // namespace shale::cluster
