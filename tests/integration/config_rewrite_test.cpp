// CONFIG REWRITE on a live server, and the configuration that the next start finds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "tests/integration/client.h"

namespace shale::integration {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string contents_of(const std::string& path) {
  std::ifstream file{path};
  return {std::istreambuf_iterator<char>{file}, {}};
}

TEST(ConfigRewriteCommand, NeedsAFile) {
  const ServerProcess server;
  Client client{server};
  EXPECT_EQ(client.ask("CONFIG", "REWRITE"), "(error) ERR The server is running without a config file");
}

TEST(ConfigRewriteCommand, WhatWasSetIsThereAfterARestart) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/shale.conf";
  std::ofstream{path} << "# kept\ntimeout 100\n";
  const unsigned port = free_port();
  const std::vector<std::string> command{server_program(),     path,    "--port",
                                         std::to_string(port), "--dir", folder.path() + "/data",
                                         "--memory",           "64mb"};
  {
    ChildProcess server{command};
    ASSERT_TRUE(server.wait_for_output("Ready to accept connections")) << server.output();
    Client client{"127.0.0.1", port};
    EXPECT_EQ(client.ask("CONFIG", "SET", "timeout", "200", "slowlog-max-len", "7"), "OK");
    EXPECT_EQ(client.ask("CONFIG", "REWRITE"), "OK");
    EXPECT_THAT(contents_of(path), HasSubstr("# kept\ntimeout 200\n"));
    EXPECT_THAT(contents_of(path), HasSubstr("slowlog-max-len 7\n"));
    EXPECT_THAT(contents_of(path), Not(HasSubstr("loglevel")));
    const std::string once = contents_of(path);
    EXPECT_EQ(client.ask("CONFIG", "REWRITE"), "OK");
    EXPECT_EQ(contents_of(path), once);
    server.send_signal(SIGTERM);
    EXPECT_EQ(server.wait(), 0);
  }
  // The file alone.
  ChildProcess again{{server_program(), path}};
  ASSERT_TRUE(again.wait_for_output("Ready to accept connections")) << again.output();
  Client client{"127.0.0.1", port};
  EXPECT_EQ(client.ask("CONFIG", "GET", "timeout"), "[timeout, 200]");
  EXPECT_EQ(client.ask("CONFIG", "GET", "slowlog-max-len", "tim*"), "[slowlog-max-len, 7, timeout, 200]");
}

TEST(ConfigRewriteCommand, UsersAreAsTheyWere) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/shale.conf";
  std::ofstream{path} << "user alice on >old +@all ~*\nrequirepass secret\n";
  const unsigned port = free_port();
  const std::vector<std::string> command{server_program(),     path,    "--port",
                                         std::to_string(port), "--dir", folder.path() + "/data"};
  std::string users;
  {
    ChildProcess server{command};
    ASSERT_TRUE(server.wait_for_output("Ready to accept connections")) << server.output();
    Client client{"127.0.0.1", port};
    EXPECT_EQ(client.ask("AUTH", "secret"), "OK");
    EXPECT_EQ(client.ask("ACL", "SETUSER", "alice", ">new", "<old", "-get"), "OK");
    EXPECT_EQ(client.ask("ACL", "SETUSER", "bob", "on", "nopass", "(~a* +get)"), "OK");
    users = client.ask("ACL", "LIST");
    EXPECT_EQ(client.ask("CONFIG", "REWRITE"), "OK");
    EXPECT_THAT(contents_of(path), Not(HasSubstr("user default")));  // requirepass says it all
    server.send_signal(SIGTERM);
    EXPECT_EQ(server.wait(), 0);
  }
  ChildProcess again{command};
  ASSERT_TRUE(again.wait_for_output("Ready to accept connections")) << again.output();
  Client client{"127.0.0.1", port};
  EXPECT_EQ(client.ask("AUTH", "secret"), "OK");
  EXPECT_EQ(client.ask("ACL", "LIST"), users);
}

TEST(ConfigRewriteCommand, SaysWhatHasFailed) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/shale.conf";
  std::ofstream{path} << "timeout 100\n";
  const unsigned port = free_port();
  ChildProcess server{
      {server_program(), path, "--port", std::to_string(port), "--dir", folder.path() + "/data"}};
  ASSERT_TRUE(server.wait_for_output("Ready to accept connections")) << server.output();
  std::filesystem::remove(path);
  Client client{"127.0.0.1", port};
  EXPECT_EQ(client.ask("CONFIG", "REWRITE"), "(error) ERR Rewriting config file: No such file or directory");
  EXPECT_EQ(client.ask("PING"), "PONG");
}

}  // namespace
}  // namespace shale::integration
