// STATS, as programs read it: the same figures in RESP2, RESP3 and JSON; and as people do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/integration/client.h"
#include "tests/integration/commands_connection.h"
#include "tests/integration/server_process.h"

namespace shale::integration {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

// The value of a name in the list of pairs that RESP2 has for a map; null if there is none.
const redisReply* at(const redisReply* pairs, std::string_view name) {
  for (std::size_t i = 0; pairs != nullptr && i + 1 < pairs->elements; i += 2) {
    if (std::string_view{pairs->element[i]->str, pairs->element[i]->len} == name)
      return pairs->element[i + 1];
  }
  return nullptr;
}

long long number_at(const redisReply* pairs, std::string_view name) {
  const redisReply* value = at(pairs, name);
  EXPECT_TRUE(value != nullptr && value->type == REDIS_REPLY_INTEGER) << name;
  return value == nullptr ? -1 : value->integer;
}

class StatsCommand : public ::testing::Test {
 protected:
  StatsCommand() {
    for (int i = 0; i < kKeys; ++i) client_.append({"SET", "key:" + std::to_string(i), "value"});
    for (int i = 0; i < kKeys; ++i) client_.next_text();
    client_.ask("SELECT", "3");
    client_.ask("SET", "elsewhere", "value");
  }
  std::string ask(const std::string& subcommand) { return client_.ask("STATS", subcommand); }

