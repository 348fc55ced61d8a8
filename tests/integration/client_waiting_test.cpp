// CLIENT PAUSE, UNPAUSE and UNBLOCK: clients that make others wait, and end their waiting.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

#include "tests/integration/commands_connection.h"

namespace shale::integration {
namespace {

using ::testing::HasSubstr;

class ClientWaiting : public ::testing::Test {
 protected:
  // Until so many clients wait; false if that does not happen.
  bool wait_for_blocked(int count) {
    const std::string line = fmt::format("\r\nblocked_clients:{}\r\n", count);
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < deadline) {
      if (observer_.run("INFO clients").find(line) != std::string::npos) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return false;
  }

  ServerProcess server_;
  CommandConnection observer_{server_.port()};
  CommandConnection client_{server_.port()};
};

TEST_F(ClientWaiting, APauseOfWritesLetsReadsPass) {
  EXPECT_EQ(observer_.run("SET a 1"), "+OK\r\n");
  EXPECT_EQ(observer_.run("CLIENT PAUSE 100000 WRITE"), "+OK\r\n");
  EXPECT_EQ(observer_.run("GET a"), "$1\r\n1\r\n");
  client_.send(encode_words({"GET", "a"}) + encode_words({"SET", "a", "2"}) + encode_words({"GET", "a"}));
  EXPECT_EQ(client_.receive(7), "$1\r\n1\r\n");
  EXPECT_TRUE(wait_for_blocked(1));
  EXPECT_THAT(observer_.run("CLIENT LIST"), HasSubstr("flags=b"));
  EXPECT_EQ(observer_.run("GET a"), "$1\r\n1\r\n");
  EXPECT_EQ(observer_.run("CLIENT UNPAUSE"), "+OK\r\n");
  EXPECT_EQ(client_.receive(12), "+OK\r\n$1\r\n2\r\n");
  EXPECT_TRUE(wait_for_blocked(0));
}

TEST_F(ClientWaiting, WhatReplicasWouldBeToldOfWaitsWithTheWrites) {
  EXPECT_EQ(observer_.run("CLIENT PAUSE 100000 WRITE"), "+OK\r\n");
  CommandConnection publisher{server_.port()};
  client_.send(encode_words({"PFCOUNT", "a"}));
  publisher.send(encode_words({"PUBLISH", "a", "b"}));
  EXPECT_TRUE(wait_for_blocked(2));
  EXPECT_EQ(observer_.run("CLIENT UNPAUSE"), "+OK\r\n");
  EXPECT_EQ(client_.receive(4), ":0\r\n");
  EXPECT_EQ(publisher.receive(4), ":0\r\n");
}

TEST_F(ClientWaiting, ExecWaitsIfWhatIsQueuedWrites) {
  CommandConnection reader{server_.port()};
  reader.send(encode_words({"MULTI"}) + encode_words({"GET", "a"}));
  EXPECT_EQ(reader.receive(14), "+OK\r\n+QUEUED\r\n");
  client_.send(encode_words({"MULTI"}) + encode_words({"SET", "a", "1"}));
  EXPECT_EQ(client_.receive(14), "+OK\r\n+QUEUED\r\n");
  EXPECT_EQ(observer_.run("CLIENT PAUSE 100000 WRITE"), "+OK\r\n");
  client_.send(encode_words({"EXEC"}));
  EXPECT_TRUE(wait_for_blocked(1));
  reader.send(encode_words({"EXEC"}));
  EXPECT_EQ(reader.receive(9), "*1\r\n$-1\r\n");
  EXPECT_EQ(observer_.run("CLIENT UNPAUSE"), "+OK\r\n");
  EXPECT_EQ(client_.receive(9), "*1\r\n+OK\r\n");
}

TEST_F(ClientWaiting, APauseOfEverythingEndsByItself) {
  observer_.send(encode_words({"CLIENT", "PAUSE", "300"}));
  EXPECT_EQ(observer_.receive(5), "+OK\r\n");
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(client_.run("GET a"), "$-1\r\n");
  EXPECT_GE(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds(200));
  EXPECT_EQ(observer_.run("PING"), "+PONG\r\n");
}

TEST_F(ClientWaiting, ALesserPauseDoesNotShortenOne) {
  client_.send(encode_words({"CLIENT", "PAUSE", "200", "ALL"}) +
               encode_words({"CLIENT", "PAUSE", "1", "WRITE"}));
  EXPECT_EQ(client_.receive(5), "+OK\r\n");
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(observer_.run("GET a"), "$-1\r\n");
  EXPECT_GE(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds(100));
  EXPECT_EQ(client_.receive(5), "+OK\r\n");
}

TEST_F(ClientWaiting, AnErrorIsToldAtOnce) {
  EXPECT_EQ(observer_.run("CLIENT PAUSE 100000 WRITE"), "+OK\r\n");
  EXPECT_EQ(client_.run("SET a"), "-ERR wrong number of arguments for 'set' command\r\n");
  EXPECT_EQ(observer_.run("CLIENT PAUSE x"), "-ERR timeout is not an integer or out of range\r\n");
  EXPECT_EQ(observer_.run("CLIENT PAUSE -1"), "-ERR timeout is negative\r\n");
  EXPECT_EQ(observer_.run("CLIENT PAUSE x y"), "-ERR CLIENT PAUSE mode must be WRITE or ALL\r\n");
  EXPECT_EQ(observer_.run("CLIENT UNPAUSE"), "+OK\r\n");
}

TEST_F(ClientWaiting, UnblockEndsAWaitAsItsTimeoutWouldOrWithAnError) {
  const std::string id = client_.run("CLIENT ID");
  const std::string number = id.substr(1, id.size() - 3);
  EXPECT_EQ(observer_.run("CLIENT UNBLOCK " + number), ":0\r\n");
  client_.send(encode_words({"WAIT", "1", "0"}));
  EXPECT_TRUE(wait_for_blocked(1));
  EXPECT_EQ(observer_.run("CLIENT UNBLOCK " + number), ":1\r\n");
  EXPECT_EQ(client_.receive(4), ":0\r\n");
  client_.send(encode_words({"WAIT", "1", "0"}) + encode_words({"ECHO", "a"}));
  EXPECT_TRUE(wait_for_blocked(1));
  EXPECT_EQ(observer_.run("CLIENT UNBLOCK " + number + " error"), ":1\r\n");
  EXPECT_EQ(client_.receive_until("$1\r\na\r\n"),
            "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n$1\r\na\r\n");
  EXPECT_EQ(observer_.run("CLIENT UNBLOCK " + number + " soon"),
            "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR\r\n");
  EXPECT_EQ(observer_.run("CLIENT UNBLOCK x"), "-ERR value is not an integer or out of range\r\n");
  EXPECT_EQ(observer_.run("CLIENT UNBLOCK 1000000"), ":0\r\n");
}

TEST_F(ClientWaiting, UnblockDoesNotEndAPause) {
  const std::string id = client_.run("CLIENT ID");
  EXPECT_EQ(observer_.run("CLIENT PAUSE 100000 WRITE"), "+OK\r\n");
  client_.send(encode_words({"SET", "a", "1"}));
  EXPECT_TRUE(wait_for_blocked(1));
  EXPECT_EQ(observer_.run("CLIENT UNBLOCK " + id.substr(1, id.size() - 3)), ":0\r\n");
  EXPECT_TRUE(wait_for_blocked(1));
  EXPECT_EQ(observer_.run("CLIENT UNPAUSE"), "+OK\r\n");
  EXPECT_EQ(client_.receive(5), "+OK\r\n");
}

}  // namespace
}  // namespace shale::integration
