// Connections as clients see them: order, chunks, limits, back-pressure.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iterator>
#include <random>

#include "tests/integration/client.h"
#include "tests/integration/server_process.h"
#include "tests/integration/server_resources.h"

namespace shale::integration {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(Connections, APipelineInRandomChunksIsAnsweredInOrder) {
  constexpr int kRequests = 10'000;
  ServerProcess server;
  RawClient client{server};
  std::string requests;
  std::string expected;
  for (int i = 0; i < kRequests; ++i) {
    const std::string number = std::to_string(i);
    switch (i % 5) {
      case 0:
        requests += encode({"SET", "key:" + number, number});
        expected += "+OK\r\n";
        break;
      case 1:
        requests += encode({"GET", "key:" + std::to_string(i - 1)});
        expected += fmt::format("${}\r\n{}\r\n", std::to_string(i - 1).size(), i - 1);
        break;
      case 2:
        requests += "PING\r\n";
        expected += "+PONG\r\n";
        break;
      case 3:
        requests += encode({"ECHO", number});
        expected += fmt::format("${}\r\n{}\r\n", number.size(), number);
        break;
      default: requests += encode({"INCR", "counter"}); expected += fmt::format(":{}\r\n", i / 5 + 1);
    }
  }
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random{seed};
  std::thread sender{[&] {
    for (std::string_view rest = requests; !rest.empty();) {
      const std::size_t count =
          std::min<std::size_t>(rest.size(), 1 + random() % (random() % 8 == 0 ? 40'000 : 100));
      client.send(rest.substr(0, count));
      rest.remove_prefix(count);
    }
  }};
  const std::string received = client.receive(expected.size());
  sender.join();
  EXPECT_TRUE(received == expected) << "they differ at byte "
                                    << std::ranges::mismatch(received, expected).in1 - received.begin();
}

TEST(Connections, ARequestByteByByte) {
  ServerProcess server;
  RawClient client{server};
  for (const char byte : encode({"SET", "a", "1"}) + encode({"GET", "a"})) client.send({&byte, 1});
  EXPECT_EQ(client.receive(5 + 7), "+OK\r\n$1\r\n1\r\n");
}

// Clients send their whole greeting at once; each part is answered, whether it fails or not.
TEST(Connections, AHandshakeWithFailuresInTheMiddleIsAnsweredInFull) {
  ServerProcess server{{"--requirepass", "secret"}};
  RawClient client{server};
  client.send(encode({"GET", "a"}) + encode({"AUTH", "wrong"}) + encode({"NONSENSE"}) +
              encode({"AUTH", "secret"}) + encode({"CLIENT", "SETNAME", "has blank"}) +
              encode({"CLIENT", "SETINFO", "LIB-NAME", "test"}) +
              encode({"CLIENT", "MAINT_NOTIFICATIONS", "ON"}) + encode({"SELECT", "99"}) +
              encode({"SELECT", "1"}) + encode({"PING"}));
  EXPECT_THAT(client.receive_line(), StartsWith("-NOAUTH"));
  EXPECT_THAT(client.receive_line(), StartsWith("-WRONGPASS"));
  EXPECT_THAT(client.receive_line(), StartsWith("-ERR unknown command"));
  EXPECT_EQ(client.receive_line(), "+OK\r\n");
  EXPECT_THAT(client.receive_line(), StartsWith("-ERR"));
  EXPECT_EQ(client.receive_line(), "+OK\r\n");
  EXPECT_THAT(client.receive_line(), StartsWith("-ERR unknown subcommand"));
  EXPECT_THAT(client.receive_line(), StartsWith("-ERR DB index is out of range"));
  EXPECT_EQ(client.receive_line(), "+OK\r\n");
  EXPECT_EQ(client.receive_line(), "+PONG\r\n");
}

TEST(Connections, BeforeAuthenticationLongRequestsAreRefused) {
  ServerProcess server{{"--requirepass", "secret"}};
  RawClient client{server};
  client.send("*2\r\n$4\r\nECHO\r\n$20000\r\n");
  EXPECT_EQ(client.receive_until_closed(), "-ERR Protocol error: unauthenticated bulk length\r\n");

  // What is sent together with AUTH is read by the limits that hold behind it.
  RawClient other{server};
  const std::string value(20'000, 'x');
  other.send(encode({"AUTH", "secret"}) + encode({"ECHO", value}));
  EXPECT_EQ(other.receive_line(), "+OK\r\n");
  EXPECT_EQ(other.receive(value.size() + 10), fmt::format("$20000\r\n{}\r\n", value));
}

TEST(Connections, AProtocolErrorIsToldAndEndsTheConnection) {
  ServerProcess server;
  RawClient client{server};
  client.send(encode({"PING"}) + "*1\r\n$x\r\n");
  EXPECT_EQ(client.receive_until_closed(), "+PONG\r\n-ERR Protocol error: invalid bulk length\r\n");
}

TEST(Connections, QuitIsAnsweredAndNothingBehindItRuns) {
  ServerProcess server;
  RawClient client{server};
  client.send(encode({"SET", "a", "1"}) + encode({"QUIT"}) + encode({"SET", "a", "2"}));
  EXPECT_EQ(client.receive_until_closed(), "+OK\r\n+OK\r\n");
  EXPECT_EQ(Client{server}.ask("GET", "a"), "1");
}

// What a web page can have a browser send: its commands stand behind the header.
TEST(Connections, HttpIsNotAnsweredAndNothingBehindItRuns) {
  ServerProcess server;
  for (const std::string_view header :
       {"POST / HTTP/1.1\r\n", "Host: localhost\r\n", "MULTI\r\nhost: a\r\n"}) {
    RawClient client{server};
    client.send(fmt::format("{}SET a 1\r\n", header));
    EXPECT_EQ(client.receive_until_closed(), header.starts_with("MULTI") ? "+OK\r\n" : "") << header;
  }
  EXPECT_EQ(Client{server}.ask("EXISTS", "a"), "(integer) 0");
}

TEST(Connections, LongValuesComeBackAsTheyWent) {
  ServerProcess server;
  Client client{server};
  std::string value(5'000'000, '\0');
  std::mt19937_64 random{7};
  for (char& byte : value) byte = static_cast<char>(random());
  EXPECT_EQ(client.ask("SET", "long", value), "OK");
  EXPECT_TRUE(client.ask("GET", "long") == value);
  client.append({"SET", "short", "1"});
  client.append({"APPEND", "long", value});
  client.append({"GET", "short"});
  EXPECT_EQ(client.next_text(), "OK");
  EXPECT_EQ(client.next_text(), "(integer) 10000000");
  EXPECT_EQ(client.next_text(), "1");
}

// 256 MiB of memory: connections may use 25, one argument that is not a value half of that.
TEST(Connections, AnArgumentThatWouldNotFitIsRefusedBeforeItIsSent) {
  ServerProcess server;
  RawClient client{server};
  client.send("*2\r\n$4\r\nECHO\r\n$100000000\r\n");
  EXPECT_EQ(client.receive_until_closed(),
            "-ERR request exceeds the memory that connections may use; see option memory\r\n");
  RawClient other{server};
  other.send("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$600000000\r\n");  // proto-max-bulk-len
  EXPECT_EQ(other.receive_until_closed(), "-ERR Protocol error: invalid bulk length\r\n");
}

TEST(Connections, ManyHalfSentValuesDoNotTakeMoreThanTheirShare) {
  ServerProcess server;
  Client steady{server};
  const std::uint64_t before_mib = resident_mib(server);
  const std::string part(8'000'000, 'x');
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 16; ++i) {
    clients.push_back(std::make_unique<RawClient>(server));
    try {
      clients.back()->send("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$12000000\r\n");
      clients.back()->send(part);
    } catch (const std::runtime_error&) {  // refused, and disconnected meanwhile
    }
  }
  EXPECT_EQ(steady.ask("PING"), "PONG");
  if (kMemoryIsOurs) {
    EXPECT_LT(resident_mib(server), before_mib + 60);
  }
  clients.clear();
  EXPECT_EQ(steady.ask("SET", "a", part), "OK");
}

TEST(Connections, AClientThatDoesNotReadHoldsUpNobodyAndIsBounded) {
  ServerProcess server{{"--output-buffer-max", "1mb"}};
  Client other{server};
  const std::string value(100'000, 'v');
  ASSERT_EQ(other.ask("SET", "v", value), "OK");
  const std::uint64_t before_mib = resident_mib(server);

  RawClient stubborn{server, 4096};
  const std::string request = encode({"GET", "v"});
  std::string requests;
  for (int i = 0; i < 1000; ++i) requests += request;
  // 100 MB of replies; the server stops reading when it cannot get rid of them.
  std::size_t sent = 0;
  for (int i = 0; i < 1000; ++i) {
    sent += stubborn.send_some(std::string_view{requests}.substr(sent));
    ASSERT_EQ(other.ask("GET", "v"), value);
  }
  if (kMemoryIsOurs) {
    EXPECT_LT(resident_mib(server), before_mib + 30);
  }
  // All of them come once it reads.
  const std::string reply = fmt::format("$100000\r\n{}\r\n", value);
  const std::size_t count = sent / request.size();
  EXPECT_GT(count, 100);
  for (std::size_t i = 0; i < count; ++i) ASSERT_TRUE(stubborn.receive(reply.size()) == reply) << i;
}

TEST(Connections, SlowCommandsDelayTheirOwnClientOnly) {
  ServerProcess server{{"--threads", "1"}};
  RawClient sleeper{server};
  sleeper.send(encode({"PING"}) + encode({"DEBUG", "SLEEP", "0.5"}) + encode({"PING"}));
  EXPECT_EQ(sleeper.receive_line(), "+PONG\r\n");
  const auto begun = std::chrono::steady_clock::now();
  Client other{server};
  EXPECT_EQ(other.ask("PING"), "PONG");
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds{450});
  EXPECT_EQ(sleeper.receive_line(), "+OK\r\n");
  EXPECT_EQ(sleeper.receive_line(), "+PONG\r\n");
}

TEST(Connections, BeyondMaxclientsTheyAreTurnedAwayWithAReason) {
  ServerProcess server{{"--maxclients", "2"}};
  Client first{server};
  EXPECT_EQ(first.ask("PING"), "PONG");
  {
    Client second{server};
    EXPECT_EQ(second.ask("PING"), "PONG");
    EXPECT_EQ(RawClient{server}.receive_until_closed(), "-ERR max number of clients reached\r\n");
  }
  EXPECT_EQ(first.ask("CONFIG", "SET", "maxclients", "5"), "OK");
  EXPECT_EQ(Client{server}.ask("PING"), "PONG");
}

TEST(Connections, IdleOnesAreClosedAfterTheTimeout) {
  ServerProcess server{{"--timeout", "1"}};
  RawClient idle{server};
  idle.send("PING\r\n");
  EXPECT_EQ(idle.receive_until_closed(), "+PONG\r\n");
  Client client{server};
  EXPECT_EQ(client.ask("CONFIG", "SET", "timeout", "0"), "OK");
}

TEST(Connections, KilledByAnother) {
  ServerProcess server;
  Client killer{server};
  Client victim{server};
  const std::string id = victim.ask("CLIENT", "ID").substr(std::string{"(integer) "}.size());
  EXPECT_EQ(killer.ask("CLIENT", "KILL", "ID", id), "(integer) 1");
  EXPECT_EQ(victim.command({"PING"}), nullptr);
  EXPECT_EQ(killer.ask("PING"), "PONG");
}

TEST(Connections, OneThatLeavesWhileItWaitsIsForgotten) {
  ServerProcess server;
  Client watcher{server};
  {
    RawClient waiter{server};
    waiter.send(encode({"PING"}) + encode({"WAIT", "1", "0"}));
    EXPECT_EQ(waiter.receive_line(), "+PONG\r\n");
  }
  std::string clients;
  do {
    clients = watcher.ask("CLIENT", "LIST");
  } while (clients.find("cmd=wait") != std::string::npos || std::ranges::count(clients, '\n') > 1);
}

TEST(Connections, OverAUnixSocket) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/shale.sock";
  ServerProcess server{{"--unixsocket", path, "--unixsocketperm", "700"}};
  Client client = Client::over_unix(path);
  EXPECT_EQ(client.ask("SET", "a", "1"), "OK");
  EXPECT_EQ(Client{server}.ask("GET", "a"), "1");
  EXPECT_THAT(client.ask("CLIENT", "INFO"), HasSubstr(path + ":0"));
  EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms::owner_all);

