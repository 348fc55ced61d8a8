// Pub/sub between clients: replies and messages byte for byte, in both protocols, on several threads.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "tests/integration/commands_connection.h"
#include "tests/integration/plain_reply.h"

namespace shale::integration {
namespace {

class PubSubCommands : public ::testing::Test {
 protected:
  std::unique_ptr<CommandConnection> connect(int protocol = 2) {
    auto connection = std::make_unique<CommandConnection>(server_.port());
    if (protocol == 3) connection->run("HELLO 3");
    return connection;
  }
  static std::string ask(CommandConnection& connection, std::string_view line) {
    return plain(connection.run(line));
  }

  ServerProcess server_{{"--threads", "3"}};
};

TEST_F(PubSubCommands, CarriesMessages) {
  const auto subscriber = connect();
  const auto publisher = connect();
  EXPECT_EQ(ask(*subscriber, "SUBSCRIBE a b"), "*3 subscribe a :1 *3 subscribe b :2");
  EXPECT_EQ(ask(*subscriber, "PSUBSCRIBE n*"), "*3 psubscribe n* :3");
  EXPECT_EQ(ask(*subscriber, "SSUBSCRIBE a"), "*3 ssubscribe a :1");
  EXPECT_EQ(ask(*publisher, "PUBLISH a hello"), ":1");
  EXPECT_EQ(ask(*publisher, "PUBLISH news x"), ":1");
  EXPECT_EQ(ask(*publisher, "SPUBLISH a y"), ":1");
  EXPECT_EQ(ask(*publisher, "PUBLISH other x"), ":0");
  EXPECT_EQ(plain(subscriber->messages()), "*3 message a hello *4 pmessage n* news x *3 smessage a y");
  EXPECT_EQ(ask(*subscriber, "UNSUBSCRIBE a"), "*3 unsubscribe a :2");
  EXPECT_EQ(ask(*publisher, "PUBLISH a hello"), ":0");
  EXPECT_EQ(ask(*subscriber, "UNSUBSCRIBE"), "*3 unsubscribe b :1");
  EXPECT_EQ(ask(*subscriber, "UNSUBSCRIBE"), "*3 unsubscribe nil :1");
  EXPECT_EQ(ask(*subscriber, "PUNSUBSCRIBE x n*"), "*3 punsubscribe x :1 *3 punsubscribe n* :0");
  EXPECT_EQ(ask(*subscriber, "SUNSUBSCRIBE"), "*3 sunsubscribe a :0");
}

TEST_F(PubSubCommands, CarriesThemAsPushesInResp3) {
  const auto subscriber = connect(3);
  const auto publisher = connect();
  EXPECT_EQ(ask(*subscriber, "SUBSCRIBE a"), ">3 subscribe a :1");
  EXPECT_EQ(ask(*publisher, "PUBLISH a \"\""), ":1");
  EXPECT_EQ(subscriber->messages(), ">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$0\r\n\r\n");
  EXPECT_EQ(ask(*subscriber, "SET k v"), "+OK");
  EXPECT_EQ(ask(*subscriber, "PING"), "+PONG");
  EXPECT_EQ(ask(*subscriber, "UNSUBSCRIBE"), ">3 unsubscribe a :0");
  EXPECT_EQ(ask(*subscriber, "UNSUBSCRIBE"), ">3 unsubscribe _ :0");
}

TEST_F(PubSubCommands, ConfinesSubscribersThatSpeakResp2) {
  const auto client = connect();
  client->run("SUBSCRIBE a");
  EXPECT_EQ(client->run("PING"), "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
  EXPECT_EQ(client->run("PING x"), "*2\r\n$4\r\npong\r\n$1\r\nx\r\n");
  EXPECT_EQ(
      client->run("GET a"),
      "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed "
      "in this context\r\n");
  EXPECT_EQ(client->run("CLIENT LIST").substr(0, 33), "-ERR Can't execute 'client|list':");
  EXPECT_EQ(client->run("RESET"), "+RESET\r\n");
  EXPECT_EQ(client->run("GET a"), "$-1\r\n");
  EXPECT_EQ(connect()->run("PUBLISH a x"), ":0\r\n");
  client->run("SUBSCRIBE a");
  EXPECT_EQ(client->run("QUIT"), "+OK\r\n(closed)");
}

TEST_F(PubSubCommands, TellsOfChannels) {
  const auto first = connect(3);
  const auto second = connect(3);
  const auto client = connect();
  first->run("SUBSCRIBE news sport");
  second->run("SUBSCRIBE news");
  second->run("PSUBSCRIBE a* b*");
  first->run("PSUBSCRIBE a*");
  first->run("SSUBSCRIBE shard");
  EXPECT_EQ(ask(*client, "PUBSUB CHANNELS n*"), "*1 news");
  EXPECT_EQ(client->run("PUBSUB CHANNELS").substr(0, 4), "*2\r\n");
  EXPECT_EQ(ask(*client, "PUBSUB NUMSUB news sport shard"), "*6 news :2 sport :1 shard :0");
  EXPECT_EQ(ask(*client, "PUBSUB NUMSUB"), "*0");
  EXPECT_EQ(ask(*client, "PUBSUB NUMPAT"), ":2");
  EXPECT_EQ(ask(*client, "PUBSUB SHARDCHANNELS"), "*1 shard");
  EXPECT_EQ(ask(*client, "PUBSUB SHARDNUMSUB shard news"), "*4 shard :1 news :0");
  const std::string line = client->run("CLIENT LIST TYPE pubsub");
  EXPECT_NE(line.find(" flags=P db=0 sub=2 psub=1 ssub=1 "), std::string::npos) << line;
  EXPECT_NE(client->run("INFO clients").find("pubsub_clients:2\r\n"), std::string::npos);
  EXPECT_NE(client->run("INFO stats").find("pubsub_channels:2\r\npubsub_patterns:2\r\n"), std::string::npos);
  EXPECT_EQ(ask(*client, "CLIENT KILL TYPE pubsub"), ":2");
  EXPECT_TRUE(first->closed_by_server());
  EXPECT_TRUE(second->closed_by_server());
  EXPECT_EQ(ask(*client, "PUBSUB CHANNELS"), "*0");
  EXPECT_EQ(ask(*client, "PUBSUB NUMPAT"), ":0");
}

// A message that a client sends to itself comes behind the reply to PUBLISH and before the next one.
TEST_F(PubSubCommands, PutsOnesOwnMessagesBetweenReplies) {
  const auto client = connect(3);
  std::string requests = encode_words({"SUBSCRIBE", "a"});
  std::string expected = ">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n";
  for (int number = 100; number < 200; ++number) {
    requests += encode_words({"PUBLISH", "a", std::to_string(number)}) +
                encode_words({"SET", "k", std::to_string(number)}) + encode_words({"GET", "k"});
    expected +=
        fmt::format(":1\r\n>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$3\r\n{0}\r\n+OK\r\n$3\r\n{0}\r\n", number);
  }
  EXPECT_EQ(client->run_encoded(requests), expected);
}

TEST_F(PubSubCommands, GivesPushesEvenToAClientThatWantsNoReplies) {
  const auto client = connect(3);
  const auto publisher = connect();
  client->send(encode_words({"CLIENT", "REPLY", "OFF"}) + encode_words({"SUBSCRIBE", "a"}) +
               encode_words({"SET", "k", "v"}) + encode_words({"CLIENT", "REPLY", "ON"}));
  EXPECT_EQ(plain(client->messages()), ">3 subscribe a :1 +OK");
}

// A subscriber whose pipeline waits gets its messages, and then the rest of its replies.
TEST_F(PubSubCommands, SendsMessagesWhileABatchWaits) {
  const auto client = connect(3);
  const auto publisher = connect();
  client->run("SUBSCRIBE a");
  // No replica will ever acknowledge it: waits for its time.
  client->send(encode_words({"SET", "k", "v"}) + encode_words({"WAITAOF", "0", "1", "2000"}));
  while (publisher->run("GET k") != "$1\r\nv\r\n") {
  }
  EXPECT_EQ(ask(*publisher, "PUBLISH a x"), ":1");
  EXPECT_EQ(client->receive(36), "+OK\r\n>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n");
  EXPECT_TRUE(client->messages().starts_with("*2\r\n:"));
}

TEST_F(PubSubCommands, ServesThousandsOfChannelsAndClientsThatVanish) {
  constexpr int kChannels = 5000;
  const auto publisher = connect();
  {
    std::vector<std::unique_ptr<CommandConnection>> subscribers;
    for (int at = 0; at < 8; ++at) {
      subscribers.push_back(connect(3));
      std::string requests;
      for (int channel = 0; channel < kChannels; ++channel) {
        requests += encode_words({"SUBSCRIBE", fmt::format("c{}", channel)});
      }
      subscribers.back()->run_encoded(requests);
    }
    EXPECT_EQ(ask(*publisher, "PUBLISH c4999 x"), ":8");
    EXPECT_EQ(ask(*publisher, "PUBSUB NUMSUB c0"), "*2 c0 :8");
    for (const auto& subscriber : subscribers) {
      EXPECT_EQ(plain(subscriber->messages()), ">3 message c4999 x");
    }
    // They hang up while messages are on their way.
    for (int number = 0; number < 100; ++number) publisher->run("PUBLISH c1 x");
  }
  while (publisher->run("PUBSUB CHANNELS") != "*0\r\n") {
  }
  EXPECT_EQ(ask(*publisher, "PUBLISH c4999 x"), ":0");
}

// Many publishers and subscribers on all threads at once: nothing is lost, and each publisher's order is
// kept.
TEST_F(PubSubCommands, KeepsTheOrderOfEachPublisher) {
  constexpr int kPublishers = 3;
  constexpr int kMessages = 500;
  std::vector<std::unique_ptr<CommandConnection>> subscribers;
  for (int at = 0; at < 6; ++at) {
    subscribers.push_back(connect(3));
    subscribers.back()->run(at % 2 == 0 ? "SUBSCRIBE a" : "PSUBSCRIBE a*");
  }
  std::vector<std::thread> publishers;
  for (int publisher = 0; publisher < kPublishers; ++publisher) {
    publishers.emplace_back([this, publisher] {
      CommandConnection connection{server_.port()};
      std::string requests;
      for (int number = 0; number < kMessages; ++number) {
        requests += encode_words({"PUBLISH", "a", fmt::format("{}-{:04}", publisher, number)});
      }
      connection.run_encoded(requests);
    });
  }
  for (std::thread& publisher : publishers) publisher.join();
  for (const auto& subscriber : subscribers) {
    const std::string received = subscriber->messages();
    for (int publisher = 0; publisher < kPublishers; ++publisher) {
      std::size_t at = 0;
      for (int number = 0; number < kMessages && at != std::string::npos; ++number) {
        at = received.find(fmt::format("{}-{:04}", publisher, number), at);
      }
      EXPECT_NE(at, std::string::npos) << publisher;
    }
  }
}

}  // namespace
}  // namespace shale::integration
