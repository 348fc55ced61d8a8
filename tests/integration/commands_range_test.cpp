// RANGE: the keys of one hash tag in order, whatever their number, their size and what else happens to them.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/client.h"
#include "tests/integration/commands_connection.h"
#include "tests/integration/server_process.h"

namespace shale::integration {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string numbered_key(int number) { return fmt::format("{{user}}:{:05}", number); }
std::string numbered_value(int number, std::size_t bytes) {
  std::string value = fmt::format("value {} ", number);
  value.resize(std::max(bytes, value.size()), static_cast<char>('a' + number % 26));
  return value;
}

class CommandRange : public testing::Test {
 protected:
  static void fill(Client& client, int count, std::size_t value_bytes = 0) {
    constexpr int kPipeline = 500;
    for (int first = 0; first < count; first += kPipeline) {
      for (int i = first; i < first + kPipeline; ++i)
        client.append({"SET", numbered_key(i), numbered_value(i, value_bytes)});
      for (int i = 0; i < kPipeline; ++i) ASSERT_EQ(client.next_text(), "OK");
    }
  }
  // As RESP2 has it: the numbers of the keys with their values, or of the keys alone.
  static std::string expected(const std::vector<int>& numbers, bool keys_only, std::size_t value_bytes = 0) {
    std::string text;
    for (const int number : numbers) {
      text += (text.empty() ? "" : ", ") + numbered_key(number);
      if (!keys_only) text += ", " + numbered_value(number, value_bytes);
    }
    return "[" + text + "]";
  }
  static std::vector<int> numbers(int first, int last) {
    std::vector<int> numbers;
    for (int number = first; number != last; number += first < last ? 1 : -1) numbers.push_back(number);
    numbers.push_back(last);
    return numbers;
  }
};

TEST_F(CommandRange, TakesBoundsAsZrangeBylexDoes) {
  ServerProcess server;
  CommandConnection connection{server.port()};
  for (const char* key : {"a{t}", "b{t}", "t", "{t}a", "{t}b", "{other}b"}) {
    connection.run(Words{"SET", key, "v"});
  }
  const auto keys = [&](const std::string& bounds) {
    std::string reply = connection.run("RANGE " + bounds + " KEYS");
    std::string text;
    for (std::size_t at = 0; (at = reply.find("\r\n", at)) != std::string::npos; at += 2) {
      const std::size_t begin = at + 2;
      if (begin < reply.size() && reply[begin] != '$') {
        text += (text.empty() ? "" : " ") + reply.substr(begin, reply.find("\r\n", begin) - begin);
      }
    }
    return text;
  };
  EXPECT_EQ(keys("- [{t}b"), "a{t} b{t} t {t}a {t}b");
  EXPECT_EQ(keys("- ({t}b"), "a{t} b{t} t {t}a");
  EXPECT_EQ(keys("[b{t} +"), "b{t} t {t}a {t}b");
  EXPECT_EQ(keys("(b{t} +"), "t {t}a {t}b");
  EXPECT_EQ(keys("(t [{t}a"), "{t}a");
  EXPECT_EQ(keys("+ [b{t} REV"), "{t}b {t}a t b{t}");
  EXPECT_EQ(keys("({t}b (b{t} REV"), "{t}a t");
  EXPECT_EQ(keys("[{t}a - REV LIMIT 2"), "{t}a t");
  EXPECT_EQ(keys("[{t}b [{t}a"), "");
  EXPECT_EQ(keys("({t}a ({t}a"), "");
  EXPECT_EQ(keys("[{t}a [{t}a"), "{t}a");
  EXPECT_EQ(keys("+ [{t}a"), "");
  EXPECT_EQ(keys("- [b{t} REV"), "");
  EXPECT_EQ(keys("[{none}a +"), "");
}

TEST_F(CommandRange, GivesPairsNestedInResp3AndFlatInResp2) {
  ServerProcess server;
  CommandConnection connection{server.port()};
  connection.run("MSET {t}a 1 {t}b 22");
  EXPECT_EQ(connection.run("RANGE [{t} +"), "*4\r\n$4\r\n{t}a\r\n$1\r\n1\r\n$4\r\n{t}b\r\n$2\r\n22\r\n");
  EXPECT_EQ(connection.run("RANGE [{t} + KEYS"), "*2\r\n$4\r\n{t}a\r\n$4\r\n{t}b\r\n");
  EXPECT_EQ(connection.run("range [{t} + limit 0"), "*0\r\n");
  connection.run("HELLO 3");
  EXPECT_EQ(connection.run("RANGE + [{t} REV LIMIT 5"),
            "*2\r\n*2\r\n$4\r\n{t}b\r\n$2\r\n22\r\n*2\r\n$4\r\n{t}a\r\n$1\r\n1\r\n");
  EXPECT_EQ(connection.run("RANGE [{t} + LIMIT 1"), "*1\r\n*2\r\n$4\r\n{t}a\r\n$1\r\n1\r\n");
  EXPECT_EQ(connection.run("RANGE [{t} + KEYS"), "*2\r\n$4\r\n{t}a\r\n$4\r\n{t}b\r\n");
}

TEST_F(CommandRange, SaysWhatIsWrong) {
  ServerProcess server;
  CommandConnection connection{server.port()};
  const std::string bound = "-ERR min or max not valid string range item\r\n";
  EXPECT_EQ(connection.run("RANGE {t}a +"), bound);
  EXPECT_EQ(connection.run("RANGE [{t}a ++"), bound);
  EXPECT_EQ(connection.run("RANGE \"\" [{t}a"), bound);
  EXPECT_EQ(connection.run("RANGE -x [{t}a"), bound);
  const std::string syntax = "-ERR syntax error\r\n";
  EXPECT_EQ(connection.run("RANGE - [{t}a nosuch"), syntax);
  EXPECT_EQ(connection.run("RANGE - [{t}a LIMIT"), syntax);
  EXPECT_EQ(connection.run("RANGE - [{t}a LIMIT 0 10"), syntax);
  EXPECT_EQ(connection.run("RANGE - [{t}a LIMIT ten"), "-ERR value is not an integer or out of range\r\n");
  EXPECT_EQ(connection.run("RANGE - [{t}a LIMIT -1"), "-ERR LIMIT can't be negative\r\n");
  EXPECT_EQ(connection.run("RANGE -"), "-ERR wrong number of arguments for 'range' command\r\n");
  for (const char* line : {"RANGE - +", "RANGE [a [b", "RANGE [t +", "RANGE [{} +", "RANGE [{t +"}) {
    EXPECT_THAT(connection.run(line),
                StartsWith("-ERR RANGE works within one hash tag on the hash ring: a bound"))
        << line;
  }
  for (const char* line : {"RANGE [{t}a [{u}b", "RANGE [{t}a (u", "RANGE [a{t [{t}b"}) {
    EXPECT_THAT(connection.run(line),
                StartsWith("-ERR RANGE works within one hash tag on the hash ring: both"))
        << line;
  }
  EXPECT_THAT(connection.run("COMMAND INFO range"), StartsWith("*1\r\n*10\r\n$5\r\nrange\r\n:-3\r\n"));
}

TEST_F(CommandRange, ReadsTenThousandKeysInBothDirections) {
  ServerProcess server;
  Client client{server};
  fill(client, 10'000);
  EXPECT_EQ(client.ask("RANGE", "[{user}:", "+"), expected(numbers(0, 9999), false));
  EXPECT_EQ(client.ask("RANGE", "+", "[{user}:", "REV"), expected(numbers(9999, 0), false));
  EXPECT_EQ(client.ask("RANGE", "[{user}:", "+", "KEYS"), expected(numbers(0, 9999), true));
  EXPECT_EQ(client.ask("RANGE", "({user}:02000", "[{user}:07000", "KEYS", "LIMIT", "4000"),
            expected(numbers(2001, 6000), true));
  EXPECT_EQ(client.ask("RANGE", "({user}:07000", "[{user}:02000", "REV", "LIMIT", "4000"),
            expected(numbers(6999, 3000), false));
  EXPECT_EQ(client.ask("RANGE", "[{user}:", "+", "LIMIT", "9223372036854775807", "KEYS"),
            expected(numbers(0, 9999), true));

  // hiredis before 1.0 does not know RESP3.
  CommandConnection resp3{server.port()};
  resp3.run("HELLO 3");
  std::string nested = "*10000\r\n";
  for (const int number : numbers(9999, 0)) {
    const std::string value = numbered_value(number, 0);
    nested += fmt::format("*2\r\n$12\r\n{}\r\n${}\r\n{}\r\n", numbered_key(number), value.size(), value);
  }
  EXPECT_EQ(resp3.run("RANGE + [{user}: REV"), nested);
}

// Other commands of a pipeline run in turn, whatever they do to what is read.
TEST_F(CommandRange, KeepsItsPlaceInAPipeline) {
  ServerProcess server;
  Client client{server};
  fill(client, 5000);
  client.append({"SET", numbered_key(0), "first"});
  client.append({"RANGE", "[{user}:", "+", "KEYS"});
  client.append({"RANGE", "-", "[" + numbered_key(0)});
  client.append({"SET", numbered_key(0), "second"});
  client.append({"RANGE", "[" + numbered_key(0), "+", "LIMIT", "1"});
  EXPECT_EQ(client.next_text(), "OK");
  EXPECT_EQ(client.next_text(), expected(numbers(0, 4999), true));
  EXPECT_EQ(client.next_text(), fmt::format("[{}, first]", numbered_key(0)));
  EXPECT_EQ(client.next_text(), "OK");
  EXPECT_EQ(client.next_text(), fmt::format("[{}, second]", numbered_key(0)));
}

// 42 MB of one tag in a server of 32, with pages of at most a megabyte.
TEST_F(CommandRange, ReadsDataBeyondTheMemory) {
  ServerProcess server{{"--memory", "32mb"}};
  constexpr int kKeys = 14'000;
  constexpr std::size_t kValueBytes = 3000;
  {
    Client client{server};
    fill(client, kKeys, kValueBytes);
  }
  server.restart();
  Client client{server};
  const std::string all = client.ask("RANGE", "[{user}:", "+");
  EXPECT_THAT(all,
              HasSubstr("ERR the range has more than 1048576 bytes of keys and values, the most in one"));
  EXPECT_EQ(client.ask("RANGE", "[{user}:", "+", "KEYS"), expected(numbers(0, kKeys - 1), true));
  constexpr int kPage = 300;
  std::string last = "[{user}:";
  for (int first = 0; first < kKeys; first += kPage) {
    const int end = std::min(first + kPage, kKeys) - 1;
    ASSERT_EQ(client.ask("RANGE", last, "+", "LIMIT", std::to_string(kPage)),
              expected(numbers(first, end), false, kValueBytes));
    last = "(" + numbered_key(end);
  }
  last = "+";
  for (int first = kKeys - 1; first >= 0; first -= 10 * kPage) {
    const int end = std::max(first - kPage + 1, 0);
    ASSERT_EQ(client.ask("RANGE", last, "[{user}:", "REV", "LIMIT", std::to_string(kPage)),
              expected(numbers(first, end), false, kValueBytes));
    last = "[" + numbered_key(std::max(first - 10 * kPage, 0));
  }
}

TEST_F(CommandRange, SendsLargeValuesFromTheirFiles) {
  ServerProcess server{{"--memory", "32mb"}};
  Client client{server};
  for (int i = 0; i < 8; ++i) client.ask("SET", numbered_key(i), numbered_value(i, i % 2 ? 9u << 20 : 100));
  const std::string all = client.ask("RANGE", "[{user}:", "+");
  EXPECT_TRUE(all == "[" + [] {
    std::string text;
    for (int i = 0; i < 8; ++i) {
      text += (i ? ", " : "") + numbered_key(i) + ", " + numbered_value(i, i % 2 ? 9u << 20 : 100);
    }
    return text;
  }() + "]");
  EXPECT_EQ(client.ask("RANGE", "[{user}:", "+", "KEYS"), expected(numbers(0, 7), true));
  EXPECT_EQ(client.ask("PING"), "PONG");
}

TEST_F(CommandRange, RefusesMoreLargeValuesThanOneReplyMayHave) {
  ServerProcess server{{"--memory", "32mb"}};
  Client client{server};
  const std::string value(std::size_t{1} << 20, 'v');
  for (int i = 0; i < 65; ++i) client.ask("SET", numbered_key(i), value);
  EXPECT_THAT(client.ask("RANGE", "[{user}:", "+"), HasSubstr("ERR the range has more than 64 large values"));
  const Reply most = client.command({"RANGE", "[{user}:", "+", "LIMIT", "64"});
  ASSERT_EQ(most->elements, 128u);
  for (std::size_t i = 1; i < 128; i += 2) EXPECT_EQ(most->element[i]->len, value.size());
}

TEST_F(CommandRange, LeavesOutWhatHasExpired) {
  ServerProcess server;
  Client client{server};
  fill(client, 3000);
  for (int i = 0; i < 3000; ++i) {
    if (i % 3 != 0) client.append({"PEXPIREAT", numbered_key(i), i % 3 == 1 ? "1" : "99999999999999"});
  }
  for (int i = 0; i < 2000; ++i) ASSERT_EQ(client.next_text(), "(integer) 1");
  client.ask("SET", "{user}:soon", "x", "PX", "1");
  while (client.ask("EXISTS", "{user}:soon") == "(integer) 1") {
  }
  std::vector<int> left;
  for (int i = 0; i < 3000; ++i) {
    if (i % 3 != 1) left.push_back(i);
  }
  EXPECT_EQ(client.ask("RANGE", "[{user}:", "+"), expected(left, false));
  std::ranges::reverse(left);
  EXPECT_EQ(client.ask("RANGE", "+", "[{user}:", "REV", "KEYS"), expected(left, true));
}

// What is there all the time comes once and in order, with a value that it has had.
TEST_F(CommandRange, MissesNothingWhileOthersWrite) {
  ServerProcess server;
  Client client{server};
  fill(client, 4000);
  std::atomic<bool> stop = false;
  std::jthread writer([&] {
    Client other{server};
    for (int round = 0; !stop; ++round) {
      const int number = round * 7 % 4000;
      other.ask("SET", numbered_key(number) + "x", "goes");
      other.ask("DEL", numbered_key((number + 2000) % 4000) + "x");
      other.ask("SET", numbered_key(number), fmt::format("value {}, again", number));
    }
  });
  for (int round = 0; round < 20; ++round) {
    const bool reverse = round % 2 != 0;
    const Reply reply = reverse ? client.command({"RANGE", "+", "[{user}:", "REV"})
                                : client.command({"RANGE", "[{user}:", "+"});
    int next = reverse ? 3999 : 0;
    std::string before;
    for (std::size_t i = 0; i < reply->elements; i += 2) {
      const std::string key = to_text(reply->element[i]);
      ASSERT_TRUE(before.empty() || (reverse ? key < before : before < key)) << before << " " << key;
      before = key;
      if (key.ends_with("x")) continue;
      ASSERT_EQ(key, numbered_key(next));
      ASSERT_THAT(to_text(reply->element[i + 1]), StartsWith(fmt::format("value {}", next)));
      next += reverse ? -1 : 1;
    }
    ASSERT_EQ(next, reverse ? -1 : 4000);
  }
  stop = true;
}

TEST_F(CommandRange, SeesTheSelectedDatabase) {
  ServerProcess server;
  Client client{server};
  client.ask("SET", "{t}zero", "0");
  client.ask("SELECT", "1");
  client.ask("SET", "{t}one", "1");
  EXPECT_EQ(client.ask("RANGE", "[{t}", "+"), "[{t}one, 1]");
  client.ask("FLUSHDB");
  EXPECT_EQ(client.ask("RANGE", "[{t}", "+"), "[]");
  client.ask("SELECT", "0");
  EXPECT_EQ(client.ask("RANGE", "[{t}", "+"), "[{t}zero, 0]");
}

}  // namespace
}  // namespace shale::integration
