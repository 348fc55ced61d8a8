// What COMMAND INFO says of every command, compared with a redis-server 7.0. Where Redis 7.0 does not know a
// command, or describes it in another way, the reason is here.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "tests/integration/client.h"
#include "tests/integration/redis_process.h"

namespace shale::integration {
namespace {

// Commands that redis-server 7.0 does not have.
const std::map<std::string_view, std::string_view> kUnknownToRedis = {
    {"client|setinfo", "Redis 7.2"}, {"client|no-touch", "Redis 7.2"}, {"cluster|myshardid", "Redis 7.2"},
    {"engine", "Shale's own"},       {"merge", "Shale's own"},         {"range", "Shale's own"},
    {"rebalance", "Shale's own"},    {"ring", "Shale's own"},          {"split", "Shale's own"},
    {"stats", "Shale's own"},        {"waitaof", "Redis 7.2"},
};

constexpr std::string_view kChannels = "shard channels are no keys here: there is one node";

// Parts of the description that differ, as "command field", and why.
const std::map<std::string_view, std::string_view> kDifferences = {
    {"acl|deluser tips", "Redis 7.2 added them"},
    {"acl|save tips", "Redis 7.2 added them"},
    {"acl|setuser tips", "Redis 7.2 added them"},
    {"client|setname tips", "Redis 7.2 added them"},
    {"command|getkeys arity", "Redis 7.2 allows commands without arguments"},
    {"command|getkeysandflags arity", "Redis 7.2 allows commands without arguments"},
    {"migrate flags", "it cannot run inside MULTI here"},
    {"migrate keys", "a row has no words for keys behind KEYS: COMMAND GETKEYS finds them"},
    {"msetnx tips", "Redis 7.2 dropped them"},
    {"spublish first", kChannels},
    {"spublish keys", kChannels},
    {"spublish last", kChannels},
    {"spublish step", kChannels},
    {"ssubscribe first", kChannels},
    {"ssubscribe keys", kChannels},
    {"ssubscribe last", kChannels},
    {"ssubscribe step", kChannels},
    {"sunsubscribe first", kChannels},
    {"sunsubscribe keys", kChannels},
    {"sunsubscribe last", kChannels},
    {"sunsubscribe step", kChannels},
    {"wait categories", "Redis 7.2 calls it blocking"},
    {"wait flags", "Redis 7.2 calls it blocking, and lets scripts run it"},
};

std::set<std::string> names_in(const redisReply* list) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < list->elements; ++i) names.insert(to_text(list->element[i]));
  return names;
}

std::string joined(const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += name + ' ';
  return text;
}

// A description's fields by name. The order of flags, categories and tips means nothing. Subcommands are
// compared by themselves.
std::map<std::string, std::string> fields_of(const redisReply* info) {
  return {{"arity", to_text(info->element[1])},         {"flags", joined(names_in(info->element[2]))},
          {"first", to_text(info->element[3])},         {"last", to_text(info->element[4])},
          {"step", to_text(info->element[5])},          {"categories", joined(names_in(info->element[6]))},
          {"tips", joined(names_in(info->element[7]))}, {"keys", to_text(info->element[8])}};
}

// Without the notes for people, which are Redis's own sentences.
std::string without_notes(std::string keys) {
  constexpr std::string_view kNotes = "notes, ";
  for (std::size_t at; (at = keys.find(kNotes)) != std::string::npos;) {
    keys.erase(at, keys.find(", flags, ", at) + 2 - at);
  }
  return keys;
}

TEST(CommandInfoDifferential, EveryCommandIsDescribedAsRedisDoes) {
  if (redis_server_path().empty()) GTEST_SKIP() << "redis-server is not installed: nothing to compare with";
  const ServerProcess shale;
  const RedisProcess redis;
  Client to_shale{shale};
  Client to_redis{"127.0.0.1", redis.port()};
  const std::set<std::string> commands = names_in(to_shale.command({"COMMAND", "LIST"}).get());
  ASSERT_GT(commands.size(), 100u);
  for (const std::string& command : commands) {
    const Reply of_shale = to_shale.command({"COMMAND", "INFO", command});
    const Reply of_redis = to_redis.command({"COMMAND", "INFO", command});
    if (of_redis->element[0]->type == REDIS_REPLY_NIL) {
      const std::string container = command.substr(0, command.find('|'));
      EXPECT_TRUE(kUnknownToRedis.contains(command) || kUnknownToRedis.contains(container))
          << command << " is not a command of Redis 7.0";
      continue;
    }
    auto expected = fields_of(of_redis->element[0]);
    auto described = fields_of(of_shale->element[0]);
    expected["keys"] = without_notes(expected["keys"]);
    for (const auto& [field, value] : described) {
      if (kDifferences.contains(command + ' ' + field)) continue;
      EXPECT_EQ(value, expected[field]) << command << ' ' << field;
    }
  }
}

}  // namespace
}  // namespace shale::integration
