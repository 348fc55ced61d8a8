#include "src/metering/command_stats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace shale::server {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

TEST(CommandStats, AddsUpThreads) {
  CommandStats stats(2);
  const CommandId get = command_id(*find_command("get"));
  for (unsigned thread = 0; thread < 2; ++thread) {
    stats.of_thread(thread).count_call(get, 1'000);
    stats.of_thread(thread).record_latency(get, 1'000);
  }
  stats.of_thread(1).count_failed(get);
  stats.of_thread(1).count_rejected(get);
  const CommandTotals total = stats.totals()[get];
  EXPECT_EQ(total.calls, 2);
  EXPECT_EQ(total.ns, 2'000);
  EXPECT_EQ(total.failed, 1);
  EXPECT_EQ(total.rejected, 1);
  EXPECT_EQ(stats.latencies(get)->total(), 2);
}

TEST(CommandStats, AThreadThatHasNotCountedSinceAResetCountsForNothing) {
  CommandStats stats(2);
  const CommandId get = command_id(*find_command("get"));
  for (unsigned thread = 0; thread < 2; ++thread) {
    stats.of_thread(thread).count_call(get, 1'000);
    stats.of_thread(thread).record_latency(get, 1'000);
    stats.of_thread(thread).errors().count("-ERR x\r\n");
  }
  stats.reset();
  EXPECT_FALSE(stats.totals()[get].any());
  EXPECT_EQ(stats.latencies(get)->total(), 0);
  EXPECT_THAT(stats.errors(), IsEmpty());
  stats.of_thread(0).begin_generation(stats.generation());
  stats.of_thread(0).count_call(get, 500);
  EXPECT_EQ(stats.totals()[get].calls, 1);
  EXPECT_EQ(stats.totals()[get].ns, 500);
  EXPECT_EQ(stats.latencies(get)->total(), 0);
}

TEST(ErrorCounts, CountsByCode) {
  ErrorCounts counts;
  counts.count("-WRONGTYPE Operation against\r\n");
  counts.count("-WRONGTYPE Operation against\r\n");
  counts.count("-ERR\r\n");
  ErrorTotals totals;
  counts.add_to(totals);
  EXPECT_THAT(totals, ElementsAre(Pair("ERR", 1), Pair("WRONGTYPE", 2)));
}

TEST(ErrorCounts, TellsSoManyCodesApart) {
  ErrorCounts counts;
  for (int code = 0; code < 1000; ++code) counts.count("-E" + std::to_string(code) + " text\r\n");
  ErrorTotals totals;
  counts.add_to(totals);
  EXPECT_EQ(totals.size(), kErrorCodesMax + 1);
  EXPECT_EQ(totals.at(std::string{kErrorOverflow}), 1000 - static_cast<int>(kErrorCodesMax));
}

}  // namespace
}  // namespace shale::server
