// What clients send when they connect: HELLO, AUTH, CLIENT and their relatives.
#include "tests/integration/commands_connection.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace shale::integration {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

constexpr std::string_view kOk = "+OK\r\n";
constexpr std::string_view kWrongPassword =
    "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
constexpr std::string_view kNoAuth = "-NOAUTH Authentication required.\r\n";

class CommandHandshake : public ::testing::Test {
 protected:
  ServerProcess server_;
  CommandConnection connection_{server_.port()};
};

TEST_F(CommandHandshake, HelloHasAllSevenFields) {
  const char* const kRest =
      "\\$5\r\nproto\r\n:{}\r\n\\$2\r\nid\r\n:[0-9]+\r\n\\$4\r\nmode\r\n\\$10\r\nstandalone\r\n"
      "\\$4\r\nrole\r\n\\$6\r\nmaster\r\n\\$7\r\nmodules\r\n\\*0\r\n";
  const char* const kBegin =
      "\\$6\r\nserver\r\n\\$5\r\nredis\r\n\\$7\r\nversion\r\n\\$5\r\n7\\.4\\.[0-9]\r\n";
  EXPECT_THAT(connection_.run("HELLO"),
              MatchesRegex(std::string("\\*14\r\n") + kBegin + fmt::format(fmt::runtime(kRest), 2)));
  EXPECT_THAT(connection_.run("HELLO 3"),
              MatchesRegex(std::string("%7\r\n") + kBegin + fmt::format(fmt::runtime(kRest), 3)));
  EXPECT_EQ(connection_.run("GET nosuch"), "_\r\n");
  EXPECT_THAT(connection_.run("HELLO 2"), StartsWith("*14\r\n"));
  EXPECT_EQ(connection_.run("GET nosuch"), "$-1\r\n");
}

