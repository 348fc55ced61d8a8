// MULTI, EXEC, DISCARD, WATCH and UNWATCH against a live server.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/integration/client.h"
#include "tests/integration/server_process.h"

namespace shale::integration {
namespace {

std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at <= line.size();) {
    const std::size_t end = std::min(line.find(' ', at), line.size());
    words.push_back(line.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

// What EXEC replies to these commands; each must be queued.
std::string run(Client& client, std::initializer_list<const char*> lines) {
  EXPECT_EQ(client.ask("MULTI"), "OK");
  for (const char* line : lines) {
    EXPECT_EQ(to_text(client.command(words_of(line)).get()), "QUEUED") << line;
  }
  return client.ask("EXEC");
}

class Transactions : public testing::Test {
 protected:
  ServerProcess server_;
  Client client_{server_};
  Client other_{server_};
};

TEST_F(Transactions, CommandsSeeTheWritesOfThoseBeforeThem) {
  EXPECT_EQ(run(client_, {"SET a 1", "INCR a", "GET a", "DEL a", "GET a", "APPEND a xy", "GETRANGE a 0 0"}),
            "[OK, (integer) 2, 2, (integer) 1, (nil), (integer) 2, x]");
  EXPECT_EQ(client_.ask("GET", "a"), "xy");
}

TEST_F(Transactions, NothingHappensBeforeExec) {
  client_.ask("MULTI");
  client_.ask("SET", "a", "1");
  EXPECT_EQ(other_.ask("GET", "a"), "(nil)");
  EXPECT_EQ(client_.ask("DISCARD"), "OK");
  EXPECT_EQ(client_.ask("GET", "a"), "(nil)");
}

TEST_F(Transactions, ACommandThatFailsDoesNotKeepTheOthersFromRunning) {
  EXPECT_EQ(run(client_, {"SET a x", "INCR a", "SET b 2"}),
            "[OK, (error) ERR value is not an integer or out of range, OK]");
  EXPECT_EQ(client_.ask("GET", "b"), "2");
}

TEST_F(Transactions, ARequestThatCannotBeQueuedDiscardsAll) {
  client_.ask("MULTI");
  client_.ask("SET", "a", "1");
  EXPECT_TRUE(client_.ask("NONSENSE").starts_with("(error) ERR unknown command"));
  EXPECT_EQ(client_.ask("SET", "a", "2"), "QUEUED");
  EXPECT_EQ(client_.ask("EXEC"), "(error) EXECABORT Transaction discarded because of previous errors.");
  EXPECT_EQ(client_.ask("GET", "a"), "(nil)");
  client_.ask("MULTI");
  EXPECT_EQ(client_.ask("SHUTDOWN"), "(error) ERR Command not allowed inside a transaction");
  EXPECT_EQ(client_.ask("EXEC"), "(error) EXECABORT Transaction discarded because of previous errors.");
}

TEST_F(Transactions, WatchedKeysAreNotChangedBetweenWatchAndExec) {
  client_.ask("SET", "a", "1");
  EXPECT_EQ(client_.ask("WATCH", "a", "b"), "OK");
  EXPECT_EQ(run(client_, {"SET a 2"}), "[OK]");
  client_.ask("WATCH", "a");
  other_.ask("SET", "a", "3");
  EXPECT_EQ(run(client_, {"SET a 4"}), "(nil)");
  EXPECT_EQ(client_.ask("GET", "a"), "3");
  EXPECT_EQ(run(client_, {"SET a 4"}), "[OK]");  // once only
  client_.ask("WATCH", "a");
  other_.ask("EXPIRE", "a", "100");
  EXPECT_EQ(client_.ask("UNWATCH"), "OK");
  EXPECT_EQ(run(client_, {"PING"}), "[PONG]");
}

TEST_F(Transactions, AnEmptiedDatabaseChangesWatchedKeysThatWereThere) {
  client_.ask("SET", "a", "1");
  client_.ask("WATCH", "a");
  other_.ask("FLUSHALL");
  EXPECT_EQ(run(client_, {"PING"}), "(nil)");
  client_.ask("WATCH", "a");
  other_.ask("FLUSHDB");
  EXPECT_EQ(run(client_, {"PING"}), "[PONG]");
}

TEST_F(Transactions, AWatchedKeyThatExpiresHasChanged) {
  client_.ask("SET", "a", "1", "PX", "1000");
  client_.ask("WATCH", "a");
  while (other_.ask("EXISTS", "a") == "(integer) 1") std::this_thread::yield();
  EXPECT_EQ(run(client_, {"PING"}), "(nil)");
  client_.ask("WATCH", "a");  // has expired already
  EXPECT_EQ(run(client_, {"PING"}), "[PONG]");
}

TEST_F(Transactions, WholeDatabasesAreSeenAsTheTransactionHasMadeThem) {
  client_.ask("MSET", "a", "1", "b", "2");
  other_.ask("SELECT", "1");
  other_.ask("SET", "elsewhere", "x");
  EXPECT_EQ(
      run(client_, {"SET c 3", "DBSIZE", "DEL a", "DBSIZE", "KEYS b", "FLUSHDB", "DBSIZE", "GET b", "SET d 4",
                    "KEYS *", "DBSIZE", "SELECT 1", "GET elsewhere", "SET d 5", "SELECT 0", "GET d"}),
      "[OK, (integer) 3, (integer) 1, (integer) 2, [b], OK, (integer) 0, (nil), OK, [d], "
      "(integer) 1, OK, x, OK, OK, 4]");
  EXPECT_EQ(client_.ask("DBSIZE"), "(integer) 1");
  EXPECT_EQ(other_.ask("MGET", "elsewhere", "d"), "[x, 5]");
  server_.kill();
  server_.start();
  Client again{server_};
  EXPECT_EQ(again.ask("MGET", "a", "b", "c", "d"), "[(nil), (nil), (nil), 4]");
  again.ask("SELECT", "1");
  EXPECT_EQ(again.ask("MGET", "elsewhere", "d"), "[x, 5]");
}

TEST_F(Transactions, DatabasesAreSwappedWithTheWritesAroundThem) {
  client_.ask("SET", "a", "zero");
  other_.ask("SELECT", "1");
  other_.ask("MSET", "a", "one", "b", "one");
  EXPECT_EQ(run(client_, {"SET a written", "SWAPDB 0 1", "GET a", "SET c 3", "DBSIZE", "KEYS c", "DEL a b",
                          "RANDOMKEY", "SELECT 1", "GET a", "FLUSHDB", "SWAPDB 1 2", "KEYS *", "SET d 4"}),
            "[OK, OK, one, OK, (integer) 3, [c], (integer) 2, c, OK, written, OK, OK, [], OK]");
  server_.kill();
  server_.start();
  Client again{server_};
  EXPECT_EQ(again.ask("KEYS", "*"), "[c]");
  again.ask("SELECT", "1");
  EXPECT_EQ(again.ask("KEYS", "*"), "[d]");
  again.ask("SELECT", "2");
  EXPECT_EQ(again.ask("DBSIZE"), "(integer) 0");
}

TEST_F(Transactions, ASwapChangesWatchedKeysThatWereThereOrAreThereNow) {
  other_.ask("SELECT", "1");
  other_.ask("SET", "appears", "x");
  client_.ask("SET", "goes", "x");
  const auto after_swap_of = [&](const char* key) {
    client_.ask("WATCH", key);
    other_.ask("SWAPDB", "0", "1");
    const std::string outcome = run(client_, {"PING"});
    other_.ask("SWAPDB", "0", "1");
    return outcome;
  };
  EXPECT_EQ(after_swap_of("goes"), "(nil)");
  EXPECT_EQ(after_swap_of("appears"), "(nil)");
  EXPECT_EQ(after_swap_of("nowhere"), "[PONG]");
  client_.ask("WATCH", "nowhere");
  EXPECT_EQ(run(client_, {"SWAPDB 0 1", "GET appears"}), "[OK, x]");
}

TEST_F(Transactions, WhatTouchesNoKeysRunsOnceAndInItsPlace) {
  EXPECT_EQ(run(client_, {"SET a 1", "CLIENT SETNAME me", "GET a", "CLIENT GETNAME", "WAIT 1 0", "ECHO x"}),
            "[OK, OK, 1, me, (integer) 0, x]");
}

TEST_F(Transactions, ClientsAreShownWithTheirTransactions) {
  client_.ask("CLIENT", "SETNAME", "me");
  client_.ask("WATCH", "a", "b");
  client_.ask("MULTI");
  client_.ask("PING");
  const auto shown = [&] {
    const std::string all = other_.ask("CLIENT", "LIST");
    const std::size_t at = all.find(" name=me ");
    return all.substr(at, all.find('\n', at) - at);
  };
  EXPECT_NE(shown().find(" flags=x "), std::string::npos) << shown();
  EXPECT_NE(shown().find(" multi=1 watch=2 "), std::string::npos) << shown();
  other_.ask("SET", "a", "1");
  EXPECT_NE(shown().find(" flags=xd "), std::string::npos) << shown();
  EXPECT_EQ(client_.ask("RESET"), "RESET");
  EXPECT_EQ(client_.ask("EXEC"), "(error) ERR EXEC without MULTI");
}

TEST_F(Transactions, TooMuchIsRefusedAndNothingRuns) {
  client_.ask("MULTI");
  const std::string value(500'000, 'v');
  std::string reply = "QUEUED";
  for (int i = 0; i < 100'000 && reply == "QUEUED"; ++i) reply = client_.ask("SET", "a", value);
  EXPECT_EQ(reply, "(error) ERR the transaction's commands exceed the memory for them; see option memory");
  EXPECT_TRUE(client_.ask("EXEC").starts_with("(error) EXECABORT"));
  EXPECT_EQ(client_.ask("PING"), "PONG");
}

TEST_F(Transactions, LargeValuesAreWrittenAndReadInThem) {
  const std::string value(20u << 20, 'x');
  client_.ask("MULTI");
  EXPECT_EQ(client_.ask("SET", "large", value), "QUEUED");
  EXPECT_EQ(client_.ask("APPEND", "large", "y"), "QUEUED");
  EXPECT_EQ(client_.ask("STRLEN", "large"), "QUEUED");
  EXPECT_EQ(client_.ask("SET", "small", "1"), "QUEUED");
  EXPECT_EQ(client_.ask("GET", "large"), "QUEUED");
  EXPECT_EQ(client_.ask("GET", "small"), "QUEUED");
  const Reply replies = client_.command({"EXEC"});
  ASSERT_EQ(replies->elements, 6u) << to_text(replies.get());
  EXPECT_EQ(to_text(replies->element[2]), fmt::format("(integer) {}", value.size() + 1));
  EXPECT_TRUE(to_text(replies->element[4]) == value + "y");
  EXPECT_EQ(to_text(replies->element[5]), "1");
  EXPECT_EQ(client_.ask("STRLEN", "large"), fmt::format("(integer) {}", value.size() + 1));
}

// Every client adds to two counters in different shards, the second time only if nobody has come in between.
TEST_F(Transactions, WatchedCountersLoseNoUpdateWhileShardsChange) {
  constexpr int kClients = 4;
  constexpr int kAdditions = 150;
  std::atomic<int> to_go = kClients;
  std::vector<std::thread> clients;
  for (int number = 0; number < kClients; ++number) {
    clients.emplace_back([&] {
      Client own{server_};
      for (int done = 0; done < kAdditions;) {
        own.ask("WATCH", "x", "y");
        const auto value = [&](const char* key) {
          const Reply reply = own.command({"GET", key});
          return reply->type == REDIS_REPLY_NIL ? 0 : std::stoi(reply->str);
        };
        const int x = value("x");
        const int y = value("y");
        own.ask("MULTI");
        own.ask("SET", "x", std::to_string(x + 1));
        own.ask("SET", "y", std::to_string(y + 1));
        done += own.ask("EXEC") == "[OK, OK]";
      }
      --to_go;
    });
  }
  for (int turn = 0; to_go > 0; ++turn) {
    const std::string shard = std::to_string(turn % 3);
    switch (turn % 3) {
      case 0: other_.ask("SPLIT", shard); break;
      case 1: other_.ask("ENGINE", shard, turn % 2 == 0 ? "LSM" : "BTREE"); break;
      default: other_.ask("MERGE", shard, std::to_string((turn + 1) % 3)); break;
    }
  }
  for (auto& thread : clients) thread.join();
  EXPECT_EQ(client_.ask("MGET", "x", "y"),
            fmt::format("[{}, {}]", kClients * kAdditions, kClients * kAdditions));
}

// 40 MB in a server of 32: what a transaction reads has to come from the disk, and it happens once.
TEST(ColdTransactions, ReadWhatIsNotInMemory) {
  ServerProcess server{{"--memory", "32mb"}};
  {
    Client client{server};
    constexpr int kKeys = 40'000;
    constexpr int kPipeline = 500;
    const std::string value(1000, 'v');
    for (int first = 0; first < kKeys; first += kPipeline) {
      for (int key = first; key < first + kPipeline; ++key)
        client.append({"SET", std::to_string(key), value});
      for (int i = 0; i < kPipeline; ++i) ASSERT_EQ(client.next_text(), "OK");
    }
  }
  server.restart();
  Client client{server};
  for (int round = 0; round < 50; ++round) {
    client.ask("WATCH", std::to_string(round));
    client.ask("MULTI");
    client.ask("INCR", "runs");
    for (int i = 0; i < 10; ++i) client.ask("STRLEN", std::to_string((round * 797 + i * 3989) % 40'000));
    client.ask("APPEND", std::to_string(39'999 - round * 7), "x");
    client.ask("CLIENT", "SETNAME", fmt::format("round-{}", round));
    const Reply replies = client.command({"EXEC"});
    ASSERT_EQ(replies->elements, 13u) << to_text(replies.get());
    EXPECT_EQ(replies->element[0]->integer, round + 1);
    EXPECT_EQ(replies->element[3]->integer, 1000);
    EXPECT_EQ(replies->element[11]->integer, 1001);
  }
}

}  // namespace
}  // namespace shale::integration