  server.kill();  // leaves the socket behind, which does not keep the next start from it
  server.start();
  EXPECT_EQ(Client::over_unix(path).ask("GET", "a"), "1");
  EXPECT_EQ(server.stop(), 0);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(Connections, OverIpv6) {
  ServerProcess server;
  if (server.process().output().find("[::1]") == std::string::npos) GTEST_SKIP() << "no IPv6 here";
  Client client{"::1", server.port()};
  EXPECT_EQ(client.ask("PING"), "PONG");
  EXPECT_THAT(client.ask("CLIENT", "INFO"), HasSubstr("addr=[::1]:"));
}

// Many come and go at once, on both threads.
TEST(Connections, ComeAndGo) {
  ServerProcess server;
  std::vector<std::jthread> threads;
  threads.reserve(4);
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&server, thread] {
      for (int i = 0; i < 100; ++i) {
        Client client{server};
        const std::string key = fmt::format("{}:{}", thread, i);
        ASSERT_EQ(client.ask("SET", key, "x"), "OK");
        if (i % 3 == 0) client.append({"GET", key});  // and leaves without its reply
      }
    });
  }
  threads.clear();
  EXPECT_EQ(Client{server}.ask("DBSIZE"), "(integer) 400");
}

}  // namespace
}  // namespace shale::integration
