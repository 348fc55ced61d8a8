// OBJECT IDLETIME and OBJECT FREQ: what uses a key, and what only looks at it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/integration/commands_connection.h"

namespace shale::integration {
namespace {

class KeyUse : public ::testing::Test {
 protected:
  static constexpr int kIdle = 1000;

  // The key has not been used for kIdle seconds.
  void let_it_rest() {
    ASSERT_EQ(
        connection_.run(Words{"RESTORE", "key", "0", payload_, "REPLACE", "IDLETIME", fmt::to_string(kIdle)}),
        "+OK\r\n");
    ASSERT_TRUE(rests());
  }
  bool rests() { return number("OBJECT IDLETIME key") >= kIdle; }
  int number(std::string_view line) {
    const std::string reply = connection_.run(line);
    EXPECT_THAT(reply, testing::StartsWith(":")) << line;
    return std::stoi(reply.substr(1));
  }
  void expect_rest(std::initializer_list<std::string_view> lines) {
    for (const std::string_view line : lines) {
      connection_.run(line);
      EXPECT_TRUE(rests()) << line;
    }
  }
  void expect_use(std::initializer_list<std::string_view> lines) {
    for (const std::string_view line : lines) {
      let_it_rest();
      connection_.run(line);
      EXPECT_FALSE(rests()) << line;
    }
  }
  std::string dumped() {
    connection_.run("SET key 12");
    const std::string reply = connection_.run("DUMP key");
    const std::size_t begin = reply.find('\n') + 1;
    return reply.substr(begin, reply.size() - begin - 2);
  }

  ServerProcess server_;
  CommandConnection connection_{server_.port()};
  const std::string payload_ = dumped();
};

TEST_F(KeyUse, IdleTimeBeginsAnewWithEachUse) {
  EXPECT_LT(number("OBJECT IDLETIME key"), kIdle);
  EXPECT_EQ(connection_.run("OBJECT IDLETIME nokey"), "$-1\r\n");
  let_it_rest();
  expect_rest({"EXISTS key", "TYPE key", "TTL key", "PTTL key", "EXPIRETIME key", "PEXPIRETIME key",
               "OBJECT ENCODING key", "OBJECT FREQ key", "OBJECT REFCOUNT key", "MEMORY USAGE key", "SCAN 0",
               "WATCH key", "GET other"});
  expect_use({"GET key", "MGET other key", "STRLEN key", "DUMP key", "TOUCH key", "SET key 13", "INCR key",
              "EXPIRE key 100", "PERSIST key"});
}

TEST_F(KeyUse, OfTransactionsCountsToo) {
  let_it_rest();
  connection_.run_all({{"MULTI"}, {"TTL", "key"}, {"EXEC"}});
  EXPECT_TRUE(rests());
  connection_.run_all({{"MULTI"}, {"GET", "key"}, {"EXEC"}});
  EXPECT_FALSE(rests());
}

TEST_F(KeyUse, ClientsMaySayThatTheirReadsAreNone) {
  let_it_rest();
  connection_.run("CLIENT NO-TOUCH on");
  expect_rest({"GET key", "STRLEN key", "GETRANGE key 0 0"});
  expect_use({"TOUCH key", "SET key 14"});
  let_it_rest();
  connection_.run("CLIENT NO-TOUCH off");
  connection_.run("GET key");
  EXPECT_FALSE(rests());
}

TEST_F(KeyUse, FrequencyRanksKeysByTheirAccesses) {
  EXPECT_EQ(connection_.run("OBJECT FREQ nokey"), "$-1\r\n");
  connection_.run("MSET hot 1 warm 1");
  for (int i = 0; i < 400; ++i) {
    connection_.run("GET hot");
    if (i % 20 == 0) connection_.run("GET warm");
  }
  const int hot = number("OBJECT FREQ hot");
  const int warm = number("OBJECT FREQ warm");
  EXPECT_GT(hot, warm);
  EXPECT_GT(warm, 0);
  EXPECT_LE(hot, 255);
  // Asking is no access.
  for (int i = 0; i < 400; ++i) connection_.run("OBJECT FREQ warm");
  EXPECT_LE(number("OBJECT FREQ warm"), warm);
}

}  // namespace
}  // namespace shale::integration