TEST_F(CommandHandshake, AWrongHelloChangesNothing) {
  EXPECT_EQ(connection_.run("HELLO 4"), "-NOPROTO unsupported protocol version\r\n");
  EXPECT_EQ(connection_.run("HELLO abc"), "-ERR Protocol version is not an integer or out of range\r\n");
  EXPECT_EQ(connection_.run("HELLO 3 foo"), "-ERR Syntax error in HELLO option 'foo'\r\n");
  EXPECT_EQ(connection_.run("HELLO 3 AUTH default"), "-ERR Syntax error in HELLO option 'AUTH'\r\n");
  EXPECT_EQ(connection_.run("HELLO 3 SETNAME \"a b\""),
            "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
  EXPECT_EQ(connection_.run("HELLO 3 SETNAME me AUTH nobody x"), kWrongPassword);
  EXPECT_EQ(connection_.run("CLIENT GETNAME"), "$-1\r\n");
  EXPECT_EQ(connection_.run("GET nosuch"), "$-1\r\n");
  EXPECT_THAT(connection_.run("HELLO 3 SETNAME me AUTH default anything"), StartsWith("%7\r\n"));
  EXPECT_EQ(connection_.run("CLIENT GETNAME"), "$2\r\nme\r\n");
}

// As clients do: every one of a batch gets its reply, in order, whether it fails or not.
TEST_F(CommandHandshake, APipelinedHandshakeIsAnsweredInOrder) {
  connection_.run("HELLO 3");
  std::string expected;
  const auto add = [&](Words words, std::string_view reply) {
    connection_.send(encode_words(words));
    expected += reply;
  };
  add({"CLIENT", "SETNAME", "me"}, kOk);
  add({"CLIENT", "MAINT_NOTIFICATIONS", "ON"},
      "-ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP.\r\n");
  add({"CLIENT", "SETINFO", "LIB-NAME", "redis-py"}, kOk);
  add({"CLIENT", "SETINFO", "LIB-VER", "8.0"}, kOk);
  add({"CLIENT", "SETINFO", "NOSUCH", "x"}, "-ERR Unrecognized option 'NOSUCH'\r\n");
  add({"CLIENT", "SETINFO", "LIB-NAME", "a b"},
      "-ERR LIB-NAME cannot contain spaces, newlines or special characters.\r\n");
  add({"SELECT", "2"}, kOk);
  add({"READONLY"}, "-ERR This instance has cluster support disabled\r\n");
  add({"AUTH", "secret"},
      "-ERR AUTH <password> called without any password configured for the default user. Are you sure your "
      "configuration is correct?\r\n");
  add({"CLUSTER", "SLOTS"}, "-ERR This instance has cluster support disabled\r\n");
  add({"SENTINEL", "MASTERS"}, "-ERR unknown command 'SENTINEL', with args beginning with: 'MASTERS' \r\n");
  add({"PING"}, "+PONG\r\n");
  EXPECT_EQ(connection_.receive(expected.size()), expected);
  const std::string info = connection_.run("CLIENT INFO");
  EXPECT_THAT(info, HasSubstr(" name=me "));
  EXPECT_THAT(info, HasSubstr(" db=2 "));
  EXPECT_THAT(info, HasSubstr(" resp=3 "));
  EXPECT_THAT(info, HasSubstr(" lib-name=redis-py lib-ver=8.0"));
  EXPECT_THAT(info, HasSubstr(" cmd=client|info "));
}

TEST_F(CommandHandshake, PingAndEcho) {
  EXPECT_EQ(connection_.run("PING"), "+PONG\r\n");
  EXPECT_EQ(connection_.run("PING hello"), "$5\r\nhello\r\n");
  EXPECT_EQ(connection_.run("PING a b"), "-ERR wrong number of arguments for 'ping' command\r\n");
  EXPECT_EQ(connection_.run(Words{"ECHO", std::string("\0\r\n\xff", 4)}),
            std::string("$4\r\n\0\r\n\xff\r\n", 10));
}

TEST_F(CommandHandshake, QuitAnswersAndCloses) { EXPECT_EQ(connection_.run("QUIT"), "+OK\r\n(closed)"); }

TEST_F(CommandHandshake, ResetMakesTheConnectionNew) {
  connection_.run("HELLO 3 SETNAME me");
  connection_.run("SELECT 5");
  EXPECT_EQ(connection_.run("RESET"), "+RESET\r\n");
  EXPECT_EQ(connection_.run("CLIENT GETNAME"), "$-1\r\n");
  EXPECT_THAT(connection_.run("CLIENT INFO"), HasSubstr(" db=0 "));
}

TEST_F(CommandHandshake, RepliesCanBeTurnedOff) {
  connection_.send(encode_words({"CLIENT", "REPLY", "SKIP"}));
  connection_.send(encode_words({"PING", "skipped"}));
  EXPECT_EQ(connection_.run("PING shown"), "$5\r\nshown\r\n");
  connection_.send(encode_words({"CLIENT", "REPLY", "OFF"}));
  connection_.send(encode_words({"SET", "key", "value"}));
  connection_.send(encode_words({"NOSUCH"}));
  EXPECT_EQ(connection_.run("CLIENT REPLY ON"), kOk);
  EXPECT_EQ(connection_.run("GET key"), "$5\r\nvalue\r\n");
  EXPECT_EQ(connection_.run("CLIENT REPLY nosuch"), "-ERR syntax error\r\n");
}

TEST_F(CommandHandshake, ClientListShowsAndFilters) {
  CommandConnection other(server_.port());
  other.run("CLIENT SETNAME other");
  const std::string id = other.run("CLIENT ID");  // ":<id>\r\n"
  const std::string number = id.substr(1, id.size() - 3);
  EXPECT_THAT(connection_.run("CLIENT LIST"), HasSubstr(" name=other "));
  const std::string listed = connection_.run("CLIENT LIST ID " + number + " 123456");
  EXPECT_THAT(listed, HasSubstr("id=" + number + " addr=127.0.0.1:"));
  EXPECT_EQ(std::ranges::count(listed.substr(listed.find("\r\n") + 2), '\n'), 2);  // the line's, the reply's
  EXPECT_EQ(connection_.run("CLIENT LIST TYPE pubsub"), "$0\r\n\r\n");
  EXPECT_THAT(connection_.run("CLIENT LIST TYPE normal"), HasSubstr(" name=other "));
  EXPECT_EQ(connection_.run("CLIENT LIST TYPE nosuch"), "-ERR Unknown client type 'nosuch'\r\n");
  EXPECT_EQ(connection_.run("CLIENT LIST ID abc"), "-ERR Invalid client ID\r\n");
  EXPECT_EQ(connection_.run("CLIENT LIST ID"), "-ERR syntax error\r\n");
  EXPECT_EQ(connection_.run("CLIENT LIST nosuch"), "-ERR syntax error\r\n");
}

std::string address_of(CommandConnection& connection) {
  const std::string info = connection.run("CLIENT INFO");
  const std::size_t begin = info.find(" addr=") + 6;
  return info.substr(begin, info.find(' ', begin) - begin);
}

TEST_F(CommandHandshake, ClientKillClosesOthers) {
  CommandConnection by_address(server_.port());
  EXPECT_EQ(connection_.run("CLIENT KILL " + address_of(by_address)), kOk);
  EXPECT_TRUE(by_address.closed_by_server());
  EXPECT_EQ(connection_.run("CLIENT KILL 127.0.0.1:1"), "-ERR No such client\r\n");

  CommandConnection by_id(server_.port());
  const std::string id = by_id.run("CLIENT ID");
  EXPECT_EQ(connection_.run("CLIENT KILL ID " + id.substr(1, id.size() - 3)), ":1\r\n");
  EXPECT_TRUE(by_id.closed_by_server());

  CommandConnection all_but_me(server_.port());
  EXPECT_EQ(all_but_me.run("PING"), "+PONG\r\n");  // it has been accepted, and not only by the kernel
  EXPECT_EQ(connection_.run("CLIENT KILL TYPE pubsub SKIPME no"), ":0\r\n");
  EXPECT_EQ(connection_.run("CLIENT KILL MAXAGE 1000 TYPE normal"), ":0\r\n");
  EXPECT_EQ(connection_.run("CLIENT KILL TYPE normal"), ":1\r\n");
  EXPECT_TRUE(all_but_me.closed_by_server());
  EXPECT_EQ(connection_.run("CLIENT KILL TYPE normal SKIPME no"), ":1\r\n(closed)");
}

TEST_F(CommandHandshake, ClientKillRefusesNonsense) {
  EXPECT_EQ(connection_.run("CLIENT KILL"), "-ERR wrong number of arguments for 'client|kill' command\r\n");
  EXPECT_EQ(connection_.run("CLIENT KILL ID abc"), "-ERR client-id should be greater than 0\r\n");
  EXPECT_EQ(connection_.run("CLIENT KILL ID 0"), "-ERR client-id should be greater than 0\r\n");
  EXPECT_EQ(connection_.run("CLIENT KILL TYPE nosuch"), "-ERR Unknown client type 'nosuch'\r\n");
  EXPECT_EQ(connection_.run("CLIENT KILL USER nobody"), "-ERR No such user 'nobody'\r\n");
  EXPECT_EQ(connection_.run("CLIENT KILL SKIPME maybe"), "-ERR syntax error\r\n");
  EXPECT_EQ(connection_.run("CLIENT KILL nosuch x"), "-ERR syntax error\r\n");
}

TEST_F(CommandHandshake, ClientsMaySayWhatHasNoEffectHere) {
  EXPECT_EQ(connection_.run("CLIENT NO-EVICT ON"), kOk);
  EXPECT_EQ(connection_.run("CLIENT NO-TOUCH off"), kOk);
  EXPECT_EQ(connection_.run("CLIENT NO-TOUCH maybe"), "-ERR syntax error\r\n");
}

class CommandPassword : public ::testing::Test {
 protected:
  ServerProcess server_{{"--requirepass", "secret"}};
  CommandConnection connection_{server_.port()};
};

// Every command here is sent by itself: the PING that run() sends behind it is refused until AUTH.
std::string ask(CommandConnection& connection, const Words& words) {
  connection.send(encode_words(words));
  return connection.receive(1);
}

TEST_F(CommandPassword, NothingRunsBeforeIt) {
  EXPECT_EQ(ask(connection_, {"GET", "key"}), kNoAuth);
  EXPECT_EQ(ask(connection_, {"CLIENT", "ID"}), kNoAuth);
  EXPECT_THAT(ask(connection_, {"NOSUCH"}), StartsWith("-ERR unknown command 'NOSUCH'"));
  EXPECT_THAT(ask(connection_, {"HELLO", "3"}),
              StartsWith("-NOAUTH HELLO must be called with the client already"));
  EXPECT_EQ(ask(connection_, {"AUTH", "wrong"}), kWrongPassword);
  EXPECT_EQ(ask(connection_, {"AUTH", "secre"}), kWrongPassword);
  EXPECT_EQ(ask(connection_, {"AUTH", "secretsecret"}), kWrongPassword);
  EXPECT_EQ(ask(connection_, {"AUTH", ""}), kWrongPassword);
  EXPECT_EQ(ask(connection_, {"AUTH", "nobody", "secret"}), kWrongPassword);
  EXPECT_EQ(ask(connection_, {"AUTH", "a", "b", "c"}), "-ERR syntax error\r\n");
  EXPECT_EQ(ask(connection_, {"GET", "key"}), kNoAuth);
  EXPECT_EQ(ask(connection_, {"AUTH", "secret"}), kOk);
  EXPECT_EQ(connection_.run("GET key"), "$-1\r\n");
}

TEST_F(CommandPassword, HelloTakesItToo) {
  EXPECT_EQ(ask(connection_, {"HELLO", "3", "AUTH", "default", "wrong"}), kWrongPassword);
  EXPECT_THAT(ask(connection_, {"HELLO", "3", "AUTH", "default", "secret"}), StartsWith("%7\r\n"));
  EXPECT_EQ(connection_.run("GET key"), "_\r\n");
  EXPECT_EQ(ask(connection_, {"RESET"}), "+RESET\r\n");
  EXPECT_EQ(ask(connection_, {"GET", "key"}), kNoAuth);
}

}  // namespace
}  // namespace shale::integration
