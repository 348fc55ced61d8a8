// The same commands to redis-server and to Shale, replies compared byte for byte, in both protocols. Skipped,
// with a message, where redis-server is not installed. A failure of the random part names its seed;
// SHALE_TEST_SEED repeats it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <charconv>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/integration/commands_connection.h"
#include "tests/integration/redis_process.h"

namespace shale::integration {
namespace {

// Commands and errors whose replies do not depend on the version of Redis (7.0 to 7.4) nor on the clock. What
// is left out on purpose: HELLO's version, cursors of SCAN, DBSIZE while keys expire, notes of key
// specifications, the order of CONFIG GET.
constexpr std::string_view kLines[] = {
    "FLUSHALL",
    "SELECT abc",
    "SELECT 99999999999",
    "SELECT 16",
    "SELECT -1",
    "CLIENT foo",
    "CONFIG foo",
    "OBJECT foo",
    "CONFIG",
    "CLIENT",
    "SET a b EX",
    "SET a b EX 0",
    "SET a b EX abc",
    "SET a b EX 9223372036854775807",
    "SET a 1",
    "EXPIRE a 1 FOO",
    "EXPIRE a 1 NX XX",
    "EXPIRE a 1 GT LT",
    "EXPIRE a 1 NX GT",
    "EXPIRE a abc foo",
    "MSET a b c",
    "CLIENT LIST TYPE foo",
    "CLIENT LIST ID",
    "CLIENT LIST ID abc",
    "CLIENT LIST foo",
    "CLIENT LIST TYPE pubsub",
    "CLIENT LIST TYPE normal ID 1",
    "CLIENT KILL",
    "CLIENT KILL 1.2.3.4:55",
    "CLIENT KILL ID abc",
    "CLIENT KILL ID 0",
    "CLIENT KILL TYPE foo",
    "CLIENT KILL foo bar",
    "CLIENT KILL SKIPME maybe",
    "CLIENT KILL ADDR 1:1",
    "CLIENT KILL ID 99999999",
    "CLIENT KILL USER nobody",
    "CLIENT KILL TYPE normal SKIPME",
    "CLIENT REPLY foo",
    "CLIENT NO-EVICT foo",
    "CLIENT NO-EVICT on",
    "CLIENT SETNAME",
    "CLIENT SETNAME \"a b\"",
    "CLIENT SETNAME ab",
    "CLIENT GETNAME",
    "CLIENT SETNAME \"\"",
    "CLIENT GETNAME",
    "HELLO 4",
    "HELLO abc",
    "HELLO 3 foo",
    "HELLO 3 AUTH a",
    "HELLO 3 SETNAME \"a b\"",
    "HELLO 5 AUTH a b",
    "AUTH a",
    "AUTH a b",
    "AUTH default b",
    "AUTH a b c",
    "FLUSHALL foo",
    "FLUSHALL ASYNC SYNC",
    "FLUSHDB ASYNC",
    "SHUTDOWN foo",
    "SHUTDOWN ABORT",
    "SHUTDOWN SAVE NOSAVE",
    "SHUTDOWN ABORT NOW",
    "WAIT 0 a",
    "WAIT a 10",
    "WAIT 0 -1",
    "WAIT 0 99999999999999999999",
    "WAIT -1 0",
    "MEMORY USAGE a SAMPLES",
    "MEMORY USAGE a SAMPLES -1",
    "MEMORY USAGE a SAMPLES x",
    "MEMORY USAGE a foo 1",
    "MEMORY USAGE nokey",
    "MEMORY USAGE nokey SAMPLES 0",
    "OBJECT FREQ nokey",
    "OBJECT ENCODING nokey",
    "SET n 12345",
    "OBJECT ENCODING n",
    "OBJECT FREQ n",
    "SET n abc",
    "OBJECT ENCODING n",
    "SET n xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "OBJECT ENCODING n",
    "SET n xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "OBJECT ENCODING n",
    "OBJECT HELP x",
    "READONLY",
    "READWRITE",
    "ASKING",
    "CLUSTER INFO",
    "CLUSTER",
    "SENTINEL masters",
    "SCAN a",
    "SCAN 0 foo",
    "SCAN 0 COUNT 0",
    "SCAN 0 COUNT a",
    "SCAN 0 MATCH",
    "SCAN 18446744073709551616",
    "SCAN 0 TYPE string",
    "SCAN 0 TYPE foo",
    "SCAN 0 MATCH n*",
    "SCAN \" 1\"",
    "COMMAND foo",
    "COMMAND GETKEYS",
    "COMMAND GETKEYS foo bar",
    "COMMAND GETKEYS PING a b",
    "COMMAND GETKEYS SET a b",
    "COMMAND GETKEYS MSET a 1 b 2",
    "COMMAND GETKEYS MSET a",
    "COMMAND GETKEYS OBJECT ENCODING x",
    "COMMAND GETKEYS OBJECT HELP",
    "COMMAND GETKEYSANDFLAGS SET a b GET",
    "COMMAND GETKEYSANDFLAGS SET a b",
    "COMMAND GETKEYSANDFLAGS MSET a b c d",
    "COMMAND GETKEYSANDFLAGS DEL a",
    "COMMAND LIST foo",
    "COMMAND LIST FILTERBY ACLCAT",
    "COMMAND LIST FILTERBY ACLCAT nosuch",
    "COMMAND LIST FILTERBY foo bar",
    "COMMAND LIST FILTERBY MODULE foo",
    "COMMAND COUNT a",
    "COMMAND INFO nosuch CONFIG|nosuch",
    "COMMAND INFO get del mget mset incr incrby append strlen exists touch unlink type scan dbsize",
    "COMMAND INFO expire pexpire expireat pexpireat ttl pttl expiretime pexpiretime persist decr decrby",
    "COMMAND INFO incrbyfloat getrange substr setrange getset getdel setnx setex psetex",
    "COMMAND INFO echo select auth hello reset time lastsave role info flushdb flushall readonly readwrite",
    "COMMAND INFO asking shutdown debug ping CONFIG|GET CONFIG|SET CONFIG|HELP",
    "COMMAND INFO CLIENT|ID CLIENT|INFO CLIENT|LIST CLIENT|KILL CLIENT|GETNAME CLIENT|REPLY CLIENT|NO-EVICT",
    "COMMAND INFO COMMAND|INFO COMMAND|DOCS COMMAND|COUNT COMMAND|LIST OBJECT|ENCODING OBJECT|FREQ",
    "COMMAND INFO MEMORY|USAGE MEMORY|HELP",
    "COMMAND DOCS nosuch",
    "CONFIG GET",
    "CONFIG SET a",
    "CONFIG SET a b",
    "CONFIG SET maxclients 100 maxclients 100",
    "CONFIG RESETSTAT a",
    "CONFIG GET nosuchoption",
    "CONFIG GET MAXMEMORY",
    "CONFIG GET save",
    "CONFIG GET appendfsync",
    "CONFIG GET databases",
    "ROLE",
    "PING a b",
    "PING a",
    "PING",
    "ECHO",
    "INFO nosuch",
    "TIME x",
    "DBSIZE x",
    "GETRANGE n a 0",
    "GETRANGE n 0 -100",
    "GETRANGE n -1 -5",
    "SETRANGE n -1 ab",
    "SETRANGE n 536870912 ab",
    "SETRANGE nokey 536870912 \"\"",
    "GETEX nokey EX abc",
    "GETEX n EX 0",
    "GETEX n EX",
    "GETEX n EX 10 PX 10",
    "SET n 5 KEEPTTL EX 10",
    "SET n 5 EX 10 EX 20",
    "SET n 5 NX XX",
    "SET n 5 GET GET NX",
    "INCRBY n 9223372036854775807",
    "DECRBY n -9223372036854775808",
    "SET n a EXAT 1",
    "EXISTS n",
    "EXPIRE n 9223372036854775",
    "EXPIRE nokey 9223372036854776",
    "PEXPIRE n 9223372036854775807",
    "EXPIREAT n 9223372036854775807",
    "EXPIRE n -9223372036854775808",
    "CLIENT|ID",
    "CLIENT \"\"",
    "\"\"",
    "foo "
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa "
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
    "bbb c",
};

// Times that the two servers may see a little apart are compared without their last digits.
std::string without_clock(const Words& words, std::string reply) {
  const std::string_view name = words[0];
  const std::int64_t unit = name == "TTL" || name == "EXPIRETIME"     ? 10
                            : name == "PTTL" || name == "PEXPIRETIME" ? 10'000
                                                                      : 1;
  std::int64_t value = 0;
  if (unit == 1 || reply.empty() || reply[0] != ':') return reply;
  std::from_chars(reply.data() + 1, reply.data() + reply.size(), value);
  return value > 0 ? fmt::format(":about {} x {}", value / unit + (value % unit >= unit / 2), unit) : reply;
}

// Where Redis ends a scan with one page, Shale may need several: it does not wait for what is not in memory
// as long as it has come further. All of them as one reply.
std::string whole_scan(CommandConnection& connection, Words words) {
  constexpr std::string_view kPage = "*2\r\n";
  std::size_t count = 0;
  std::string keys;
  for (;;) {
    const std::string reply = connection.run(words);
    if (!reply.starts_with(kPage)) return reply;  // an error
    const std::size_t cursor_begin = reply.find('\n', kPage.size()) + 1;
    const std::size_t cursor_end = reply.find('\r', cursor_begin);
    const std::size_t count_begin = cursor_end + std::string_view{"\r\n*"}.size();
    const std::size_t keys_begin = reply.find('\n', count_begin) + 1;
    count += std::stoul(reply.substr(count_begin));
    keys += reply.substr(keys_begin);
    words[1] = reply.substr(cursor_begin, cursor_end - cursor_begin);
    if (words[1] == "0") return fmt::format("*2\r\n$1\r\n0\r\n*{}\r\n{}", count, keys);
  }
}

std::string text_of(const Words& words) {
  std::string text;
  for (const std::string& word : words) text += fmt::format("{:?} ", word);
  return text;
}

class CommandDifferential : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    if (redis_server_path().empty()) GTEST_SKIP() << "redis-server is not installed: nothing to compare with";
    seed_of_this_run();
    shale_.emplace();
    redis_.emplace();
    to_shale_ = std::make_unique<CommandConnection>(shale_->port());
    to_redis_ = std::make_unique<CommandConnection>(redis_->port());
    const std::string hello = fmt::format("HELLO {}", GetParam());
    to_shale_->run(hello);
    to_redis_->run(hello);
  }
  bool same(const Words& words) {
    const std::string of_redis = without_clock(words, to_redis_->run(words));
    const bool scans = words[0] == "SCAN" && words.size() > 1;
    const std::string of_shale =
        scans ? whole_scan(*to_shale_, words) : without_clock(words, to_shale_->run(words));
    EXPECT_EQ(of_shale, of_redis) << text_of(words);
    return of_shale == of_redis;
  }

