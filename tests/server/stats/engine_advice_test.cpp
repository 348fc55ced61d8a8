#include "src/stats/engine_advice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace shale::server {
namespace {

using testing::StartsWith;

ShardSnapshot with_cold_reads(std::uint64_t cold) {
  ShardSnapshot shard;
  shard.counts.reads = 1000;
  shard.counts.not_resident = cold;
  return shard;
}

TEST(EngineAdvice, FollowsTheShareOfWritesAndOfColdReads) {
  EXPECT_EQ(engine_advice(with_cold_reads(0), {95, 5}),
            "btree: 95 % of the accesses of late are reads, 0.0 % of reads waited for the disk");
  EXPECT_THAT(engine_advice(with_cold_reads(0), {70, 30}), StartsWith("either: 70 %"));
  EXPECT_THAT(engine_advice(with_cold_reads(0), {30, 70}), StartsWith("lsm: 30 %"));
  EXPECT_THAT(engine_advice(with_cold_reads(200), {95, 5}), StartsWith("lsm: 95 %"));
  EXPECT_THAT(engine_advice(with_cold_reads(0), {1, 1}), StartsWith("either: there is little load"));
}

}  // namespace
}  // namespace shale::server
