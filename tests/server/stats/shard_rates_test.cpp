#include "src/stats/shard_rates.h"

#include <gtest/gtest.h>

namespace shale::server {
namespace {

using std::chrono::seconds;

TEST(DecayedRate, ApproachesASteadyRateAndFallsBackToNothing) {
  DecayedRate rate;
  std::uint64_t total = 0;
  EXPECT_EQ(rate.per_second(), 0);
  rate.update(total += 100, seconds{1});
  EXPECT_NEAR(rate.per_second(), 9.5, 0.1);  // one second of ten
  for (int second = 0; second < 60; ++second) rate.update(total += 100, seconds{1});
  EXPECT_NEAR(rate.per_second(), 100, 1);
  rate.update(total, DecayedRate::kMemory);
  EXPECT_NEAR(rate.per_second(), 36.8, 1);
}

TEST(DecayedRate, DoesNotDependOnHowOftenItIsUpdated) {
  DecayedRate often;
  DecayedRate seldom;
  for (std::uint64_t second = 1; second <= 8; ++second) often.update(50 * second, seconds{1});
  seldom.update(400, seconds{8});
  EXPECT_NEAR(often.per_second(), seldom.per_second(), 1e-9);
}

TEST(ShardRates, AreOfEachShardAlone) {
  std::vector<std::shared_ptr<cluster::Shard>> shards;
  for (std::uint32_t id = 0; id < 2; ++id) {
    shards.push_back(std::make_shared<cluster::Shard>(cluster::ShardId{id}));
  }
  const ShardRates::TimePoint start{};
  ShardRates rates(start);
  EXPECT_EQ(rates.of(cluster::ShardId{1}).reads, 0);
  shards[1]->stats.reads = 1000;
  shards[1]->stats.busy_ns = 500'000'000;
  rates.sample(shards, start + seconds{1});
  rates.sample(shards, start + seconds{1});  // no time has passed: nothing to be learned
  EXPECT_GT(rates.of(cluster::ShardId{1}).reads, 50);
  EXPECT_EQ(rates.of(cluster::ShardId{1}).writes, 0);
  EXPECT_NEAR(rates.of(cluster::ShardId{1}).busy, 0.0476, 0.0001);  // half of one second of ten
  EXPECT_EQ(rates.of(cluster::ShardId{1}).lock_wait, 0);
  EXPECT_EQ(rates.of(cluster::ShardId{0}).reads, 0);
}

}  // namespace
}  // namespace shale::server
