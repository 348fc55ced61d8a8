// The same commands to redis-server and to Shale, replies compared byte for byte, in both protocols. A
// failure of the random part names its seed; TEST_SEED repeats it.
#include <cstdint>
#include <random>

#include "tests/integration/command_differential.h"
#include "tests/integration/differential_lines.h"
#include "tests/integration/random_commands.h"

namespace shale::integration {
namespace {

INSTANTIATE_TEST_SUITE_P(Resp, CommandDifferential, ::testing::Values(2, 3));

TEST_P(CommandDifferential, EveryLineGetsRedissReply) {
  for (const std::string_view line : kLines) same(split_words(line));
  // HyperLogLogs that are none: of a run too few, and of an encoding that is not known.
  same({"SET", "broken", std::string("HYLL\1\0\0\0\0\0\0\0\0\0\0\x80\x7f", 17)});
  for (const char* line : {"PFCOUNT broken", "PFMERGE m broken", "PFDEBUG GETREG broken"})
    same(split_words(line));
  same({"SET", "broken", std::string("HYLL\2\0\0\0\0\0\0\0\0\0\0\x80\x7f\xff", 18)});
  for (const char* line : {"PFCOUNT broken", "PFADD broken a"}) same(split_words(line));
  same({"ECHO", std::string("a\0\r\n\xff", 5)});
  same({"a\nb", "c\r\nd"});
  same({std::string(300, 'x')});
  same({"CLIENT", std::string(300, 'x')});
}

TEST_P(CommandDifferential, EveryExpiryGetsRedissReply) {
  for (const std::string_view line : kExpiryLines) same(split_words(line));
}

TEST_P(CommandDifferential, TransactionsGetRedissReplies) {
  for (std::string_view script : kTransactions) {
    SCOPED_TRACE(script);
    std::vector<Words> commands;
    while (!script.empty()) {
      const std::size_t end = std::min(script.find('\n'), script.size());
      commands.push_back(split_words(script.substr(0, end)));
      script.remove_prefix(std::min(end + 1, script.size()));
    }
    EXPECT_EQ(to_shale_->run_all(commands), to_redis_->run_all(commands));
  }
}

// What one server dumps the other restores, compressed or not.
TEST_P(CommandDifferential, DumpsMoveBetweenTheServers) {
  std::mt19937_64 random(seed_of_this_run());
  Words values{"",
               "0",
               "-1",
               "127",
               "-128",
               "128",
               "32767",
               "-32768",
               "32768",
               "2147483647",
               "-2147483648",
               "2147483648",
               "01",
               "-0",
               "9223372036854775807",
               std::string("a\0\r\n\xff", 5),
               std::string(63, 'a'),
               std::string(64, 'b'),
               std::string(20, 'c'),
               std::string(21, 'd'),
               std::string(100'000, 'e')};
  for (const std::size_t bytes : {16'383u, 16'384u, 70'000u, 300'000u}) {
    std::string noise;
    std::string text;
    while (noise.size() < bytes) noise.push_back(static_cast<char>(random()));
    while (text.size() < bytes) text += fmt::format("{} green bottles, ", random() % 1000);
    values.push_back(noise);
    values.push_back(text);
  }
  const auto payload_of = [](const std::string& reply) {
    return reply.substr(reply.find('\n') + 1, reply.size() - reply.find('\n') - 3);
  };
  for (const std::string& value : values) {
    same({"SET", "from", value});
    const std::string of_redis = payload_of(to_redis_->run(Words{"DUMP", "from"}));
    const std::string of_shale = payload_of(to_shale_->run(Words{"DUMP", "from"}));
    ASSERT_EQ(to_shale_->run(Words{"RESTORE", "to", "0", of_redis, "REPLACE"}), "+OK\r\n") << value.size();
    ASSERT_EQ(to_redis_->run(Words{"RESTORE", "to", "0", of_shale, "REPLACE"}), "+OK\r\n") << value.size();
    ASSERT_TRUE(same({"GET", "to"}));
    ASSERT_EQ(to_shale_->run(Words{"GET", "to"}), to_shale_->run(Words{"GET", "from"}));
    std::string damaged = of_redis;
    damaged[random() % damaged.size()] ^= 4;
    same({"RESTORE", "to", "0", damaged, "REPLACE"});
    same({"RESTORE", "to", "0", of_redis});
    same({"RESTORE", "expiring", "100000000", of_redis, "REPLACE"});
    same({"PTTL", "expiring"});
    same({"RESTORE", "expiring", "1", of_redis, "ABSTTL", "REPLACE"});
    same({"EXISTS", "expiring"});
    same({"RESTORE", "expiring", "5000000000123", of_redis, "ABSTTL", "IDLETIME", "7"});
    same({"PEXPIRETIME", "expiring"});
  }
}

TEST_P(CommandDifferential, RandomCommandsGetRedissReplies) {
  const std::uint64_t seed = seed_of_this_run();
  RandomCommands commands(seed);
  constexpr int kCommands = 5000;
  for (int i = 0; i < kCommands; ++i) {
    ASSERT_TRUE(same(commands.next())) << "command " << i << " of TEST_SEED=" << seed;
  }
}

// What subscribers hear of each command. A key whose expiry is in the past when it is set is gone at once
// here, and when somebody looks at it there: "expired" is left out.
TEST_P(CommandDifferential, RandomCommandsTellRedissEvents) {
  const std::uint64_t seed = seed_of_this_run();
  CommandConnection of_shale(shale_->port());
  CommandConnection of_redis(redis_->port());
  for (CommandConnection* subscriber : {&of_shale, &of_redis}) {
    subscriber->run("HELLO 3");
    subscriber->run("CONFIG SET notify-keyspace-events KEAmn");
    subscriber->run("PSUBSCRIBE *");
  }
  const auto heard = [](CommandConnection& subscriber) {
    std::string messages = subscriber.messages();
    for (std::size_t at = 0; (at = messages.find("expired", at)) != std::string::npos;) {
      const std::size_t begin = messages.rfind(">4\r\n", at);
      at = begin;
      messages.erase(begin, std::min(messages.find(">4\r\n", begin + 1), messages.size()) - begin);
    }
    return messages;
  };
  RandomCommands commands(seed);
  constexpr int kCommands = 800;
  for (int i = 0; i < kCommands; ++i) {
    const Words words = commands.next();
    ASSERT_TRUE(same(words)) << "command " << i << " of TEST_SEED=" << seed;
    // BITOP deletes what is at its destination there without looking whether that has expired.
    ASSERT_TRUE(same(RandomCommands::look_at_all_keys())) << i << " of TEST_SEED=" << seed;
    ASSERT_EQ(heard(of_shale), heard(of_redis)) << text_of(words) << i << " of TEST_SEED=" << seed;
  }
}

}  // namespace
}  // namespace shale::integration
