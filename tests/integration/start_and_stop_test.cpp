// How the server begins and ends: what it refuses to start with, and what it keeps.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "tests/integration/client.h"
#include "tests/integration/server_process.h"

namespace shale::integration {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(Start, SaysWhatItDoes) {
  ServerProcess server;
  EXPECT_THAT(server.process().output(),
              AllOf(HasSubstr("Shale 0."), HasSubstr(server.folder() + "/data"), HasSubstr("2 threads"),
                    HasSubstr("256 MiB"), HasSubstr("new data folder"), HasSubstr("8 shards"),
                    HasSubstr(fmt::format("listening on 127.0.0.1:{}", server.port())),
                    HasSubstr("Ready to accept connections")));
}

TEST(Start, WrongOptionsAreAllNamedWithWhereTheyCameFrom) {
  const TemporaryFolder folder;
  const std::string file = folder.path() + "/shale.conf";
  std::ofstream{file} << "# comment\nfrobnicate yes\nappendfsync = sometimes\n";
  const Outcome outcome = run_server({file, "--port", "many"}, {"SHALE_SHARDS=0"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(
      outcome.output,
      AllOf(HasSubstr("unknown option 'frobnicate' (" + file + ":2)"),
            HasSubstr("option 'appendfsync' takes always, everysec or no, not 'sometimes' (" + file + ":3)"),
            HasSubstr("not 'many' (command line)"), HasSubstr("not '0' (environment SHALE_SHARDS)")));
}

TEST(Start, TooLittleMemoryIsRefused) {
  const TemporaryFolder folder;
  const Outcome outcome = run_server({"--memory", "16mb", "--dir", folder.path() + "/data"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("'memory'"), HasSubstr("32 MiB")));
  EXPECT_FALSE(std::filesystem::exists(folder.path() + "/data"));
}

TEST(Start, HelpVersionAndCheckOfTheConfiguration) {
  const Outcome help = run_server({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.output, AllOf(HasSubstr("usage: shale-server"), HasSubstr("--appendfsync (everysec)")));
  EXPECT_EQ(run_server({"--version"}).exit_code, 0);
  const Outcome checked = run_server({"--check-config", "--timeout", "7", "--save", "900", "1"});
  EXPECT_EQ(checked.exit_code, 0);
  EXPECT_THAT(checked.output, AllOf(HasSubstr("timeout = 7\n"), HasSubstr("ignored: save")));
  EXPECT_EQ(run_server({"--check-config", "--timeout", "x"}).exit_code, 1);
}

TEST(Start, LaterSourcesWin) {
  const TemporaryFolder folder;
  const std::string file = folder.path() + "/shale.conf";
  std::ofstream{file} << "timeout 1\ntcp-backlog 11\ntcp-keepalive 1\n";
  const Outcome outcome =
      run_server({file, "--check-config", "--timeout=3"}, {"SHALE_TIMEOUT=2", "SHALE_TCP_KEEPALIVE=2"});
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("timeout = 3\n"), HasSubstr("tcp-keepalive = 2\n"),
                                    HasSubstr("tcp-backlog = 11\n")));
}

TEST(Start, AnAddressInUseIsNamed) {
  ServerProcess server;
  const TemporaryFolder folder;
  const Outcome outcome =
      run_server({"--port", std::to_string(server.port()), "--dir", folder.path() + "/data"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.output,
              HasSubstr(fmt::format("cannot listen on 127.0.0.1:{}: Address already in use", server.port())));
}

TEST(Start, AFolderInUseIsRefused) {
  ServerProcess server;
  const Outcome outcome = run_server(
      {"--port", std::to_string(free_port()), "--dir", server.folder() + "/data", "--bind", "127.0.0.1"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.output, HasSubstr(server.folder() + "/data"));
  EXPECT_EQ(Client{server}.ask("PING"), "PONG");
}

TEST(Start, NothingToListenOnIsRefused) {
  const TemporaryFolder folder;
  const Outcome outcome = run_server({"--port", "0", "--dir", folder.path() + "/data"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.output, HasSubstr("nothing to listen on"));
}

TEST(HealthCheck, FindsTheServerOfItsFolder) {
  ServerProcess server{{"--requirepass", "secret"}};
  const std::string folder = server.folder() + "/data";
  const Outcome with_password =
      run_server({"--health-check"}, {"SHALE_DIR=" + folder, "SHALE_REQUIREPASS=secret"});
  EXPECT_EQ(with_password.exit_code, 0) << with_password.output;
  EXPECT_EQ(run_server({"--health-check", "--dir", folder}).exit_code, 0);
  EXPECT_EQ(run_server({"--health-check", "--port", std::to_string(server.port())}).exit_code, 0);
  EXPECT_EQ(run_server({"--health-check", "--dir", folder}, {"SHALE_REQUIREPASS=wrong"}).exit_code, 0);
  server.kill();
  EXPECT_EQ(run_server({"--health-check", "--dir", folder}).exit_code, 1);
}

TEST(ProtectedMode, IsForStrangersOnly) {
  ServerProcess server{{"--bind", "*", "-::*"}};
  EXPECT_EQ(Client{server}.ask("PING"), "PONG");
}

TEST(Password, IsAskedFor) {
  ServerProcess server{{"--requirepass", "secret"}};
  Client client{server};
  EXPECT_EQ(client.ask("PING"), "(error) NOAUTH Authentication required.");
  EXPECT_EQ(client.ask("AUTH", "secret"), "OK");
  EXPECT_EQ(client.ask("PING"), "PONG");
}

TEST(Stop, KeepsWhatWasWritten) {
  ServerProcess server;
  EXPECT_EQ(Client{server}.ask("SET", "a", "1"), "OK");
  EXPECT_EQ(server.stop(SIGINT), 0);
  server.start();
  EXPECT_THAT(server.process().output(), HasSubstr("recovered"));
  EXPECT_EQ(Client{server}.ask("GET", "a"), "1");
  server.restart();
  EXPECT_EQ(Client{server}.ask("GET", "a"), "1");
}

TEST(Stop, ByCommand) {
  ServerProcess server;
  Client client{server};
  EXPECT_EQ(client.ask("SET", "a", "1"), "OK");
  client.command({"SHUTDOWN"});
  EXPECT_EQ(server.process().wait(), 0);
}

TEST(Stop, DoesNotWaitForClientsThatSayNothing) {
  ServerProcess server;
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(std::make_unique<Client>(server));
    ASSERT_EQ(clients.back()->ask("PING"), "PONG");
  }
  RawClient half{server};
  half.send("*3\r\n$3\r\nSET\r\n");
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(server.stop(), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds{10});
}

// Writes increasing numbers to keys of its own until the connection ends; what was acknowledged last is what
// must be there afterwards (or what was on its way then, which may have happened as well).
class Writer {
 public:
  Writer(ServerProcess& server, int number) : key_(fmt::format("writer:{}", number)), client_(server) {
    thread_ = std::jthread{[this] { write(); }};
  }
  void wait_for(std::int64_t count) {
    for (std::int64_t seen = acknowledged_; seen < count; seen = acknowledged_) acknowledged_.wait(seen);
  }
  void join() { thread_.join(); }
  void check(ServerProcess& server) {
    const std::string last = Client{server}.ask("GET", key_);
    EXPECT_GE(std::stoll(last), acknowledged_) << key_;
    EXPECT_LE(std::stoll(last), acknowledged_ + kPipeline) << key_;
  }

 private:
  static constexpr int kPipeline = 8;

  void write() {
    std::int64_t next = 1;
    for (bool connected = true; connected;) {
      for (int i = 0; i < kPipeline; ++i) client_.append({"SET", key_, std::to_string(next + i)});
      for (int i = 0; i < kPipeline && connected; ++i) {
        connected = client_.next_text() == "OK";
        if (!connected) break;
        acknowledged_ = next++;
        acknowledged_.notify_all();
      }
    }
  }

  const std::string key_;
  Client client_;
  std::atomic<std::int64_t> acknowledged_ = 0;
  std::jthread thread_;
};

class UnderLoad : public testing::TestWithParam<const char*> {
 protected:
  void load_and_end(ServerProcess& server, int signal, int expected_exit_code) {
    std::vector<std::unique_ptr<Writer>> writers;
    writers.reserve(6);
    for (int i = 0; i < 6; ++i) writers.push_back(std::make_unique<Writer>(server, i));
    for (const auto& writer : writers) writer->wait_for(200);
    const auto begun = std::chrono::steady_clock::now();
    EXPECT_EQ(server.stop(signal), expected_exit_code);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds{10});
    for (const auto& writer : writers) writer->join();
    server.start();
    for (const auto& writer : writers) writer->check(server);
  }
};
INSTANTIATE_TEST_SUITE_P(Appendfsync, UnderLoad, testing::Values("always", "everysec", "no"),
                         [](const auto& each) { return std::string{each.param}; });

TEST_P(UnderLoad, SigtermLosesNothingAcknowledged) {
  ServerProcess server{{"--appendfsync", GetParam()}};
  load_and_end(server, SIGTERM, 0);
}

TEST_P(UnderLoad, KillLosesNothingAcknowledged) {
  ServerProcess server{{"--appendfsync", GetParam()}};
  load_and_end(server, SIGKILL, -SIGKILL);
  load_and_end(server, SIGKILL, -SIGKILL);
}

// A test cannot cut the power, but it can see that the sync has happened before the reply.
TEST(AppendfsyncAlways, RepliesComeAfterTheSync) {
  ServerProcess server{{"--appendfsync", "always"}};
  Client client{server};
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(client.ask("SET", "a", std::to_string(i)), "OK");
    ASSERT_EQ(client.ask("WAITAOF", "1", "0", "1"), "[(integer) 1, (integer) 0]");
  }
  EXPECT_EQ(client.ask("CONFIG", "SET", "appendfsync", "everysec"), "OK");
  EXPECT_EQ(client.ask("SET", "a", "last"), "OK");
}

}  // namespace
}  // namespace shale::integration
