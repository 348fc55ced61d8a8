// What is counted of the time that commands have, and wait for, a shard's lock.
#include "cluster/shard_lock.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "cluster/transaction.h"
#include "engine/testing/manual_clock.h"
#include "engine/testing/simulated_disk.h"
#include "tests/cluster/engine_of_test.h"

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

class BusyTimeTest : public testing::Test {
 protected:
  BusyTimeTest() {
    StoreOptions options;
    options.folder = "/data";
    options.engine = engine_of_test();
    options.shards = 2;
    options.memtable_bytes = 2u << 20;
    options.cache_bytes = 1u << 20;
    options.log_segment_bytes = 1u << 20;
    options.maintenance_interval = milliseconds{0};
    StoreRecovery recovery;
    store_ = std::move(Store::open(disk_, *background_, clock_, options, recovery)).value();
  }
  ~BusyTimeTest() override {
    background_->stop();
    store_.reset();
  }

  // A key that the shard of this number owns.
  Bytes key_of(std::uint32_t shard) {
    for (int number = 0;; ++number) {
      Bytes key = "key:" + std::to_string(number);
      Bytes position;
      append_position(store_->database_id(0), key, position);
      if (store_->layout()->owner(position).id == ShardId{shard}) return key;
    }
  }
  const ShardStats& stats_of(std::uint32_t shard) { return store_->layout()->find(ShardId{shard})->stats; }

  engine::SimulatedDisk disk_{1};
  std::unique_ptr<engine::Background> background_ = engine::make_thread_background(1, 1);
  engine::ManualClock clock_;
  std::unique_ptr<Store> store_;
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
  const auto& times = store_->layout()->find(ShardId{1})->execution_times;
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
  Shard& shard = *store_->layout()->find(ShardId{0});
  {
    const BusyShardLock lock{shard, clock_};
    clock_.advance(milliseconds{3});
  }
  EXPECT_EQ(shard.stats.busy_ns, 3'000'000);
  EXPECT_TRUE(shard.mutex.try_lock());
  shard.mutex.unlock();
}

}  // namespace
}  // namespace shale::cluster