  std::optional<ServerProcess> shale_;
  std::optional<RedisProcess> redis_;
  std::unique_ptr<CommandConnection> to_shale_;
  std::unique_ptr<CommandConnection> to_redis_;
};
INSTANTIATE_TEST_SUITE_P(Resp, CommandDifferential, ::testing::Values(2, 3));

TEST_P(CommandDifferential, EveryLineGetsRedissReply) {
  for (const std::string_view line : kLines) same(split_words(line));
  same({"ECHO", std::string("a\0\r\n\xff", 5)});
  same({"a\nb", "c\r\nd"});
  same({std::string(300, 'x')});
  same({"CLIENT", std::string(300, 'x')});
}

// Draws commands over a few keys, so that they meet; expiries are far away or past, so that the clock does
// not matter.
class RandomCommands {
 public:
  explicit RandomCommands(std::uint64_t seed) : random_(seed) {}

  Words next() {
    switch (below(24)) {
      case 0: return {"GET", key()};
      case 1: return options({"SET", key(), value()}, kSetWords, 3);
      case 2: return options({"SET", key(), value()}, kSetConditions, 2);
      case 3: return with_keys(pick({"DEL", "UNLINK", "EXISTS", "TOUCH"}), 4);
      case 4: return with_keys("MGET", 20);
      case 5: return with_pairs("MSET", 15);
      case 6: return with_pairs("MSETNX", 3);
      case 7: return {pick({"INCR", "DECR", "TYPE", "STRLEN", "GETDEL", "PERSIST"}), key()};
      case 8: return {pick({"INCRBY", "DECRBY"}), key(), number()};
      case 9:
        return {"INCRBYFLOAT", key(), pick({"0.1", "-3.25", "1e5", "nan", "0x1p3", "1", "abc", "1e400"})};
      case 10: return {"APPEND", key(), value()};
      case 11: return {pick({"SETNX", "GETSET"}), key(), value()};
      case 12: return {pick({"SETEX", "PSETEX"}), key(), duration(), value()};
      case 13: return options({"GETEX", key()}, kGetexWords, 2);
      case 14: return {pick({"GETRANGE", "SUBSTR"}), key(), number(), number()};
      case 15: return {"SETRANGE", key(), pick({"0", "1", "5", "20", "-1", "abc"}), value()};
      case 16: return options({pick({"EXPIRE", "PEXPIRE"}), key(), duration()}, kClocklessConditions, 2);
      case 17:
        return options({"EXPIREAT", key(), pick({"0", "1", "5000000000", "6000000000"})}, kConditions, 1);
      case 18: return options({"PEXPIREAT", key(), pick({"-1", "5000000000123"})}, kConditions, 1);
      case 19: return {pick({"TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"}), key()};
      case 20: return {"SELECT", pick({"0", "1", "15", "16", "-1", "abc"})};
      case 21: return {below(20) == 0 ? "FLUSHDB" : "PING"};
      case 22: return {pick({"GET", "SET", "MSET", "DEL", "EXPIRE", "SCAN", "CLIENT", "CONFIG", "OBJECT"})};
      default: return {"MSET", key(), value(), key()};
    }
  }

