// MONITOR, and what CLIENT LIST says of clients that are sent pushes.
#include <gtest/gtest.h>

#include <memory>
#include <regex>
#include <string>
#include <vector>

#include "tests/integration/commands_connection.h"

namespace shale::integration {
namespace {

class Monitor : public ::testing::Test {
 protected:
  Monitor() {
    monitor_.send(encode_words({"MONITOR"}));
    EXPECT_EQ(monitor_.receive_until("+OK\r\n").substr(0, 5), "+OK\r\n");
  }
  // What it has been shown since the last call, without times, addresses, and what these tests need for
  // themselves.
  std::string shown() {
    static const std::regex kStamp{R"re(\+[0-9]+\.[0-9]{6} \[([0-9]+) 127\.0\.0\.1:[0-9]+\] )re"};
    static const std::regex kOwn{R"re([0-9]+ "(PING|ECHO)" "(mark|end)-[0-9]+"\r\n)re"};
    const std::string end = "end-" + std::to_string(++ends_);
    client_.run({"ECHO", end});
    const std::string plain = std::regex_replace(monitor_.receive_until(end + "\"\r\n"), kStamp, "$1 ");
    return std::regex_replace(plain, kOwn, "");
  }

  ServerProcess server_;
  CommandConnection monitor_{server_.port()};
  CommandConnection client_{server_.port()};
  int ends_ = 0;
};

TEST_F(Monitor, ShowsCommandsAsTheyAreExecuted) {
  client_.run({"SET", "a", "b\x01\n\"c\\"});
  client_.run("SELECT 3");
  client_.run("GET a");
  client_.run("INCR nosuch x");
  client_.run("NOSUCH");
  EXPECT_EQ(shown(),
            "0 \"SET\" \"a\" \"b\\x01\\n\\\"c\\\\\"\r\n"
            "3 \"SELECT\" \"3\"\r\n"
            "3 \"GET\" \"a\"\r\n");
}

TEST_F(Monitor, HidesPasswordsAndAdministration) {
  client_.run("AUTH secret");
  client_.run("AUTH user secret");
  client_.run("HELLO 2 AUTH default secret SETNAME me");
  client_.run("CONFIG GET port");
  EXPECT_EQ(shown(),
            "0 \"AUTH\" \"(redacted)\"\r\n"
            "0 \"AUTH\" \"(redacted)\" \"(redacted)\"\r\n"
            "0 \"HELLO\" \"2\" \"AUTH\" \"(redacted)\" \"(redacted)\" \"SETNAME\" \"me\"\r\n");
}

TEST_F(Monitor, KeepsItsClientFromKeys) {
  monitor_.send(encode_words({"GET", "a"}));
  EXPECT_NE(monitor_.receive_until("keyspace\r\n").find("-ERR Replica can't interact with the keyspace\r\n"),
            std::string::npos);
  EXPECT_NE(client_.run("CLIENT LIST").find(" flags=O "), std::string::npos);
  monitor_.send(encode_words({"RESET"}));
  monitor_.receive_until("+RESET\r\n");
  EXPECT_EQ(monitor_.run("GET a"), "$-1\r\n");
  EXPECT_EQ(client_.run("CLIENT LIST").find(" flags=O "), std::string::npos);
}

TEST_F(Monitor, IsShownItsOwnCommandsBehindTheirReplies) {
  shown();
  monitor_.send(encode_words({"ECHO", "x"}));
  const std::string reply = monitor_.receive_until("\"ECHO\" \"x\"\r\n");
  EXPECT_NE(reply.find("$1\r\nx\r\n+"), std::string::npos) << reply;
}

TEST_F(Monitor, ShowsCommandsOfAllThreads) {
  std::vector<std::unique_ptr<CommandConnection>> clients;
  for (int at = 0; at < 4; ++at) {
    clients.push_back(std::make_unique<CommandConnection>(server_.port()));
    std::string requests;
    for (int number = 0; number < 100; ++number) requests += encode_words({"INCR", "counter"});
    clients.back()->run_encoded(requests);
  }
  std::string expected;
  for (int number = 0; number < 400; ++number) expected += "0 \"INCR\" \"counter\"\r\n";
  EXPECT_EQ(shown(), expected);
}

}  // namespace
}  // namespace shale::integration
