// What the server keeps of the commands it has run: INFO's commandstats, errorstats and latencystats,
// SLOWLOG, LATENCY.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/integration/client.h"

namespace shale::integration {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

class SlowCommands : public ::testing::Test {
 protected:
  // The line of INFO `section` that begins so; empty if there is none.
  std::string line(const std::string& section, const std::string& begin) {
    const std::string info = client_.ask("INFO", section);
    const std::size_t at = info.find("\r\n" + begin);
    return at == std::string::npos ? "" : info.substr(at + 2, info.find("\r\n", at + 2) - at - 2);
  }
  std::string calls_of(const std::string& command) {
    return line("commandstats", "cmdstat_" + command + ":");
  }
  std::string errors_of(const std::string& code) { return line("errorstats", "errorstat_" + code + ":"); }

  ServerProcess server_;
  Client client_{server_};
};

TEST_F(SlowCommands, CallsAreCountedByCommandAndSubcommand) {
  client_.ask("SET", "a", "1");
  client_.ask("GET", "a");
  client_.ask("GET", "b");
  client_.ask("CONFIG", "GET", "port");
  EXPECT_THAT(calls_of("get"),
              MatchesRegex("cmdstat_get:calls=2,usec=[0-9]+,usec_per_call=[0-9]+\\.[0-9][0-9],"
                           "rejected_calls=0,failed_calls=0"));
  EXPECT_THAT(calls_of("config\\|get"), "");
  EXPECT_THAT(calls_of("config|get"), HasSubstr("calls=1,"));
  EXPECT_EQ(calls_of("mget"), "");
}

TEST_F(SlowCommands, FailedAndRejectedCallsAreToldApart) {
  client_.ask("SET", "a", "x");
  client_.ask("CONFIG", "RESETSTAT");
  EXPECT_EQ(errors_of("ERR"), "");
  client_.ask("INCR", "a");        // runs, and fails
  client_.ask("SET", "onlyakey");  // is not run
  client_.ask("NOSUCHCOMMAND");    // is not known
  EXPECT_THAT(calls_of("incr"), AllOf(HasSubstr("calls=1,"), HasSubstr("rejected_calls=0,failed_calls=1")));
  EXPECT_THAT(calls_of("set"), AllOf(HasSubstr("calls=0,"), HasSubstr("rejected_calls=1,failed_calls=0")));
  EXPECT_EQ(errors_of("ERR"), "errorstat_ERR:count=3");
  EXPECT_EQ(line("stats", "total_error_replies"), "total_error_replies:3");
  client_.ask("CONFIG", "RESETSTAT");
  EXPECT_EQ(errors_of("ERR"), "");
  EXPECT_EQ(calls_of("incr"), "");
  EXPECT_THAT(calls_of("config|resetstat"), HasSubstr("calls=1,"));
}

TEST_F(SlowCommands, OtherConnectionsCountToo) {
  client_.ask("CONFIG", "RESETSTAT");
  for (int i = 0; i < 8; ++i) {
    Client other{server_};
    other.ask("GET", "a");
  }
  EXPECT_THAT(calls_of("get"), HasSubstr("calls=8,"));
}

TEST_F(SlowCommands, LatenciesAreTrackedWhileThatIsOn) {
  client_.ask("CONFIG", "RESETSTAT");
  client_.ask("CONFIG", "SET", "latency-tracking", "no");
  client_.ask("SET", "a", "b");
  EXPECT_EQ(line("latencystats", "latency_percentiles_usec_set"), "");
  client_.ask("CONFIG", "SET", "latency-tracking", "yes");
  client_.ask("SET", "a", "b");
  EXPECT_THAT(
      line("latencystats", "latency_percentiles_usec_set"),
      MatchesRegex("latency_percentiles_usec_set:p50=[0-9]+\\.[0-9]{3},p99=[0-9]+\\.[0-9]{3},p99.9=[0-9.]+"));
  EXPECT_EQ(client_.ask("CONFIG", "SET", "latency-tracking-info-percentiles", "0.0 50.0 100.0"), "OK");
  EXPECT_EQ(client_.ask("CONFIG", "GET", "latency-tracking-info-percentiles"),
            "[latency-tracking-info-percentiles, 0 50 100]");
  EXPECT_THAT(line("latencystats", "latency_percentiles_usec_set"), ContainsRegex(":p0=.*,p50=.*,p100="));
  EXPECT_THAT(client_.ask("CONFIG", "SET", "latency-tracking-info-percentiles", "50 101"),
              HasSubstr("possibly related to argument 'latency-tracking-info-percentiles'"));
  EXPECT_EQ(client_.ask("CONFIG", "SET", "latency-tracking-info-percentiles", ""), "OK");
  client_.ask("CONFIG", "RESETSTAT");
  EXPECT_EQ(line("latencystats", "latency_percentiles_usec_set"), "");
}

TEST_F(SlowCommands, HistogramsCountCallsByTheirTime) {
  client_.ask("CONFIG", "RESETSTAT");
  EXPECT_THAT(
      client_.ask("LATENCY", "HISTOGRAM"),
      MatchesRegex("\\[config\\|resetstat, \\[calls, \\(integer\\) 1, histogram_usec, \\[.*\\]\\]\\]"));
  client_.ask("CLIENT", "ID");
  client_.ask("SET", "a", "b");
  client_.ask("DEBUG", "SLEEP", "0.02");
  EXPECT_THAT(client_.ask("LATENCY", "HISTOGRAM", "client"), HasSubstr("client|id, [calls, (integer) 1"));
  EXPECT_THAT(client_.ask("LATENCY", "HISTOGRAM", "client|id", "set"),
              AllOf(HasSubstr("client|id, [calls"), HasSubstr("set, [calls")));
  EXPECT_EQ(client_.ask("LATENCY", "HISTOGRAM", "nosuch", "hset"), "[]");
  // 20 ms and more are not counted as less than 16.
  EXPECT_THAT(client_.ask("LATENCY", "HISTOGRAM", "debug"),
              MatchesRegex(".*histogram_usec, \\[\\(integer\\) [0-9]{5,}, \\(integer\\) 1\\].*"));
}

TEST_F(SlowCommands, TheSlowLogKeepsWhatTakesLonger) {
  client_.ask("CONFIG", "SET", "slowlog-log-slower-than", "200000");
  client_.ask("SLOWLOG", "RESET");
  EXPECT_EQ(client_.ask("SLOWLOG", "LEN"), "(integer) 0");
  client_.ask("PING");
  client_.ask("CLIENT", "SETNAME", "me");
  client_.ask("DEBUG", "SLEEP", "0.25");
  EXPECT_THAT(client_.ask("SLOWLOG", "GET"),
              MatchesRegex("\\[\\[\\(integer\\) [0-9]+, \\(integer\\) [0-9]+, \\(integer\\) [0-9]{6,}, "
                           "\\[DEBUG, SLEEP, 0.25\\], 127.0.0.1:[0-9]+, me\\]\\]"));
  EXPECT_EQ(client_.ask("SLOWLOG", "RESET"), "OK");
  client_.ask("CONFIG", "SET", "slowlog-log-slower-than", "-1");
  client_.ask("DEBUG", "SLEEP", "0.25");
  EXPECT_EQ(client_.ask("SLOWLOG", "LEN"), "(integer) 0");
}

TEST_F(SlowCommands, TheSlowLogIsBounded) {
  client_.ask("CONFIG", "SET", "slowlog-log-slower-than", "0", "slowlog-max-len", "10");
  for (int i = 0; i < 30; ++i) client_.ask("PING");
  EXPECT_EQ(client_.ask("SLOWLOG", "LEN"), "(integer) 10");
  EXPECT_EQ(client_.command({"SLOWLOG", "GET", "5"})->elements, 5u);
  EXPECT_EQ(client_.command({"SLOWLOG", "GET", "-1"})->elements, 10u);
  EXPECT_THAT(client_.ask("SLOWLOG", "GET", "-2"), HasSubstr("count should be greater than or equal to -1"));
  client_.ask("CONFIG", "SET", "slowlog-max-len", "1");
  EXPECT_EQ(client_.ask("SLOWLOG", "LEN"), "(integer) 1");
}

TEST_F(SlowCommands, TheSlowLogHidesPasswordsAndShortensWords) {
  client_.ask("CONFIG", "SET", "slowlog-log-slower-than", "0");
  client_.ask("SLOWLOG", "RESET");
  client_.ask("AUTH", "secret");
  client_.ask("CONFIG", "SET", "requirepass", "secret", "requirepass", "secret");
  client_.ask("SET", "a", std::string(129, 'A'));
  const std::string log = client_.ask("SLOWLOG", "GET");
  EXPECT_THAT(log, Not(HasSubstr("secret")));
  EXPECT_THAT(log, HasSubstr("[AUTH, (redacted)]"));
  EXPECT_THAT(log, HasSubstr("[SET, a, " + std::string(128, 'A') + "... (1 more bytes)]"));
}

TEST_F(SlowCommands, EventsAreKeptForLatency) {
  EXPECT_EQ(client_.ask("LATENCY", "LATEST"), "[]");
  EXPECT_THAT(client_.ask("LATENCY", "DOCTOR"), HasSubstr("Latency is not watched"));
  client_.ask("CONFIG", "SET", "latency-monitor-threshold", "200");
  client_.ask("DEBUG", "SLEEP", "0.25");
  EXPECT_THAT(client_.ask("LATENCY", "LATEST"),
              MatchesRegex("\\[\\[command, \\(integer\\) [0-9]{10}, \\(integer\\) [0-9]{3,}, "
                           "\\(integer\\) [0-9]{3,}\\].*\\]"));
  EXPECT_THAT(client_.ask("LATENCY", "HISTORY", "command"),
              MatchesRegex("\\[\\[\\(integer\\) [0-9]{10}, \\(integer\\) [0-9]{3,}\\]\\]"));
  EXPECT_EQ(client_.ask("LATENCY", "HISTORY", "nosuch"), "[]");
  EXPECT_THAT(client_.ask("LATENCY", "GRAPH", "command"), HasSubstr("command - high "));
  EXPECT_EQ(client_.ask("LATENCY", "GRAPH", "nosuch"), "(error) ERR No samples available for event 'nosuch'");
  EXPECT_THAT(client_.ask("LATENCY", "DOCTOR"), HasSubstr("command: 1 seconds with such events"));
  EXPECT_EQ(client_.ask("LATENCY", "RESET", "nosuch"), "(integer) 0");
  EXPECT_EQ(client_.ask("LATENCY", "RESET", "command"), "(integer) 1");
  EXPECT_EQ(client_.ask("LATENCY", "HISTORY", "command"), "[]");
  EXPECT_THAT(client_.ask("LATENCY", "HELP", "x"),
              HasSubstr("wrong number of arguments for 'latency|help' command"));
}

}  // namespace
}  // namespace shale::integration
