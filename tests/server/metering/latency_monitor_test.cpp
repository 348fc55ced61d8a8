#include "src/metering/latency_monitor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "src/metering/latency_report.h"

namespace shale::server {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST(LatencyMonitor, KeepsTheLongestOfASecond) {
  LatencyMonitor monitor;
  monitor.add("command", milliseconds{5}, 100);
  monitor.add("command", milliseconds{9}, 100);
  monitor.add("command", milliseconds{7}, 100);
  monitor.add("command", milliseconds{3}, 101);
  const auto samples = monitor.history("command");
  ASSERT_THAT(samples, SizeIs(2));
  EXPECT_EQ(samples[0].ms, 9);
  EXPECT_EQ(samples[1].unix_seconds, 101);
  EXPECT_EQ(monitor.events().at("command").longest_ms, 9);
}

TEST(LatencyMonitor, KeepsSoManySamplesAndTheLongestOfAll) {
  LatencyMonitor monitor;
  monitor.add("command", milliseconds{1000}, 0);
  for (int second = 1; second <= 200; ++second) monitor.add("command", milliseconds{1}, second);
  EXPECT_THAT(monitor.history("command"), SizeIs(LatencyMonitor::kSamplesMax));
  EXPECT_EQ(monitor.history("command").front().unix_seconds, 41);
  EXPECT_EQ(monitor.events().at("command").longest_ms, 1000);
}

TEST(LatencyMonitor, ForgetsOneKindOrAll) {
  LatencyMonitor monitor;
  monitor.add("command", milliseconds{1}, 1);
  monitor.add("fast-command", milliseconds{1}, 1);
  EXPECT_FALSE(monitor.reset("nosuch"));
  EXPECT_TRUE(monitor.reset("command"));
  EXPECT_THAT(monitor.history("command"), IsEmpty());
  EXPECT_EQ(monitor.reset(), 1u);
}

TEST(LatencyReport, DrawsAColumnPerSample) {
  const LatencySample samples[] = {{100, 10}, {101, 40}, {160, 20}};
  const std::string graph = draw_latency_graph("command", samples, 50, 163);
  EXPECT_THAT(graph, HasSubstr("command - high 40 ms, low 10 ms (all time high 50 ms)\n"));
  EXPECT_THAT(graph, HasSubstr("\n # \n # \n ##\n###\n"));
  EXPECT_THAT(graph, HasSubstr("\n113\nmms\n"));
}

TEST(LatencyReport, SaysWhatToDo) {
  LatencyMonitor monitor;
  EXPECT_THAT(diagnose_latency(monitor.events(), milliseconds{0}, microseconds{0}),
              HasSubstr("CONFIG SET latency-monitor-threshold"));
  EXPECT_THAT(diagnose_latency(monitor.events(), milliseconds{5}, microseconds{0}),
              HasSubstr("Nothing has taken 5 ms"));
  monitor.add("command", milliseconds{10}, 100);
  monitor.add("command", milliseconds{30}, 110);
  const std::string report = diagnose_latency(monitor.events(), milliseconds{5}, microseconds{10'000});
  EXPECT_THAT(report,
              HasSubstr("1. command: 2 seconds with such events, 20 ms on average (mean deviation 10 ms)"));
  EXPECT_THAT(report, HasSubstr("10 s apart; the longest 30 ms"));
  EXPECT_THAT(report, HasSubstr("slowlog-log-slower-than 5000"));
  EXPECT_THAT(diagnose_latency(monitor.events(), milliseconds{5}, microseconds{-1}),
              HasSubstr("The slow log is off"));
}

}  // namespace
}  // namespace shale::server
