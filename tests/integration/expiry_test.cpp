// Keys expire on a server that nobody asks for them.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

#include "tests/integration/commands_connection.h"

namespace shale::integration {
namespace {

using testing::HasSubstr;

// Polls, and so reads no key.
bool comes_down_to(CommandConnection& connection, int keys) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{30};
  while (std::chrono::steady_clock::now() < deadline) {
    if (connection.run("DBSIZE") == fmt::format(":{}\r\n", keys)) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  return false;
}

TEST(ActiveExpiry, ErasesOnAnIdleServerAndCounts) {
  ServerProcess server;
  CommandConnection connection{server.port()};
  for (int i = 0; i < 200; ++i) connection.run(fmt::format("SET key:{} v PX {}", i, 3000 + i));
  connection.run("SET stays v EX 100000");
  connection.run("SET for-ever v");
  EXPECT_TRUE(comes_down_to(connection, 2));
  EXPECT_THAT(connection.run("INFO stats"), HasSubstr("\r\nexpired_keys:200\r\n"));
  EXPECT_THAT(connection.run("INFO keyspace"), HasSubstr("db0:keys=2,expires=1,avg_ttl=99"));
  connection.run("SELECT 3");
  connection.run("SET other v PX 10");
  EXPECT_TRUE(comes_down_to(connection, 0));
}

TEST(ActiveExpiry, WaitsWhileItIsSwitchedOffAndOverARestart) {
  ServerProcess server;
  {
    CommandConnection connection{server.port()};
    EXPECT_EQ(connection.run("DEBUG SET-ACTIVE-EXPIRE 0"), "+OK\r\n");
    for (int i = 0; i < 50; ++i) connection.run(fmt::format("SET key:{} v PX 1", i));
    std::this_thread::sleep_for(std::chrono::milliseconds{200});  // so long nothing may happen
    // Engines may forget what has expired, but nobody has erased it.
    EXPECT_NE(connection.run("INFO stats").find("\nexpired_keys:0\r"), std::string::npos);
    EXPECT_EQ(connection.run("GET key:0"), "$-1\r\n");
  }
  server.kill();
  server.start();
  CommandConnection connection{server.port()};
  EXPECT_TRUE(comes_down_to(connection, 0));
}

}  // namespace
}  // namespace shale::integration
