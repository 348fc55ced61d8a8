// RING as a user has it: the ring grows and shrinks under load, over restarts and kills, and no key is lost.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/client.h"
#include "tests/integration/server_process.h"

namespace shale::integration {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr int kKeys = 3000;
constexpr std::size_t kValueBytes = 2000;

std::string key(int number) { return fmt::format("key:{}", number); }

std::string value(int number) {
  std::string value = fmt::format("value {}", number);
  value.resize(kValueBytes, '.');
  return value;
}

void fill(Client& client) {
  for (int i = 0; i < kKeys; ++i) client.append({"SET", key(i), value(i)});
  for (int i = 0; i < kKeys; ++i) ASSERT_EQ(client.next_text(), "OK");
}

void expect_all(Client& client) {
  for (int i = 0; i < kKeys; ++i) client.append({"GET", key(i)});
  for (int i = 0; i < kKeys; ++i) ASSERT_EQ(client.next_text(), value(i));
}

void expect_shards(Client& client, int count) {
  EXPECT_THAT(client.ask("STATS", "JSON", "SHARDS"), HasSubstr(fmt::format(R"("count":{},)", count)));
}

// Increments counters until it is stopped, or the server is gone.
class Counting {
 public:
  explicit Counting(const ServerProcess& server) : thread_([this, &server] { run(server); }) {}
  ~Counting() { stop(); }

  void stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
  }
  // Every increment that was replied to has happened, and at most the last that was not.
  void expect_counted(Client& client) {
    stop();
    for (std::size_t i = 0; i < acknowledged_.size(); ++i) {
      const Reply reply = client.command({"GET", name(i)});
      const int counted = reply->type == REDIS_REPLY_STRING ? std::stoi(reply->str) : 0;
      EXPECT_GE(counted, acknowledged_[i]) << name(i);
      EXPECT_LE(counted, acknowledged_[i] + (i == unknown_ ? 1 : 0)) << name(i);
    }
  }

 private:
  static std::string name(std::size_t number) { return fmt::format("counter:{}", number); }

  void run(const ServerProcess& server) {
    Client client{server};
    for (std::size_t i = 0; !stopping_; i = (i + 1) % acknowledged_.size()) {
      const Reply reply = client.command({"INCR", name(i)});
      if (!reply) {
        unknown_ = i;
        return;
      }
      ASSERT_EQ(to_text(reply.get()), fmt::format("(integer) {}", acknowledged_[i] + 1));
      ++acknowledged_[i];
    }
  }

  std::vector<int> acknowledged_ = std::vector<int>(200);
  std::size_t unknown_ = SIZE_MAX;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;  // last: it uses the others
};

TEST(Ring, GrowsAndShrinksUnderLoadAndKeepsItOverAKill) {
  ServerProcess server{{"--shards", "2", "--auto-split", "no"}};
  Client client{server};
  ASSERT_NO_FATAL_FAILURE(fill(client));
  EXPECT_THAT(client.ask("RING", "ADD", "DRYRUN"), StartsWith("[shard, (integer) 2, engine, "));
  expect_shards(client, 2);
  {
    Counting counting{server};
    EXPECT_THAT(client.ask("RING", "ADD"), StartsWith("[change, ring add, by, command, "));
    EXPECT_THAT(client.ask("RING", "ADD"), HasSubstr("result, ok"));
    expect_shards(client, 4);
    ASSERT_NO_FATAL_FAILURE(expect_all(client));
    EXPECT_THAT(client.ask("RING", "REMOVE", "0"), StartsWith("[change, ring remove, by, command, "));
    expect_shards(client, 3);
    ASSERT_NO_FATAL_FAILURE(expect_all(client));
    counting.expect_counted(client);
  }
  server.kill();
  server.start();
  Client again{server};
  expect_shards(again, 3);
  ASSERT_NO_FATAL_FAILURE(expect_all(again));
  EXPECT_EQ(again.ask("DBSIZE"), fmt::format("(integer) {}", kKeys + 200));
  EXPECT_THAT(again.ask("STATS", "HISTORY"), HasSubstr("ring remove"));
  EXPECT_THAT(again.ask("STATS", "RING"), HasSubstr("[id, (integer) 3, "));
}

