// Users and what they may do, as clients meet it. The rules themselves: tests/server/acl/.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/integration/client.h"
#include "tests/integration/server_process.h"

namespace shale::integration {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kWrongPassword =
    "(error) WRONGPASS invalid username-password pair or user is disabled.";

std::string contents_of(const std::string& path) {
  std::ifstream file{path};
  return {std::istreambuf_iterator<char>{file}, {}};
}
void write(const std::string& path, const std::string& contents) { std::ofstream{path} << contents; }

TEST(Acl, WhatAUserMayNotDoIsRefusedWithTheReason) {
  ServerProcess server;
  Client admin{server};
  Client client{server};
  EXPECT_EQ(admin.ask("ACL", "SETUSER", "alice", "on", ">x", "+get", "+mget", "~a*"), "OK");
  EXPECT_EQ(client.ask("AUTH", "alice", "wrong"), kWrongPassword);
  EXPECT_EQ(client.ask("AUTH", "nobody", "x"), kWrongPassword);
  EXPECT_EQ(client.ask("ACL", "WHOAMI"), "default");
  EXPECT_EQ(client.ask("AUTH", "alice", "x"), "OK");
  EXPECT_EQ(client.ask("GET", "a1"), "(nil)");
  EXPECT_EQ(client.ask("GET", "b1"), "(error) NOPERM No permissions to access a key");
  EXPECT_EQ(client.ask("MGET", "a", "b"), "(error) NOPERM No permissions to access a key");
  EXPECT_EQ(client.ask("SET", "a1", "x"),
            "(error) NOPERM User alice has no permissions to run the 'set' command");
  EXPECT_EQ(client.ask("CONFIG", "GET", "port"),
            "(error) NOPERM User alice has no permissions to run the 'config|get' command");
  EXPECT_EQ(client.ask("ACL", "WHOAMI"),
            "(error) NOPERM User alice has no permissions to run the 'acl|whoami' command");
  EXPECT_THAT(admin.ask("CLIENT", "LIST"), HasSubstr("user=alice"));
  EXPECT_EQ(client.ask("RESET"), "RESET");
  EXPECT_EQ(client.ask("ACL", "WHOAMI"), "default");
}

// What is allowed and what is not come in one run, whose locks are taken once.
TEST(Acl, EveryRequestOfAPipelineIsCheckedForItself) {
  ServerProcess server;
  Client client{server};
  EXPECT_EQ(client.ask("ACL", "SETUSER", "alice", "on", "nopass", "+set", "+get", "~a*"), "OK");
  EXPECT_EQ(client.ask("AUTH", "alice", ""), "OK");
  for (const char* key : {"a", "b", "a", "b"}) client.append({"SET", key, key});
  client.append({"INCR", "a"});
  client.append({"GET", "a"});
  EXPECT_EQ(client.next_text(), "OK");
  EXPECT_THAT(client.next_text(), HasSubstr("NOPERM"));
  EXPECT_EQ(client.next_text(), "OK");
  EXPECT_THAT(client.next_text(), HasSubstr("NOPERM"));
  EXPECT_THAT(client.next_text(), HasSubstr("NOPERM"));
  EXPECT_EQ(client.next_text(), "a");
}

TEST(Acl, ChangesHoldForClientsThatAreConnected) {
  ServerProcess server;
  Client admin{server};
  Client client{server};
  Client hello{server};
  EXPECT_EQ(admin.ask("ACL", "SETUSER", "alice", "on", ">x", "allcommands", "allkeys"), "OK");
  EXPECT_EQ(client.ask("AUTH", "alice", "x"), "OK");
  EXPECT_THAT(hello.ask("HELLO", "2", "AUTH", "alice", "x"), HasSubstr("redis"));
  EXPECT_EQ(client.ask("SET", "a", "1"), "OK");
  EXPECT_EQ(admin.ask("ACL", "SETUSER", "alice", "-set"), "OK");
  EXPECT_THAT(client.ask("SET", "a", "2"), HasSubstr("NOPERM"));
  EXPECT_EQ(admin.ask("ACL", "SETUSER", "alice", "off"), "OK");
  EXPECT_EQ(client.ask("GET", "a"), "1");  // who is in stays in
  EXPECT_EQ(hello.ask("AUTH", "alice", "x"), kWrongPassword);
  EXPECT_EQ(admin.ask("CLIENT", "KILL", "USER", "nobody"), "(error) ERR No such user 'nobody'");
  EXPECT_EQ(admin.ask("CLIENT", "KILL", "USER", "alice"), "(integer) 2");
  EXPECT_EQ(client.ask("PING"), "(no reply)");
}

TEST(Acl, RangeGivesValuesToThoseWhoMayReadAllKeys) {
  ServerProcess server;
  Client admin{server};
  Client client{server};
  admin.ask("SET", "{t}1", "secret");
  EXPECT_EQ(admin.ask("ACL", "SETUSER", "alice", "on", "nopass", "+@read", "+@connection", "~a*"), "OK");
  EXPECT_EQ(client.ask("AUTH", "alice", ""), "OK");
  EXPECT_EQ(client.ask("RANGE", "[{t}1", "+"),
            "(error) NOPERM RANGE gives values only to users who may read all keys");
  EXPECT_EQ(client.ask("RANGE", "[{t}1", "+", "KEYS"), "[{t}1]");
  EXPECT_EQ(admin.ask("ACL", "SETUSER", "alice", "%R~*"), "OK");
  EXPECT_EQ(client.ask("RANGE", "[{t}1", "+"), "[{t}1, secret]");
}

TEST(Acl, WhoHasLostChannelsIsDisconnectedIfHeListens) {
  ServerProcess server;
  Client admin{server};
  Client listener{server};
  Client other{server};
  EXPECT_EQ(admin.ask("ACL", "SETUSER", "alice", "on", "nopass", "+@all", "~*", "&news.*", "&sport"), "OK");
  for (Client* client : {&listener, &other}) EXPECT_EQ(client->ask("AUTH", "alice", ""), "OK");
  EXPECT_EQ(listener.ask("SUBSCRIBE", "news.1"), "[subscribe, news.1, (integer) 1]");
  EXPECT_EQ(admin.ask("ACL", "SETUSER", "alice", "&more"), "OK");
  EXPECT_EQ(listener.ask("PING"), "[pong, ]");
  EXPECT_EQ(admin.ask("ACL", "SETUSER", "alice", "resetchannels", "&sport"), "OK");
  EXPECT_EQ(listener.next_text(), "(no reply)");
  EXPECT_EQ(other.ask("PING"), "PONG");
}

TEST(Acl, AUserThatIsGoneIsDisconnected) {
  ServerProcess server;
  Client admin{server};
  Client client{server};
  EXPECT_EQ(admin.ask("ACL", "SETUSER", "alice", "on", "nopass", "+@all", "~*"), "OK");
  EXPECT_EQ(client.ask("AUTH", "alice", "x"), "OK");
  EXPECT_EQ(admin.ask("ACL", "DELUSER", "alice", "nobody"), "(integer) 1");
  EXPECT_EQ(client.ask("PING"), "(no reply)");
  Client self{server};
  EXPECT_EQ(admin.ask("ACL", "SETUSER", "bob", "on", "nopass", "+@all"), "OK");
  EXPECT_EQ(self.ask("AUTH", "bob", "x"), "OK");
  EXPECT_EQ(self.ask("ACL", "DELUSER", "bob"), "(integer) 1");
  EXPECT_EQ(self.ask("PING"), "(no reply)");
  EXPECT_EQ(admin.ask("ACL", "DELUSER", "default"), "(error) ERR The 'default' user cannot be removed");
}

TEST(Acl, TheDefaultUserMayHaveToLogIn) {
  ServerProcess server;
  Client admin{server};
  EXPECT_EQ(
      admin.ask("AUTH", "x"),
      "(error) ERR AUTH <password> called without any password configured for the default user. Are you sure "
      "your configuration is correct?");
  EXPECT_EQ(admin.ask("ACL", "SETUSER", "default", ">x"), "OK");
  EXPECT_EQ(admin.ask("PING"), "PONG");
  Client client{server};
  EXPECT_EQ(client.ask("PING"), "(error) NOAUTH Authentication required.");
  EXPECT_EQ(client.ask("AUTH", "x"), "OK");
  EXPECT_EQ(client.ask("PING"), "PONG");
  EXPECT_EQ(client.ask("CONFIG", "SET", "requirepass", "y"), "OK");
  Client other{server};
  EXPECT_EQ(other.ask("AUTH", "x"), kWrongPassword);
  EXPECT_EQ(other.ask("AUTH", "default", "y"), "OK");
}

TEST(Acl, TheLogTellsWhoWasRefusedWhat) {
  ServerProcess server;
  Client admin{server};
  Client client{server};
  EXPECT_EQ(admin.ask("ACL", "SETUSER", "alice", "on", ">x", "+get", "~a*"), "OK");
  client.ask("AUTH", "alice", "wrong");
  client.ask("AUTH", "alice", "x");
  client.ask("GET", "b");
  client.ask("SET", "a", "1");
  client.ask("SET", "a", "1");
  EXPECT_THAT(
      admin.ask("ACL", "LOG", "1"),
      AllOf(StartsWith(
                "[[count, (integer) 2, reason, command, context, toplevel, object, set, username, alice,"),
            HasSubstr("user=alice"), HasSubstr("entry-id, (integer) 2")));
  EXPECT_THAT(admin.ask("ACL", "LOG"),
              AllOf(HasSubstr("reason, key, context, toplevel, object, b,"),
                    HasSubstr("reason, auth, context, toplevel, object, AUTH, username, alice")));
  EXPECT_THAT(admin.ask("INFO", "stats"),
              AllOf(HasSubstr("acl_access_denied_auth:1"), HasSubstr("acl_access_denied_cmd:2")));
  EXPECT_EQ(admin.ask("ACL", "LOG", "RESET"), "OK");
  EXPECT_EQ(admin.ask("ACL", "LOG"), "[]");
}

TEST(Acl, UsersAreLoadedFromTheirFileAndSavedThere) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/users.acl";
  write(path, "user alice on nopass ~* +@all\nuser bob on >secret +ping\n");
  ServerProcess server{{"--aclfile", path}};
  Client admin{server};
  Client bob{server};
  EXPECT_EQ(bob.ask("AUTH", "bob", "secret"), "OK");
  EXPECT_EQ(admin.ask("ACL", "USERS"), "[alice, bob, default]");
  EXPECT_EQ(admin.ask("ACL", "SETUSER", "carol", "on", "+get", "~c*"), "OK");
  EXPECT_EQ(admin.ask("ACL", "SAVE"), "OK");
  EXPECT_THAT(
      contents_of(path),
      AllOf(HasSubstr("user carol on sanitize-payload ~c* resetchannels -@all +get\n"),
            HasSubstr("user default on nopass sanitize-payload ~* &* +@all\n"), Not(HasSubstr("secret"))));