 private:
  using Choices = std::vector<std::string>;
  inline static const Choices kSetConditions{"NX", "XX", "GET", "KEEPTTL"};
  inline static const Choices kSetWords{"NX", "xx", "GET", "KEEPTTL", "EX", "PX", "EXAT", "PXAT", "foo"};
  inline static const Choices kGetexWords{"PERSIST", "EX", "PX", "EXAT", "PXAT", "foo"};
  // Whether a time from now is greater than another depends on the millisecond.
  inline static const Choices kClocklessConditions{"NX", "XX", "foo"};
  inline static const Choices kConditions{"NX", "XX", "GT", "LT", "foo"};

  std::size_t below(std::size_t bound) { return random_() % bound; }
  std::string pick(const Choices& choices) { return choices[below(choices.size())]; }
  std::string key() { return pick({"k0", "k1", "k2", "k3", "{t}a", "{t}b", ""}); }
  std::string value() {
    return pick({"", "0", "1", "-1", "10", "abc", "9223372036854775807", "-9223372036854775807", "3.5", "1e3",
                 " 1", "+1", "01", std::string(50, 'x'), "-0", "nan", "0x10"});
  }
  std::string number() {
    return pick({"0", "1", "-1", "5", "100", "9223372036854775807", "-9223372036854775808", "abc", "", " 1",
                 "1.5", "10000000000"});
  }
  std::string duration() {
    return pick(
        {"0", "-1", "100000000", "abc", "9223372036854775807", "9223372036854775", "", " 1", "99999999999"});
  }
  Words options(Words words, const Choices& choices, std::size_t most) {
    for (std::size_t left = below(most + 1); left > 0; --left) {
      words.push_back(pick(choices));
      const std::string& option = words.back();
      if (option == "EX" || option == "PX" || option == "EXAT" || option == "PXAT") {
        if (below(10) != 0) words.push_back(duration());
      }
    }
    return words;
  }
  Words with_keys(const std::string& name, std::size_t most) {
    Words words{name};
    for (std::size_t left = 1 + below(most); left > 0; --left) words.push_back(key());
    return words;
  }
  Words with_pairs(const std::string& name, std::size_t most) {
    Words words{name};
    for (std::size_t left = 1 + below(most); left > 0; --left) words.insert(words.end(), {key(), value()});
    return words;
  }

  std::mt19937_64 random_;
};

TEST_P(CommandDifferential, RandomCommandsGetRedissReplies) {
  const std::uint64_t seed = seed_of_this_run();
  RandomCommands commands(seed);
  constexpr int kCommands = 5000;
  for (int i = 0; i < kCommands; ++i) {
    ASSERT_TRUE(same(commands.next())) << "command " << i << " of SHALE_TEST_SEED=" << seed;
  }
}

}  // namespace
}  // namespace shale::integration
