// MIGRATE from a live server to another, and to redis-server where one is installed.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "tests/integration/client.h"
#include "tests/integration/redis_process.h"

namespace shale::integration {
namespace {

class Migrate : public testing::Test {
 protected:
  template <class... Options>
  std::string migrate(unsigned port, const std::string& key, const Options&... options) {
    return from_.ask("MIGRATE", "127.0.0.1", std::to_string(port), key, "0", "20000", options...);
  }

  ServerProcess source_;
  ServerProcess target_;
  Client from_{source_};
  Client to_{target_};
};

TEST_F(Migrate, KeysMoveWithTheirValuesAndTimes) {
  const std::string value(3 << 20, 'v');
  from_.ask("SET", "large", value);
  from_.ask("SET", "short", "lived", "PX", "600000");
  from_.ask("SET", "number", "12");
  EXPECT_EQ(migrate(target_.port(), "number"), "OK");
  EXPECT_EQ(migrate(target_.port(), "", "KEYS", "large", "absent", "short"), "OK");
  EXPECT_EQ(from_.ask("DBSIZE"), "(integer) 0");
  EXPECT_EQ(to_.ask("GET", "large"), value);
  EXPECT_EQ(to_.ask("MGET", "short", "number"), "[lived, 12]");
  const auto ttl = to_.command({"PTTL", "short"});
  EXPECT_GT(ttl->integer, 300000);
  EXPECT_LE(ttl->integer, 600000);
  EXPECT_EQ(migrate(target_.port(), "", "KEYS", "large", "absent"), "NOKEY");
}

TEST_F(Migrate, WhatTheTargetRefusesStays) {
  from_.ask("MSET", "a", "1", "b", "2", "c", "3");
  to_.ask("SET", "b", "taken");
  EXPECT_EQ(migrate(target_.port(), "", "KEYS", "a", "b", "c"),
            "(error) ERR Target instance replied with error: BUSYKEY Target key name already exists.");
  EXPECT_EQ(from_.ask("MGET", "a", "b", "c"), "[(nil), 2, (nil)]");
  EXPECT_EQ(to_.ask("MGET", "a", "b", "c"), "[1, taken, 3]");
  EXPECT_EQ(migrate(target_.port(), "b", "COPY", "REPLACE"), "OK");
  EXPECT_EQ(from_.ask("GET", "b"), "2");
  EXPECT_EQ(to_.ask("GET", "b"), "2");
  EXPECT_EQ(migrate(free_port(), "b"), "(error) IOERR error or timeout connecting to the client");
  EXPECT_EQ(from_.ask("GET", "b"), "2");
}

TEST_F(Migrate, SaysWhoItIs) {
  to_.ask("ACL", "SETUSER", "mover", "on", ">secret", "~*", "+restore", "+select");
  to_.ask("CONFIG", "SET", "requirepass", "pass");
  from_.ask("MSET", "a", "1", "b", "2");
  EXPECT_EQ(migrate(target_.port(), "a"),
            "(error) ERR Target instance replied with error: NOAUTH Authentication required.");
  EXPECT_EQ(
      migrate(target_.port(), "a", "AUTH", "wrong"),
      "(error) ERR Target instance replied with error: WRONGPASS invalid username-password pair or user is "
      "disabled.");
  EXPECT_EQ(migrate(target_.port(), "a", "AUTH", "pass"), "OK");
  EXPECT_EQ(migrate(target_.port(), "b", "AUTH2", "mover", "secret"), "OK");
  EXPECT_EQ(from_.ask("DBSIZE"), "(integer) 0");
  EXPECT_EQ(to_.ask("MGET", "a", "b"), "[1, 2]");
}

// A key that is written to while its value is on its way does not lose the write.
TEST_F(Migrate, LosesNoWriteThatComesInBetween) {
  constexpr int kIncrements = 2000;
  std::thread counting{[&] {
    Client client{source_};
    for (int count = 0; count < kIncrements; ++count) client.ask("INCR", "counter");
  }};
  std::int64_t moved = 0;
  const auto take = [&] {
    // What is there when the next value comes is added to it here.
    const auto value = to_.command({"GETDEL", "counter"});
    if (value->type == REDIS_REPLY_STRING) moved += std::stoll(value->str);
  };
  for (int round = 0; round < 50; ++round) {
    const std::string reply = migrate(target_.port(), "counter");
    if (reply.find("values change faster") != std::string::npos) {
      to_.ask("DEL", "counter");  // a copy: the key has stayed where it was
    } else {
      EXPECT_TRUE(reply == "OK" || reply == "NOKEY") << reply;
      take();
    }
  }
  counting.join();
  if (migrate(target_.port(), "counter") == "OK") take();
  EXPECT_EQ(moved, kIncrements);
}

TEST_F(Migrate, ReachesARedisServer) {
  if (redis_server_path().empty()) GTEST_SKIP() << "redis-server is not installed";
  const RedisProcess redis;
  Client to_redis{"127.0.0.1", redis.port()};
  from_.ask("SET", "text", std::string(100, 'x'), "EX", "100");
  from_.ask("SET", "number", "12");
  EXPECT_EQ(migrate(redis.port(), "", "KEYS", "text", "number"), "OK");
  EXPECT_EQ(to_redis.ask("MGET", "text", "number"), fmt::format("[{}, 12]", std::string(100, 'x')));
  // And back.
  EXPECT_EQ(to_redis.ask("MIGRATE", "127.0.0.1", std::to_string(source_.port()), "text", "0", "20000"), "OK");
  EXPECT_EQ(from_.ask("GET", "text"), std::string(100, 'x'));
}

}  // namespace
}  // namespace shale::integration
