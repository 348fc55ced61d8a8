// Strings, keys and expiry: exact replies, in both protocols.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "tests/integration/commands_connection.h"

namespace shale::integration {
namespace {

// A line for the server and its reply. "(nil)" stands for the protocol's own null.
struct Step {
  std::string_view line;
  std::string_view reply;
};

class CommandReplies : public ::testing::TestWithParam<int> {
 protected:
  CommandReplies() { connection_.run(fmt::format("HELLO {}", GetParam())); }

  void expect(const std::vector<Step>& steps) {
    for (const auto& [line, reply] : steps) EXPECT_EQ(connection_.run(line), with_nulls(reply)) << line;
  }
  std::string with_nulls(std::string_view reply) const {
    const std::string_view null = GetParam() == 3 ? "_\r\n" : "$-1\r\n";
    std::string text(reply);
    for (std::size_t at = text.find("(nil)"); at != std::string::npos; at = text.find("(nil)", at)) {
      text.replace(at, 5, null);
    }
    return text;
  }

  ServerProcess server_;
  CommandConnection connection_{server_.port()};
};
INSTANTIATE_TEST_SUITE_P(Resp, CommandReplies, ::testing::Values(2, 3));

constexpr std::string_view kOk = "+OK\r\n";
constexpr std::string_view kSyntax = "-ERR syntax error\r\n";
constexpr std::string_view kNoInteger = "-ERR value is not an integer or out of range\r\n";

TEST_P(CommandReplies, SetAndGet) {
  expect({
      {"GET key", "(nil)"},
      {"SET key value", kOk},
      {"GET key", "$5\r\nvalue\r\n"},
      {"SET key \"\"", kOk},
      {"GET key", "$0\r\n\r\n"},
      {"SET \"\" empty", kOk},
      {"GET \"\"", "$5\r\nempty\r\n"},
      {"GET", "-ERR wrong number of arguments for 'get' command\r\n"},
      {"GET a b", "-ERR wrong number of arguments for 'get' command\r\n"},
      {"SET key", "-ERR wrong number of arguments for 'set' command\r\n"},
  });
}

TEST_P(CommandReplies, SetOptions) {
  expect({
      {"SET key 1 XX", "(nil)"},
      {"SET key 1 NX", kOk},
      {"SET key 2 nx", "(nil)"},
      {"SET key 2 xx", kOk},
      {"SET key 3 GET", "$1\r\n2\r\n"},
      {"SET other 1 GET", "(nil)"},
      {"SET other 2 NX GET", "$1\r\n1\r\n"},
      {"GET other", "$1\r\n1\r\n"},
      {"SET absent 2 XX GET", "(nil)"},
      {"EXISTS absent", ":0\r\n"},
      {"SET key v NX XX", kSyntax},
      {"SET key v EX", kSyntax},
      {"SET key v EX 10 PX 10", kSyntax},
      {"SET key v EX 10 KEEPTTL", kSyntax},
      {"SET key v KEEPTTL EXAT 10", kSyntax},
      {"SET key v nosuch", kSyntax},
      {"SET key v EX ten", kNoInteger},
      {"SET key v EX 1.5", kNoInteger},
      {"SET key v EX 0", "-ERR invalid expire time in 'set' command\r\n"},
      {"SET key v PX -1", "-ERR invalid expire time in 'set' command\r\n"},
      {"SET key v EX 9223372036854775807", "-ERR invalid expire time in 'set' command\r\n"},
      {"SET key v PX 9223372036854775807", "-ERR invalid expire time in 'set' command\r\n"},
      {"GET key", "$1\r\n3\r\n"},
  });
}

TEST_P(CommandReplies, SetKeepsOrDropsTheExpiry) {
  expect({
      {"SET key 1 PXAT 9000000000123", kOk},
      {"PEXPIRETIME key", ":9000000000123\r\n"},
      {"SET key 2 KEEPTTL", kOk},
      {"PEXPIRETIME key", ":9000000000123\r\n"},
      {"APPEND key 0", ":2\r\n"},
      {"INCR key", ":21\r\n"},
      {"SETRANGE key 0 3", ":2\r\n"},
      {"PEXPIRETIME key", ":9000000000123\r\n"},
      {"SET key 2", kOk},
      {"PEXPIRETIME key", ":-1\r\n"},
      {"SET key 1 EXAT 9000000000", kOk},
      {"EXPIRETIME key", ":9000000000\r\n"},
      {"MSET key 1", kOk},
      {"TTL key", ":-1\r\n"},
      {"SET key gone EXAT 1", kOk},
      {"GET key", "(nil)"},
      {"SET absent gone PXAT 1", kOk},
      {"EXISTS absent", ":0\r\n"},
  });
}

TEST_P(CommandReplies, Counters) {
  expect({
      {"INCR n", ":1\r\n"},
      {"INCRBY n 41", ":42\r\n"},
      {"DECR n", ":41\r\n"},
      {"DECRBY n 50", ":-9\r\n"},
      {"INCRBY n 1.5", kNoInteger},
      {"SET text abc", kOk},
      {"INCR text", kNoInteger},
      {"SET text \" 1\"", kOk},
      {"INCR text", kNoInteger},
      {"SET n 9223372036854775807", kOk},
      {"INCR n", "-ERR increment or decrement would overflow\r\n"},
      {"DECRBY n -1", "-ERR increment or decrement would overflow\r\n"},
      {"DECRBY n -9223372036854775808", "-ERR decrement would overflow\r\n"},
      {"SET n -9223372036854775808", kOk},
      {"DECR n", "-ERR increment or decrement would overflow\r\n"},
      {"GET n", "$20\r\n-9223372036854775808\r\n"},
      {"INCRBYFLOAT f 0.1", "$3\r\n0.1\r\n"},
      {"INCRBYFLOAT f 0.2", "$3\r\n0.3\r\n"},
      {"INCRBYFLOAT f 5.0e3", "$22\r\n5000.29999999999999982\r\n"},
      {"INCRBYFLOAT f nan", "-ERR value is not a valid float\r\n"},
      {"INCRBYFLOAT f inf", "-ERR increment would produce NaN or Infinity\r\n"},
  });
}

TEST_P(CommandReplies, PartsOfStrings) {
  expect({
      {"STRLEN key", ":0\r\n"},
      {"APPEND key Hello", ":5\r\n"},
      {"APPEND key \" World\"", ":11\r\n"},
      {"STRLEN key", ":11\r\n"},
      {"GETRANGE key 0 4", "$5\r\nHello\r\n"},
      {"GETRANGE key -5 -1", "$5\r\nWorld\r\n"},
      {"GETRANGE key 5 100", "$6\r\n World\r\n"},
      {"GETRANGE key 20 30", "$0\r\n\r\n"},
      {"SUBSTR key 0 0", "$1\r\nH\r\n"},
      {"GETRANGE nosuch 0 -1", "$0\r\n\r\n"},
      {"SETRANGE key 6 Redis", ":11\r\n"},
      {"GET key", "$11\r\nHello Redis\r\n"},
      {"SETRANGE key 536870912 x", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"},
      {"SETRANGE key -1 x", "-ERR offset is out of range\r\n"},
      {"SETRANGE new 2 ab", ":4\r\n"},
      {"SETRANGE nosuch 2 \"\"", ":0\r\n"},
      {"EXISTS nosuch", ":0\r\n"},
  });
  EXPECT_EQ(connection_.run("GET new"), std::string("$4\r\n\0\0ab\r\n", 10));
}

TEST_P(CommandReplies, ManyKeysAtOnce) {
  expect({
      {"MSET a 1 b 2 c 3", kOk},
      {"MGET a nosuch c a", "*4\r\n$1\r\n1\r\n(nil)$1\r\n3\r\n$1\r\n1\r\n"},
      {"MSET a 1 a 2", kOk},
      {"GET a", "$1\r\n2\r\n"},
      {"MSET a", "-ERR wrong number of arguments for 'mset' command\r\n"},
      {"MSET a 1 b", "-ERR wrong number of arguments for 'mset' command\r\n"},
      {"MSETNX a 9 d 4", ":0\r\n"},
      {"EXISTS d", ":0\r\n"},
      {"MSETNX d 4 e 5", ":1\r\n"},
      {"EXISTS a a nosuch", ":2\r\n"},
      {"TOUCH a b nosuch", ":2\r\n"},
      {"DEL a a b", ":2\r\n"},
      {"UNLINK c nosuch", ":1\r\n"},
      {"DBSIZE", ":2\r\n"},
  });
}

TEST_P(CommandReplies, MgetAndMsetOfThousandsOfKeys) {
  Words mset{"MSET"};
  Words mget{"MGET"};
  std::string values = "*10000\r\n";
  for (int i = 0; i < 10'000; ++i) {
    mset.push_back(fmt::format("key:{}", i));
    mset.push_back(fmt::format("{:05}", i));
    mget.push_back(fmt::format("key:{}", i));
    values += fmt::format("$5\r\n{:05}\r\n", i);
  }
  EXPECT_EQ(connection_.run(mset), kOk);
  EXPECT_EQ(connection_.run(mget), values);
  mget[0] = "DEL";
  EXPECT_EQ(connection_.run(mget), ":10000\r\n");
}

TEST_P(CommandReplies, OlderWaysToSetAndGet) {
  expect({
      {"SETNX key 1", ":1\r\n"},
      {"SETNX key 2", ":0\r\n"},
      {"GETSET key 3", "$1\r\n1\r\n"},
      {"GETSET absent 1", "(nil)"},
      {"SETEX key 100 v", kOk},
      {"TTL key", ":100\r\n"},
      {"GETEX key PERSIST", "$1\r\nv\r\n"},
      {"TTL key", ":-1\r\n"},
      {"GETEX key EXAT 9000000000", "$1\r\nv\r\n"},
      {"EXPIRETIME key", ":9000000000\r\n"},
      {"GETEX key", "$1\r\nv\r\n"},
      {"EXPIRETIME key", ":9000000000\r\n"},
      {"GETEX key EX 0", "-ERR invalid expire time in 'getex' command\r\n"},
      {"GETEX key EX 10 PERSIST", kSyntax},
      {"GETEX nosuch EX ten", "(nil)"},
      {"PSETEX key 0 v", "-ERR invalid expire time in 'psetex' command\r\n"},
      {"SETEX key ten v", kNoInteger},
      {"GETDEL key", "$1\r\nv\r\n"},
      {"GETDEL key", "(nil)"},
  });
}

TEST_P(CommandReplies, TypesAndEncodings) {
  expect({
      {"TYPE key", "+none\r\n"},
      {"OBJECT ENCODING key", "(nil)"},
      {"OBJECT FREQ key", "(nil)"},
      {"MEMORY USAGE key", "(nil)"},
      {"SET key 12345", kOk},
      {"TYPE key", "+string\r\n"},
      {"OBJECT ENCODING key", "$3\r\nint\r\n"},
      {"SET key 012345", kOk},
      {"OBJECT ENCODING key", "$6\r\nembstr\r\n"},
      {"SET key aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", kOk},
      {"OBJECT ENCODING key", "$3\r\nraw\r\n"},
      {"OBJECT nosuch key", "-ERR unknown subcommand 'nosuch'. Try OBJECT HELP.\r\n"},
      {"OBJECT ENCODING", "-ERR wrong number of arguments for 'object|encoding' command\r\n"},
      {"MEMORY USAGE key SAMPLES", kSyntax},
      {"MEMORY USAGE key SAMPLES -1", kSyntax},
  });
  EXPECT_EQ(connection_.run("MEMORY USAGE key").substr(0, 1), ":");
}

TEST_P(CommandReplies, ExpiryIsSetReadAndRemoved) {
  expect({
      {"EXPIRE key 100", ":0\r\n"},
      {"TTL key", ":-2\r\n"},
      {"PTTL key", ":-2\r\n"},
      {"EXPIRETIME key", ":-2\r\n"},
      {"PERSIST key", ":0\r\n"},
      {"SET key v", kOk},
      {"TTL key", ":-1\r\n"},
      {"EXPIRE key 100", ":1\r\n"},
      {"TTL key", ":100\r\n"},
      {"PERSIST key", ":1\r\n"},
      {"PERSIST key", ":0\r\n"},
      {"PEXPIRE key 100000", ":1\r\n"},
      {"TTL key", ":100\r\n"},
      {"EXPIREAT key 9000000000", ":1\r\n"},
      {"EXPIRETIME key", ":9000000000\r\n"},
      {"PEXPIREAT key 9000000000600", ":1\r\n"},
      {"EXPIRETIME key", ":9000000001\r\n"},
      {"PEXPIRETIME key", ":9000000000600\r\n"},
      {"GET key", "$1\r\nv\r\n"},
      {"EXPIRE key 0", ":1\r\n"},
      {"GET key", "(nil)"},
      {"SET key v", kOk},
      {"PEXPIREAT key 1", ":1\r\n"},
      {"EXISTS key", ":0\r\n"},
      {"SET key v", kOk},
      {"EXPIRE key -1", ":1\r\n"},
      {"EXISTS key", ":0\r\n"},
  });
}

TEST_P(CommandReplies, ExpiryConditions) {
  expect({
      {"SET key v", kOk},
      {"EXPIRE key 100 XX", ":0\r\n"},
      {"EXPIRE key 100 GT", ":0\r\n"},
      {"EXPIRE key 100 NX", ":1\r\n"},
      {"EXPIRE key 200 NX", ":0\r\n"},
      {"EXPIRE key 50 GT", ":0\r\n"},
      {"EXPIRE key 200 GT", ":1\r\n"},
      {"EXPIRE key 300 LT", ":0\r\n"},
      {"EXPIRE key 150 LT", ":1\r\n"},
      {"EXPIRE key 160 XX GT", ":1\r\n"},
      {"TTL key", ":160\r\n"},
      {"PERSIST key", ":1\r\n"},
      {"EXPIRE key 100 LT", ":1\r\n"},
      {"EXPIRE key 1 foo", "-ERR Unsupported option foo\r\n"},
      {"EXPIRE key 1 NX XX", "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n"},
      {"EXPIRE key 1 GT LT", "-ERR GT and LT options at the same time are not compatible\r\n"},
      {"EXPIRE key ten", kNoInteger},
      {"EXPIRE key 9223372036854775807", "-ERR invalid expire time in 'expire' command\r\n"},
      {"PEXPIRE key 9223372036854775807", "-ERR invalid expire time in 'pexpire' command\r\n"},
      {"EXPIREAT key 9223372036854775807", "-ERR invalid expire time in 'expireat' command\r\n"},
  });
}

TEST_P(CommandReplies, ExpiredKeysAreGone) {
  expect({{"SET key v PX 20", kOk}, {"SET other v", kOk}});
  std::this_thread::sleep_for(std::chrono::milliseconds(40));
  expect({
      {"GET key", "(nil)"},
      {"EXISTS key", ":0\r\n"},
      {"TTL key", ":-2\r\n"},
      {"DEL key", ":0\r\n"},
      {"SET key w NX", kOk},
      {"TTL key", ":-1\r\n"},
  });
}

TEST_P(CommandReplies, DatabasesAreApart) {
  expect({
      {"SET key zero", kOk},
      {"SELECT 15", kOk},
      {"GET key", "(nil)"},
      {"SET key fifteen", kOk},
      {"SELECT 16", "-ERR DB index is out of range\r\n"},
      {"SELECT -1", "-ERR DB index is out of range\r\n"},
      {"SELECT abc", kNoInteger},
      {"GET key", "$7\r\nfifteen\r\n"},
      {"DBSIZE", ":1\r\n"},
      {"FLUSHDB", kOk},
      {"DBSIZE", ":0\r\n"},
      {"GET key", "(nil)"},
      {"SELECT 0", kOk},
      {"GET key", "$4\r\nzero\r\n"},
      {"FLUSHALL nosuch", kSyntax},
      {"FLUSHALL ASYNC SYNC", kSyntax},
      {"FLUSHALL ASYNC", kOk},
      {"GET key", "(nil)"},
  });
}

}  // namespace
}  // namespace shale::integration
