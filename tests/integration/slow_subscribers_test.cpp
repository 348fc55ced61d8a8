// Clients that do not read what they are sent: bounded, disconnected, and no trouble to others.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/integration/commands_connection.h"
#include "tests/integration/plain_reply.h"

namespace shale::integration {
namespace {

class SlowSubscribers : public ::testing::Test {
 protected:
  // Publishes until nobody listens any more, or `messages_max` have been sent; returns how many that was.
  int publish_until_gone(int messages_max) {
    const Words words{"PUBLISH", "a", std::string(100'000, 'x')};
    int count = 0;
    while (count < messages_max && publisher_.run(words) != ":0\r\n") ++count;
    return count;
  }
  std::string stat(std::string_view name) {
    const std::string info = publisher_.run("INFO stats");
    const std::size_t begin = info.find(fmt::format("{}:", name)) + name.size() + 1;
    return info.substr(begin, info.find('\r', begin) - begin);
  }

  ServerProcess server_;
  CommandConnection publisher_{server_.port()};
};

TEST_F(SlowSubscribers, AreDisconnectedAtTheHardLimit) {
  EXPECT_EQ(publisher_.run("CONFIG SET client-output-buffer-limit \"pubsub 1mb 0 0\""), "+OK\r\n");
  CommandConnection slow{server_.port()};
  slow.run("SUBSCRIBE a");
  const int sent = publish_until_gone(1000);
  EXPECT_GE(sent, 10);
  EXPECT_LT(sent, 1000);
  EXPECT_EQ(stat("client_output_buffer_limit_disconnections"), "1");
  EXPECT_TRUE(server_.process().wait_for_output("disconnecting a client that does not read"));
  EXPECT_EQ(publisher_.run("PUBSUB NUMSUB a"), "*2\r\n$1\r\na\r\n:0\r\n");
}

TEST_F(SlowSubscribers, ShowWhatWaitsForThem) {
  CommandConnection slow{server_.port()};
  slow.run("SUBSCRIBE a");
  std::string line;
  while (line.find(" oll=0 ") != std::string::npos || line.empty()) {
    publisher_.run({"PUBLISH", "a", std::string(1'000'000, 'x')});
    line = publisher_.run("CLIENT LIST TYPE pubsub");
    ASSERT_NE(line.find(" oll="), std::string::npos) << line;
  }
  EXPECT_NE(line.find(" events=rw "), std::string::npos) << line;
  EXPECT_EQ(line.find(" omem=0 "), std::string::npos) << line;
  const std::string all = slow.messages();
  EXPECT_EQ(all.size() % (1'000'000 + 4 + 4 + 9 + 4 + 3 + 10 + 2), 0u);
}

TEST_F(SlowSubscribers, AreDisconnectedAtTheSoftLimitAfterItsTime) {
  publisher_.run("CONFIG SET client-output-buffer-limit \"pubsub 0 100kb 0\"");
  CommandConnection slow{server_.port()};
  slow.run("SUBSCRIBE a");
  const Words words{"PUBLISH", "a", std::string(1'000'000, 'x')};
  for (int sent = 0; sent < 10; ++sent) publisher_.run(words);  // more than sockets hold
  while (publisher_.run("PUBSUB NUMSUB a") != "*2\r\n$1\r\na\r\n:0\r\n") {
  }
  EXPECT_EQ(stat("client_output_buffer_limit_disconnections"), "1");
}

// 256 MB for all, a tenth of it for connections: fifty subscribers that read nothing do not go beyond it,
// although the limits of their class are off.
TEST_F(SlowSubscribers, TakeNoMoreThanConnectionsMayUse) {
  publisher_.run("CONFIG SET client-output-buffer-limit \"pubsub 0 0 0\"");
  std::vector<std::unique_ptr<CommandConnection>> slow;
  for (int at = 0; at < 50; ++at) {
    slow.push_back(std::make_unique<CommandConnection>(server_.port()));
    slow.back()->run("SUBSCRIBE a");
  }
  EXPECT_LT(publish_until_gone(5000), 5000);
  EXPECT_EQ(publisher_.run("PING"), "+PONG\r\n");
}

TEST_F(SlowSubscribers, AreMonitorsAndCachesToo) {
  publisher_.run("CONFIG SET client-output-buffer-limit \"pubsub 1mb 0 0\"");
  CommandConnection monitor{server_.port()};
  monitor.send(encode_words({"MONITOR"}));
  monitor.receive_until("+OK\r\n");
  const Words words{"SET", "a", std::string(100'000, 'x')};
  for (int sent = 0; sent < 1000 && stat("client_output_buffer_limit_disconnections") == "0"; ++sent) {
    publisher_.run(words);
  }
  EXPECT_EQ(stat("client_output_buffer_limit_disconnections"), "1");
}

}  // namespace
}  // namespace shale::integration