  static constexpr int kKeys = 200;
  ServerProcess server_{{"--shards", "4"}};
  Client client_{server_};
};

TEST_F(StatsCommand, IsLinesForRedisCliAndVerbatimTextInResp3) {
  const Reply lines = client_.command({"STATS"});
  ASSERT_EQ(lines->type, REDIS_REPLY_ARRAY);
  EXPECT_EQ(lines->element[0]->type, REDIS_REPLY_STATUS);
  const std::string text = to_text(lines.get());
  EXPECT_THAT(text, AllOf(StartsWith("[Server, "), HasSubstr(", Memory, "), HasSubstr(", Log, "),
                          HasSubstr(", LSM, "), HasSubstr(", Shards, ")));
  EXPECT_THAT(text, HasSubstr("  id  engine"));
  CommandConnection resp3(server_.port());
  resp3.run("HELLO 3");
  EXPECT_THAT(resp3.run("STATS"), MatchesRegex("=[0-9]+\r\ntxt:Server\n(.|\n)*\nShards\n(.|\n)*\r\n"));
}

TEST_F(StatsCommand, IsMapsInResp3) {
  CommandConnection resp3(server_.port());
  resp3.run("HELLO 3");
  EXPECT_THAT(resp3.run("STATS SHARDS"),
              MatchesRegex("%2\r\n\\$5\r\ncount\r\n:4\r\n\\$6\r\nshards\r\n\\*4\r\n"
                           "%[0-9]+\r\n\\$2\r\nid\r\n:0\r\n(.|\n)*"));
  EXPECT_THAT(resp3.run("STATS LSM"), StartsWith("%3\r\n$6\r\ntotals\r\n%5\r\n$9\r\nmemtables\r\n%3\r\n"));
  EXPECT_THAT(resp3.run("STATS SHARD 1"), AllOf(StartsWith("%"), HasSubstr("$3\r\nlsm\r\n%8\r\n")));
  EXPECT_THAT(resp3.run("STATS RING"), HasSubstr("$12\r\nring_percent\r\n,2"));
}

TEST_F(StatsCommand, CountsEveryKeyOnceAmongTheShards) {
  const Reply reply = client_.command({"STATS", "SHARDS"});
  const redisReply* shards = at(reply.get(), "shards");
  ASSERT_TRUE(shards != nullptr && shards->elements == 4);
  long long keys = 0;
  long long writes = 0;
  for (std::size_t id = 0; id < shards->elements; ++id) {
    EXPECT_EQ(number_at(shards->element[id], "id"), static_cast<long long>(id));
    keys += number_at(shards->element[id], "keys");
    writes += number_at(shards->element[id], "writes");
  }
  EXPECT_EQ(keys, kKeys + 1);
  EXPECT_EQ(writes, kKeys + 1);
}

TEST_F(StatsCommand, AShardIsTheOneThatShardsLists) {
  const Reply all = client_.command({"STATS", "SHARDS"});
  const Reply one = client_.command({"STATS", "shard", "2"});
  EXPECT_EQ(number_at(one.get(), "id"), 2);
  EXPECT_EQ(number_at(one.get(), "keys"), number_at(at(all.get(), "shards")->element[2], "keys"));
  EXPECT_GE(number_at(one.get(), "ring_ranges"), 150);
  EXPECT_NE(at(at(one.get(), "lsm"), "levels"), nullptr);
}

TEST_F(StatsCommand, AShardTellsHowOftenItsLockWasTakenAndWhatCommandsTook) {
  const Reply shard = client_.command({"STATS", "SHARD", "1"});
  EXPECT_GT(number_at(shard.get(), "lock_holds"), 0);
  EXPECT_GE(number_at(shard.get(), "lock_waits"), 0);
  for (const auto* name : {"busy_percent", "lock_wait_percent", "latency_p50_us", "latency_p99_us",
                           "lock_wait_p50_us", "lock_wait_p99_us"}) {
    EXPECT_NE(at(shard.get(), name), nullptr) << name;
  }
}

TEST_F(StatsCommand, HotKeysAreThoseThatAreAccessedMostTheHottestFirst) {
  for (int i = 0; i < 60; ++i) client_.ask("GET", "elsewhere");
  for (int i = 0; i < 20; ++i) client_.ask("SET", "written", "value");
  for (int i = 0; i < 99; ++i) client_.ask("GET", "nowhere");
  const Reply reply = client_.command({"STATS", "HOTKEYS", "2"});
  EXPECT_EQ(number_at(reply.get(), "count"), 2);
  const redisReply* keys = at(reply.get(), "keys");
  ASSERT_TRUE(keys != nullptr && keys->elements == 2);
  const redisReply* first = keys->element[0];
  EXPECT_EQ(to_text(at(first, "key")), "elsewhere");
  EXPECT_EQ(number_at(first, "key_bytes"), 9);
  EXPECT_EQ(number_at(first, "truncated"), 0);
  EXPECT_EQ(number_at(first, "database"), 3);
  EXPECT_GT(std::stod(to_text(at(first, "reads_per_second"))),
            std::stod(to_text(at(first, "writes_per_second"))));
  EXPECT_EQ(to_text(at(keys->element[1], "key")), "written");
  EXPECT_EQ(to_text(at(keys->element[1], "reads_per_second")), "0");

  const std::string shard = std::to_string(number_at(first, "shard"));
  const Reply of_shard = client_.command({"STATS", "SHARD", shard});
  EXPECT_EQ(to_text(at(at(of_shard.get(), "hot_keys")->element[0], "key")), "elsewhere");
  EXPECT_THAT(client_.ask("STATS", "JSON", "hotkeys", "1"),
              StartsWith(R"({"count":1,"keys":[{"key":"elsewhere","key_bytes":9,)"));
  EXPECT_THAT(to_text(client_.command({"STATS"}).get()), HasSubstr("hottest key  \"elsewhere\", "));
}

TEST_F(StatsCommand, HotKeysOfAFlushedDatabaseAreGone) {
  for (int i = 0; i < 30; ++i) client_.ask("GET", "elsewhere");  // of database 3
  client_.ask("FLUSHDB");
  EXPECT_THAT(client_.ask("STATS", "JSON", "HOTKEYS"), Not(HasSubstr("elsewhere")));
  EXPECT_THAT(client_.ask("STATS", "JSON", "HOTKEYS"), HasSubstr("key:"));
  client_.ask("FLUSHALL");
  EXPECT_EQ(client_.ask("STATS", "JSON", "HOTKEYS"), R"({"count":0,"keys":[]})");
  EXPECT_THAT(to_text(client_.command({"STATS"}).get()), HasSubstr("hottest key  none"));
}

TEST_F(StatsCommand, AHotKeyThatIsVeryLongIsShownByItsBeginning) {
  const std::string key(5000, 'k');
  for (int i = 0; i < 60; ++i) client_.ask("SET", key, "value");
  const Reply reply = client_.command({"STATS", "HOTKEYS", "1"});
  const redisReply* hottest = at(reply.get(), "keys")->element[0];
  EXPECT_EQ(number_at(hottest, "key_bytes"), 5000);
  EXPECT_EQ(number_at(hottest, "truncated"), 1);
  EXPECT_THAT(to_text(at(hottest, "key")), MatchesRegex("k+"));
}

TEST_F(StatsCommand, ALsmTreeShowsItsLevelsAndTheKeysAtTheirEnds) {
  const Reply totals = client_.command({"STATS", "LSM"});
  EXPECT_EQ(at(totals.get(), "shards")->elements, 4u);
  EXPECT_GT(number_at(at(at(totals.get(), "totals"), "writes"), "user_bytes"), kKeys * 5);
  EXPECT_NE(at(at(totals.get(), "block_cache"), "capacity_bytes"), nullptr);
  const Reply tree = client_.command({"STATS", "LSM", "0"});
  const redisReply* levels = at(tree.get(), "levels");
  ASSERT_TRUE(levels != nullptr && levels->elements == 7);
  EXPECT_EQ(number_at(levels->element[6], "level"), 6);
  EXPECT_EQ(at(levels->element[6], "begin_key")->type, REDIS_REPLY_NIL);  // nothing has been flushed yet
  EXPECT_EQ(at(at(tree.get(), "amplification"), "read")->type, REDIS_REPLY_NIL);
  EXPECT_NE(to_text(at(at(tree.get(), "shape"), "name")), "");
}

TEST_F(StatsCommand, LogMemoryAndRingSayWhatIsTrue) {
  const Reply log = client_.command({"STATS", "LOG"});
  EXPECT_EQ(number_at(log.get(), "appended_lsn"), kKeys + 1);
  EXPECT_EQ(to_text(at(log.get(), "appendfsync")), "everysec");
  EXPECT_EQ(to_text(at(log.get(), "status")), "ok");
  const Reply memory = client_.command({"STATS", "MEMORY"});
  EXPECT_EQ(number_at(memory.get(), "budget_bytes"), 256 << 20);
  EXPECT_GT(number_at(at(memory.get(), "parts")->element[0], "used_bytes"), 0);  // memtables
  const Reply ring = client_.command({"STATS", "RING"});
  long long ranges = 0;
  double percent = 0;
  for (std::size_t id = 0; id < 4; ++id) {
    const redisReply* shard = at(ring.get(), "shards")->element[id];
    ranges += number_at(shard, "ranges");
    percent += std::stod(to_text(at(shard, "ring_percent")));
  }
  EXPECT_EQ(number_at(ring.get(), "ranges"), ranges);
  EXPECT_NEAR(percent, 100, 0.01);
}

TEST(StatsOfAShape, IsTheOneThatTheOptionAsksFor) {
  const ServerProcess server{{"--compaction", "tiered"}};
  Client client{server};
  EXPECT_THAT(client.ask("STATS", "JSON", "LSM", "0"), HasSubstr(R"("shape":{"name":"tiered",)"));
}

TEST_F(StatsCommand, JsonIsTheSameAsText) {
  EXPECT_THAT(client_.ask("STATS", "JSON", "shards"),
              StartsWith(R"({"count":4,"shards":[{"id":0,"engine":"lsm","ring_percent":)"));
  EXPECT_THAT(client_.ask("STATS", "JSON", "SHARD", "3"), StartsWith(R"({"id":3,"engine":"lsm",)"));
  EXPECT_THAT(
      client_.ask("STATS", "JSON", "LSM", "1"),
      AllOf(StartsWith(R"({"id":1,"memtables":{"active_bytes":)"), HasSubstr(R"("levels":[{"level":0,)")));
  EXPECT_THAT(ask("JSON"), AllOf(StartsWith(R"({"server":{"version":)"), HasSubstr(R"("shards":[{"id":0)")));
}

TEST_F(StatsCommand, RefusesWhatIsNotThereInRedissWords) {
  EXPECT_EQ(ask("nosuch"), "(error) ERR unknown subcommand 'nosuch'. Try STATS HELP.");
  EXPECT_EQ(client_.ask("STATS", "JSON", "nosuch"),
            "(error) ERR unknown subcommand 'nosuch'. Try STATS HELP.");
  EXPECT_EQ(client_.ask("STATS", "JSON", "help"), "(error) ERR unknown subcommand 'help'. Try STATS HELP.");
  EXPECT_EQ(client_.ask("STATS", "SHARD", "4"), "(error) ERR No such shard ID");
  EXPECT_EQ(client_.ask("STATS", "SHARD", "-1"), "(error) ERR No such shard ID");
  EXPECT_EQ(client_.ask("STATS", "LSM", "x"), "(error) ERR Invalid shard ID");
  EXPECT_EQ(client_.ask("STATS", "HOTKEYS", "0"), "(error) ERR count should be greater than 0");
  EXPECT_EQ(client_.ask("STATS", "HOTKEYS", "x"), "(error) ERR value is not an integer or out of range");
  EXPECT_EQ(ask("SHARD"), "(error) ERR wrong number of arguments for 'stats|shard' command");
  EXPECT_EQ(client_.ask("STATS", "LSM", "1", "2"),
            "(error) ERR wrong number of arguments for 'stats|lsm' command");
  EXPECT_EQ(client_.ask("STATS", "JSON", "SHARD"),
            "(error) ERR wrong number of arguments for 'stats|json' command");
  EXPECT_THAT(ask("HELP"), StartsWith("[STATS <subcommand> [<arg> [value] [opt] ...]. Subcommands are:, "));
}

}  // namespace
}  // namespace shale::integration