// Whenever the server dies, the ring has grown or it has not.
TEST(Ring, AKillWhileItGrowsLosesNothing) {
  ServerProcess server{{"--shards", "2", "--auto-split", "no"}};
  {
    Client client{server};
    ASSERT_NO_FATAL_FAILURE(fill(client));
  }
  for (int round = 0; round < 4; ++round) {
    Counting counting{server};
    RawClient asking{server};
    asking.send(round == 3 ? encode({"RING", "REMOVE", "1"}) : encode({"RING", "ADD"}));
    Client client{server};
    for (int i = 0; i < 5 + 40 * round; ++i) client.ask("PING");
    server.kill();
    counting.stop();
    server.start();
    Client again{server};
    ASSERT_NO_FATAL_FAILURE(expect_all(again));
    counting.expect_counted(again);
    for (int i = 0; i < 200; ++i) again.ask("DEL", fmt::format("counter:{}", i));
    EXPECT_EQ(again.ask("DBSIZE"), fmt::format("(integer) {}", kKeys));
  }
}

TEST(Ring, TellsTheShardsForAKey) {
  ServerProcess server{{"--shards", "3", "--auto-split", "no"}};
  Client client{server};
  ASSERT_NO_FATAL_FAILURE(fill(client));
  const Reply all = client.command({"RING", "NODES", "key:1"});
  ASSERT_EQ(all->elements, 3u);
  EXPECT_EQ(client.command({"RING", "NODES", "key:1", "2"})->elements, 2u);
  EXPECT_EQ(client.command({"RING", "NODES", "key:1", "99"})->elements, 3u);
  EXPECT_EQ(client.ask("RING", "NODES", "{key:1}x"), to_text(all.get()));
  const std::string second = std::to_string(all->element[1]->integer);
  client.ask("RING", "REMOVE", std::to_string(all->element[0]->integer));
  EXPECT_EQ(client.ask("RING", "NODES", "key:1", "1"), fmt::format("[(integer) {}]", second));
  ASSERT_NO_FATAL_FAILURE(expect_all(client));
}

TEST(Ring, SaysWhatIsWrong) {
  ServerProcess server{{"--shards", "1"}};
  Client client{server};
  EXPECT_EQ(client.ask("RING", "ADD", "now"), "(error) ERR syntax error");
  EXPECT_EQ(client.ask("RING", "REMOVE", "x"), "(error) ERR Invalid shard ID");
  EXPECT_EQ(client.ask("RING", "REMOVE", "7"), "(error) ERR No such shard ID");
  EXPECT_EQ(client.ask("RING", "REMOVE", "0"), "(error) ERR the last shard of a ring cannot be removed");
  EXPECT_EQ(client.ask("RING", "REMOVE", "0", "DRYRUN"),
            "(error) ERR the last shard of a ring cannot be removed");
  EXPECT_EQ(client.ask("RING", "NODES", "a", "0"), "(error) ERR count should be greater than 0");
  EXPECT_EQ(client.ask("RING", "NODES", "a", "1", "2"), "(error) ERR syntax error");
  EXPECT_THAT(client.ask("RING"), HasSubstr("wrong number of arguments"));
  EXPECT_THAT(client.ask("RING", "HELP"), HasSubstr("ADD [DRYRUN]"));
}

TEST(Ring, KeyRangesHaveNone) {
  ServerProcess server{{"--sharding", "range"}};
  Client client{server};
  for (const std::vector<std::string>& command : {std::vector<std::string>{"RING", "ADD"},
                                                  {"RING", "ADD", "DRYRUN"},
                                                  {"RING", "REMOVE", "0"},
                                                  {"RING", "NODES", "a"}}) {
    EXPECT_THAT(to_text(client.command(command).get()),
                StartsWith("(error) ERR keys are placed by range here: there is no ring"));
  }
}

}  // namespace
}  // namespace shale::integration
