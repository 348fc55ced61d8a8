// Keys placed by range, as a user has them: cuts at keys, RANGE over a whole database, SCAN of a prefix, and
// what stays whatever is split, emptied and killed in between.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "tests/integration/client.h"
#include "tests/integration/server_process.h"

namespace shale::integration {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

const std::vector<std::string> kRange{"--sharding", "range"};
const std::vector<std::string> kThreeShards{"--sharding", "range", "--split-points", "p", "g"};

// Where the ranges end, and whose they are: "g:0 p:1 -:2".
std::string layout(Client& client) {
  const std::string ranges = client.ask("STATS", "JSON", "RANGES");
  std::string text;
  for (std::size_t at = 0; (at = ranges.find("\"end_key\":", at)) != std::string::npos;) {
    at += std::string_view{"\"end_key\":"}.size();
    std::string end = ranges.substr(at, ranges.find(',', at) - at);
    std::erase_if(end, [](char c) { return c == '"' || c == '\\'; });
    at = ranges.find("\"shard\":", at) + std::string_view{"\"shard\":"}.size();
    text += fmt::format("{}{}:{}", text.empty() ? "" : " ", end == "null" ? "-" : end,
                        ranges.substr(at, ranges.find(',', at) - at));
  }
  return text;
}

TEST(RangeSharding, CutsStayWhereTheyWereMade) {
  ServerProcess server{kThreeShards};
  {
    Client client{server};
    EXPECT_EQ(layout(client), "g:0 p:1 -:2");
    for (const char* key : {"a", "g", "h", "p", "q", "z"}) EXPECT_EQ(client.ask("SET", key, "1"), "OK");
    EXPECT_THAT(client.ask("SPLIT", "2", "AT", "q"), StartsWith("[change, split, "));
    EXPECT_EQ(layout(client), "g:0 p:1 q:2 -:3");
    EXPECT_EQ(client.ask("MERGE", "1", "3"),
              "(error) ERR shards 1 and 3 are not neighbours: see STATS RANGES");
    EXPECT_THAT(client.ask("MERGE", "1", "2"), StartsWith("[change, merge, "));
    EXPECT_EQ(layout(client), "g:0 q:1 -:3");
    EXPECT_EQ(client.ask("FLUSHDB"), "OK");
    EXPECT_EQ(layout(client), "g:0 q:1 -:3");
    EXPECT_EQ(client.ask("MSET", "a", "2", "h", "2", "z", "2"), "OK");
  }
  server.kill();
  server.start();
  Client client{server};
  EXPECT_EQ(layout(client), "g:0 q:1 -:3");
  EXPECT_EQ(client.ask("RANGE", "-", "+"), "[a, 2, h, 2, z, 2]");
  EXPECT_EQ(client.ask("DBSIZE"), "(integer) 3");
  EXPECT_THAT(client.ask("STATS", "RING"), HasSubstr("STATS RANGES"));
  server.stop();
  EXPECT_EQ(run_server({"--verify", server.folder() + "/data"}).exit_code, 0);
}

// The number behind a name in a flat reply.
double figure(const std::string& reply, const std::string& name) {
  const auto at = reply.find(name + ", ");
  if (at == std::string::npos) return -1;
  const std::string rest = reply.substr(at + name.size() + 2);
  return std::stod(rest.substr(rest.find_first_of("0123456789")));
}

TEST(RangeSharding, PlansTellTheSharesOfKeys) {
  std::vector<std::string> options = kThreeShards;
  options.insert(options.end(), {"--auto-split", "no"});
  ServerProcess server{options};
  Client client{server};
  for (int i = 0; i < 1500; ++i)
    client.append({"SET", fmt::format("{}{:04}", i < 1000 ? "a" : "h", i), "value"});
  for (int i = 0; i < 1500; ++i) ASSERT_EQ(client.next_text(), "OK");
  const std::string split = client.ask("SPLIT", "0", "AT", "a0250", "DRYRUN");
  EXPECT_NEAR(figure(split, "keys_moved_percent"), 75, 1);
  EXPECT_NEAR(figure(split, "key_share_before_percent"), 100 * 2.0 / 3, 1);
  EXPECT_NEAR(figure(split, "key_share_low_percent"), 100.0 / 6, 1);
  EXPECT_NEAR(figure(split, "key_share_high_percent"), 50, 1);
  EXPECT_GE(figure(split, "byte_share_before_percent"), 0);
  EXPECT_THAT(split, HasSubstr("share_before_percent, (nil)"));  // of a ring
  const std::string merge = client.ask("MERGE", "0", "1", "DRYRUN");
  EXPECT_NEAR(figure(merge, "key_share_into_percent"), 100 * 2.0 / 3, 1);
  EXPECT_NEAR(figure(merge, "key_share_from_percent"), 100.0 / 3, 1);
  EXPECT_NEAR(figure(merge, "key_share_after_percent"), 100, 0.1);
  EXPECT_THAT(client.ask("REBALANCE", "DRYRUN"), HasSubstr("keys_moved_percent"));
}

TEST(RangeSharding, RangeReadsADatabaseAcrossShardsInOrder) {
  ServerProcess server{kThreeShards};
  Client client{server};
  for (const char* key : {"a", "f", "g", "{t}", "m", "p", "z"}) ASSERT_EQ(client.ask("SET", key, "v"), "OK");
  ASSERT_EQ(client.ask("SELECT", "3"), "OK");
  ASSERT_EQ(client.ask("SET", "elsewhere", "v"), "OK");
  EXPECT_EQ(client.ask("RANGE", "-", "+", "KEYS"), "[elsewhere]");
  ASSERT_EQ(client.ask("SELECT", "0"), "OK");
  EXPECT_EQ(client.ask("RANGE", "-", "+", "KEYS"), "[a, f, g, m, p, z, {t}]");
  EXPECT_EQ(client.ask("RANGE", "+", "-", "REV", "KEYS"), "[{t}, z, p, m, g, f, a]");
  EXPECT_EQ(client.ask("RANGE", "[f", "(p", "KEYS"), "[f, g, m]");
  EXPECT_EQ(client.ask("RANGE", "(z", "-", "REV", "LIMIT", "3", "KEYS"), "[p, m, g]");
  EXPECT_EQ(client.ask("RANGE", "[p", "(p", "KEYS"), "[]");
}

// The keys of a SCAN from `cursor` on, of at most `pages` pages. Leaves where it got to in `cursor`.
std::vector<std::string> scan(Client& client, std::string& cursor, const std::string& pattern, int pages) {
  std::vector<std::string> keys;
  for (int page = 0; page < pages; ++page) {
    const std::string reply = client.ask("SCAN", cursor, "MATCH", pattern, "COUNT", "100");
    const std::size_t comma = reply.find(", ");
    cursor = reply.substr(1, comma - 1);
    for (std::size_t at = comma + 3; at < reply.size() - 2;) {
      const std::size_t end = std::min(reply.find(", ", at), reply.size() - 2);
      keys.push_back(reply.substr(at, end - at));
      at = end + 2;
    }
    if (cursor == "0") break;
    EXPECT_LT(std::stoull(cursor), 1ull << 53);
  }
  return keys;
}

constexpr int kKeys = 5000;

void fill(Client& client) {
  for (int i = 0; i < kKeys; ++i) client.append({"SET", fmt::format("user:{:05}", i), "v"});
  for (int i = 0; i < kKeys; ++i) ASSERT_EQ(client.next_text(), "OK");
}

TEST(RangeSharding, AScanOfAPrefixCostsWhatItFinds) {
  ServerProcess server{kRange};
  Client client{server};
  ASSERT_NO_FATAL_FAILURE(fill(client));
  ASSERT_THAT(client.ask("SPLIT", "0", "AT", "user:0123"), StartsWith("[change"));
  std::string cursor = "0";
  EXPECT_EQ(scan(client, cursor, "user:012*", 2).size(), 100u);
  EXPECT_EQ(cursor, "0");
  EXPECT_EQ(scan(client, cursor, "user:04999", 1), (std::vector<std::string>{"user:04999"}));
  EXPECT_EQ(cursor, "0");
  EXPECT_TRUE(scan(client, cursor, "order:*", 1).empty());
  EXPECT_EQ(cursor, "0");
}

// All keys are there all the time, and so each must come, with a cursor from before all that happens.
TEST(RangeSharding, AScanMissesNothingOverSplitsMergesFlushesAndAKill) {
  ServerProcess server{kRange};
  std::set<std::string> seen;
  std::string cursor = "0";
  const auto go_on = [&](Client& client, int pages) {
    for (std::string& key : scan(client, cursor, "*", pages)) seen.insert(std::move(key));
  };
  {
    Client client{server};
    ASSERT_NO_FATAL_FAILURE(fill(client));
    go_on(client, 10);
    ASSERT_THAT(client.ask("SPLIT", "0", "AT", "user:01"), StartsWith("[change"));
    go_on(client, 5);
    ASSERT_THAT(client.ask("SPLIT", "1", "AT", "user:016"), StartsWith("[change"));
    ASSERT_EQ(client.ask("SELECT", "1"), "OK");
    ASSERT_EQ(client.ask("FLUSHDB"), "OK");
    ASSERT_EQ(client.ask("SELECT", "0"), "OK");
    go_on(client, 5);
    ASSERT_THAT(client.ask("MERGE", "0", "1"), StartsWith("[change"));
    go_on(client, 5);
    EXPECT_NE(cursor, "0");
  }
  server.kill();
  server.start();
  Client client{server};
  ASSERT_NE(cursor, "0");
  go_on(client, 10 * kKeys);
  EXPECT_EQ(cursor, "0");
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(kKeys));
}

TEST(RangeSharding, AFolderKeepsItsShardingAndTheOptionShowsIt) {
  ServerProcess server{kThreeShards};
  EXPECT_EQ(Client{server}.ask("SET", "a", "1"), "OK");
  server.set_arguments({"--sharding", "ring"});
  server.restart();
  EXPECT_THAT(server.process().output(), AllOf(HasSubstr("'sharding'"), HasSubstr("range")));
  Client client{server};
  EXPECT_EQ(client.ask("CONFIG", "GET", "sharding"), "[sharding, range]");
  EXPECT_EQ(layout(client), "g:0 p:1 -:2");
  EXPECT_EQ(client.ask("GET", "a"), "1");
}

TEST(RangeSharding, ARingShowsItsRangesToo) {
  ServerProcess server{{"--shards", "2", "--virtual-nodes", "3"}};
  Client client{server};
  EXPECT_THAT(client.ask("STATS", "JSON", "RANGES"),
              AllOf(StartsWith(R"({"sharding":"ring","version":1,"count":7,"shown":7,)"),
                    HasSubstr(R"("begin_token":null,"begin_key":null,"end_token":")")));
}

}  // namespace
}  // namespace shale::integration
