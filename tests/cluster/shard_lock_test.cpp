// What is counted of the time that commands have, and wait for, a shard's lock.
#include "cluster/shard_lock.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "cluster/transaction.h"
#include "tests/cluster/simulated_store.h"

namespace shale::cluster {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// Five milliseconds go by between two looks at it; says when it has been looked at first.
class LookedAtClock final : public engine::Clock {
 public:
  std::chrono::steady_clock::time_point now() const override {
    if (looks_++ == 0) first_look_.set_value();
    return std::chrono::steady_clock::time_point{milliseconds{1000 + 5 * looks_}};
  }
  std::int64_t unix_ms() const override { return 0; }
  int looks() const { return looks_; }
  void wait_for_first_look() { first_look_.get_future().wait(); }

 private:
  mutable int looks_ = 0;
  mutable std::promise<void> first_look_;
};

TEST(LockCounted, ReadsNoClockWhereNobodyHasTheLock) {
  Shard shard{ShardId{0}};
  const LookedAtClock clock;
  lock_counted(shard, clock);
  shard.mutex.unlock();
  EXPECT_EQ(clock.looks(), 0);
  EXPECT_EQ(shard.stats.lock_holds, 1);
  EXPECT_EQ(shard.stats.lock_waits, 0);
}

TEST(LockCounted, CountsHowLongItHadToWait) {
  Shard shard{ShardId{0}};
  LookedAtClock clock;
  shard.mutex.lock();
  std::thread waiter([&] {
    lock_counted(shard, clock);
    shard.mutex.unlock();
  });
  clock.wait_for_first_look();
  shard.mutex.unlock();
  waiter.join();
  EXPECT_EQ(shard.stats.lock_holds, 1);
  EXPECT_EQ(shard.stats.lock_waits, 1);
  EXPECT_EQ(shard.stats.lock_wait_ns, 5'000'000);
  EXPECT_GE(shard.lock_wait_times.percentile(0.5, clock.now()), milliseconds{5});
}

class BusyTimeTest : public SimulatedStoreTest {
 protected:
  const ShardStats& stats_of(std::uint32_t id) { return shard(id).stats; }
};

TEST_F(BusyTimeTest, IsEstimatedFromTheRunsThatAreTimed) {
  const Bytes key = key_of(1);
  ShardLocks locks{*store_};
  constexpr int kRuns = 20'000;
  for (int run = 0; run < kRuns; ++run) {
    locks.clear();
    locks.add(0, key);
    locks.lock();
    clock_.advance(microseconds{run % 2 == 0 ? 10 : 30});
    locks.note_executed(0, 1);
    locks.unlock();
  }
  const double expected_ns = kRuns * 20e3;
  EXPECT_NEAR(static_cast<double>(stats_of(1).busy_ns), expected_ns, expected_ns / 10);
  EXPECT_EQ(stats_of(1).lock_holds, kRuns);
  EXPECT_EQ(stats_of(0).busy_ns, 0);
  const RecentDurations& times = shard(1).execution_times;
  EXPECT_GE(times.percentile(0.25, clock_.now()), microseconds{10});
  EXPECT_LT(times.percentile(0.25, clock_.now()), microseconds{12});
  EXPECT_GE(times.percentile(0.99, clock_.now()), microseconds{30});
}

TEST_F(BusyTimeTest, IsThatOfEachCommandsShardsAlone) {
  const Bytes keys[] = {key_of(0), key_of(1), key_of(1)};
  ShardLocks locks{*store_};
  for (const Bytes& key : keys) locks.add(0, key);
  locks.lock();  // the first run is timed
  clock_.advance(milliseconds{1});
  locks.note_executed(0, 1);
  clock_.advance(milliseconds{8});
  locks.note_executed(1, 2);
  locks.unlock();
  EXPECT_EQ(stats_of(0).busy_ns, 1'000'000 * ShardLocks::kTimedStride);
  EXPECT_EQ(stats_of(1).busy_ns, 8'000'000 * ShardLocks::kTimedStride);
}

TEST_F(BusyTimeTest, IsCountedAsItIsWhereEveryHoldIsTimed) {
  Shard& held = shard(0);
  {
    const BusyShardLock lock{held, clock_};
    clock_.advance(milliseconds{3});
  }
  EXPECT_EQ(held.stats.busy_ns, 3'000'000);
  EXPECT_TRUE(held.mutex.try_lock());
  held.mutex.unlock();
}

}  // namespace
}  // namespace shale::cluster
