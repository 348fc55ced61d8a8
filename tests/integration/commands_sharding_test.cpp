// SPLIT, MERGE and ENGINE as a user has them, and that no key is lost on the way.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <regex>
#include <string>
#include <thread>

#include "tests/integration/client.h"
#include "tests/integration/server_process.h"

namespace shale::integration {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr int kKeys = 3000;

std::string key(int number) { return fmt::format("key:{}", number); }

std::string value(int number, std::size_t bytes) {
  std::string value = fmt::format("value {}", number);
  value.resize(std::max(value.size(), bytes), '.');
  return value;
}

// Values of `bytes` at least.
void fill(Client& client, std::size_t bytes = 0) {
  for (int i = 0; i < kKeys; ++i) client.append({"SET", key(i), value(i, bytes)});
  for (int i = 0; i < kKeys; ++i) ASSERT_EQ(client.next_text(), "OK");
}

void expect_all(Client& client, std::size_t bytes = 0) {
  for (int i = 0; i < kKeys; ++i) client.append({"GET", key(i)});
  for (int i = 0; i < kKeys; ++i) ASSERT_EQ(client.next_text(), value(i, bytes));
  EXPECT_EQ(client.ask("DBSIZE"), fmt::format("(integer) {}", kKeys));
}

TEST(Sharding, SplitsAndMergesByCommandAndKeepsItOverAKill) {
  ServerProcess server{{"--shards", "2"}};
  {
    Client client{server};
    ASSERT_NO_FATAL_FAILURE(fill(client));
    const std::string planned = client.ask("SPLIT", "1", "DRYRUN");
    EXPECT_THAT(planned, HasSubstr("moved_of_shard_percent"));
    EXPECT_THAT(client.ask("STATS", "JSON", "SHARDS"), HasSubstr(R"("count":2)"));
    EXPECT_THAT(client.ask("SPLIT", "1"), StartsWith("[change, split, "));
    EXPECT_THAT(client.ask("SPLIT", "2"), StartsWith("[change, split, "));
    EXPECT_THAT(client.ask("STATS", "JSON", "SHARDS"), HasSubstr(R"("count":4)"));
    ASSERT_NO_FATAL_FAILURE(expect_all(client));
  }
  server.kill();
  server.start();
  Client client{server};
  EXPECT_THAT(client.ask("STATS", "JSON", "SHARDS"), HasSubstr(R"("count":4)"));
  ASSERT_NO_FATAL_FAILURE(expect_all(client));
  EXPECT_THAT(client.ask("MERGE", "3", "2", "DRYRUN"),
              StartsWith("[shard, (integer) 2, other_shard, (integer) 3, way, joined without a copy, "));
  EXPECT_THAT(client.ask("STATS", "JSON", "SHARDS"), HasSubstr(R"("count":4)"));
  EXPECT_THAT(client.ask("MERGE", "2", "3"), StartsWith("[change, merge, "));
  EXPECT_THAT(client.ask("STATS", "JSON", "SHARDS"), HasSubstr(R"("count":3)"));
  ASSERT_NO_FATAL_FAILURE(expect_all(client));
  EXPECT_THAT(client.ask("STATS", "HISTORY"), HasSubstr("merge"));
}

TEST(Sharding, MovesAShardToTheOtherEngineAndBack) {
  ServerProcess server{{"--shards", "2"}};
  Client client{server};
  ASSERT_NO_FATAL_FAILURE(fill(client));
  for (const char* engine : {"btree", "lsm"}) {
    ASSERT_EQ(client.ask("ENGINE", "0", engine), "OK");
    for (int round = 0; round < 10000; ++round) {
      if (client.ask("STATS", "JSON", "SHARD", "0").find(R"("change":"none")") != std::string::npos) break;
      std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
    EXPECT_THAT(client.ask("STATS", "JSON", "SHARD", "0"),
                HasSubstr(fmt::format(R"("engine":"{}")", engine)));
    ASSERT_NO_FATAL_FAILURE(expect_all(client));
    EXPECT_EQ(client.ask("ENGINE", "0", engine), "OK");  // it is there
  }
}

// What is read too much is split without being asked for, and every key is still there.
TEST(Sharding, SplitsByItself) {
  ServerProcess server{{"--shards", "1", "--shard-max-read-rate", "100", "--shard-max-heat", "0"}};
  Client client{server};
  ASSERT_NO_FATAL_FAILURE(fill(client));
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (client.ask("STATS", "HISTORY").find("itself") == std::string::npos) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    ASSERT_NO_FATAL_FAILURE(expect_all(client));
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
  EXPECT_THAT(client.ask("STATS", "JSON", "SHARDS"), HasSubstr(R"("count":2)"));
  EXPECT_THAT(client.ask("STATS", "JSON", "SHARD", "0"), HasSubstr("split for reads"));
  ASSERT_NO_FATAL_FAILURE(expect_all(client));
  // Its limits may be changed, and it may be forbidden.
  EXPECT_EQ(client.ask("CONFIG", "SET", "auto-split", "no", "shard-max-read-rate", "7"), "OK");
  EXPECT_EQ(client.ask("CONFIG", "GET", "shard-max-read-rate"), "[shard-max-read-rate, 7]");
}

// Bytes are as of the moment: a B+ tree builds pages anew in the background.
std::string without_bytes(const std::string& plan) {
  static const std::regex kOfBytes{R"(((?:byte|largest_share)\w*), (?:\(integer\) )?[0-9.]+)"};
  return std::regex_replace(plan, kOfBytes, "$1");
}

TEST(Sharding, RebalanceSplitsWhatIsTooLarge) {
  ServerProcess server{{"--shards", "1", "--auto-split", "no"}};
  Client client{server};
  constexpr std::size_t kBytes = 500;  // so that a page more or less is little
  ASSERT_NO_FATAL_FAILURE(fill(client, kBytes));
  EXPECT_THAT(client.ask("REBALANCE", "DRYRUN"), HasSubstr("[keys, (integer) 3000, "));
  EXPECT_THAT(client.ask("REBALANCE", "DRYRUN"), HasSubstr("steps, []"));  // one shard is even
  // Of very different sizes: a half, a quarter, and so on.
  for (const char* shard : {"0", "1", "2", "3", "4", "5", "6"})
    ASSERT_THAT(client.ask("SPLIT", shard), StartsWith("[change, split, "));
  const std::string planned = client.ask("REBALANCE", "DRYRUN");
  EXPECT_THAT(planned, HasSubstr("[change, split, shard, (integer) 0, "));
  EXPECT_THAT(planned, HasSubstr("[change, merge, "));
  EXPECT_THAT(client.ask("STATS", "HISTORY"), Not(HasSubstr("REBALANCE")));
  EXPECT_EQ(without_bytes(client.ask("REBALANCE")), without_bytes(planned));
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  const auto count_of = [](const std::string& text, const std::string& part) {
    int count = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
    return count;
  };
  const int steps = count_of(planned, "[change, ");
  while (count_of(client.ask("STATS", "JSON", "HISTORY"), R"("cause":"REBALANCE")") < steps) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
  const int shards = count_of(client.ask("STATS", "JSON", "SHARDS"), R"("id":)");
  EXPECT_THAT(planned, HasSubstr(fmt::format("shards_after, (integer) {}, ", shards)));
  ASSERT_NO_FATAL_FAILURE(expect_all(client, kBytes));
  EXPECT_EQ(client.ask("REBALANCE", "NOW"), "(error) ERR syntax error");
}

TEST(Sharding, SaysWhatIsWrong) {
  ServerProcess server{{"--shards", "2"}};
  Client client{server};
  EXPECT_EQ(client.ask("SPLIT", "7"), "(error) ERR No such shard ID");
  EXPECT_EQ(client.ask("SPLIT", "x"), "(error) ERR Invalid shard ID");
  EXPECT_EQ(client.ask("SPLIT", "-1"), "(error) ERR Invalid shard ID");
  EXPECT_EQ(client.ask("SPLIT", "0", "AT"), "(error) ERR syntax error");
  EXPECT_EQ(client.ask("SPLIT", "0", "now"), "(error) ERR syntax error");
  EXPECT_EQ(client.ask("SPLIT", "0"), "(error) ERR the shard has too little data to be split without AT");
  EXPECT_EQ(client.ask("MERGE", "0", "0"), "(error) ERR a shard cannot be merged with itself");
  EXPECT_EQ(client.ask("MERGE", "0", "2"), "(error) ERR No such shard ID");
  EXPECT_EQ(client.ask("ENGINE", "0", "hash"), "(error) ERR syntax error");
  EXPECT_EQ(client.ask("ENGINE", "9", "lsm"), "(error) ERR No such shard ID");
}

}  // namespace
}  // namespace shale::integration