  write(path, "user alice on\nnonsense\n");
  EXPECT_THAT(admin.ask("ACL", "LOAD"),
              AllOf(StartsWith("(error) ERR "), HasSubstr(":2 should start with user keyword"),
                    HasSubstr("no change to the previously active ACL rules")));
  EXPECT_EQ(bob.ask("PING"), "PONG");
  write(path, "user alice on +get\nuser default on nopass ~* &* +@all\n");
  EXPECT_EQ(admin.ask("ACL", "LOAD"), "OK");
  EXPECT_EQ(admin.ask("ACL", "USERS"), "[alice, default]");
  EXPECT_EQ(bob.ask("PING"), "(no reply)");
  std::filesystem::remove(path);
  EXPECT_THAT(admin.ask("ACL", "LOAD"), HasSubstr("No such file or directory"));

  write(path, "user alice on frobnicate\n");
  const Outcome refused = run_server({"--aclfile", path, "--dir", folder.path() + "/data", "--port", "0",
                                      "--unixsocket", folder.path() + "/socket"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.output, AllOf(HasSubstr("'aclfile'"), HasSubstr(":1: Syntax error")));
}

TEST(Acl, UsersOfTheConfigurationAreThereFromTheStart) {
  ServerProcess server{{"--user", "alice", "on", ">secret", "+ping", "(+get", "~a*)"}};
  Client client{server};
  EXPECT_EQ(client.ask("AUTH", "alice", "secret"), "OK");
  EXPECT_EQ(client.ask("PING"), "PONG");
  EXPECT_EQ(client.ask("GET", "a"), "(nil)");
  EXPECT_THAT(client.ask("GET", "b"), HasSubstr("NOPERM"));
  EXPECT_THAT(Client{server}.ask("ACL", "SAVE"), HasSubstr("not configured to use an ACL file"));
}

}  // namespace
}  // namespace shale::integration
