// The same rules to redis-server and to Shale: the same mistakes, and users who may do the same.
#include <gtest/gtest.h>

#include <random>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "tests/integration/client.h"
#include "tests/integration/redis_process.h"

namespace shale::integration {
namespace {

using Words = std::vector<std::string>;

class RandomRules {
 public:
  explicit RandomRules(std::uint64_t seed) : random_(seed) {}

  Words next() {
    Words rules;
    for (std::size_t left = 1 + below(6); left > 0; --left) rules.push_back(rule(true));
    return rules;
  }

 private:
  std::string rule(bool for_user) {
    switch (below(for_user ? 16 : 11)) {
      case 0:
      case 1: return pick({"+", "-"}) + command();
      case 2:
        return pick({"+@", "-@"}) +
               pick({"read", "write", "all", "STRING", "keyspace", "connection", "nosuch"});
      case 3: return "+" + command() + "|" + pick({"get", "0", "GET", "list", ""});
      case 4: return pick({"-config|get", "+config|get|x", "-client|list", "+nosuch|x", "-select|0"});
      case 5:
      case 6: return pick({"~", "%R~", "%W~", "%RW~", "%wr~", "%", "%RR~", "%x~"}) + pattern();
      case 7: return "&" + pattern();
      case 8:
        return pick({"allkeys", "resetkeys", "ALLCHANNELS", "resetchannels", "allcommands", "nocommands"});
      case 9: return pick({"~*", "&*", "+@all", "-@all"});
      case 10: return pick({"nonsense", "", "+", "~", ")", "+get +set"});
      case 11: return pick({"on", "off", "nopass", "resetpass", "reset", "clearselectors", "OFF"});
      case 12: return pick({">", "<"}) + pick({"one", "two", ""});
      case 13:
        return pick({"#", "!"}) +
               pick({std::string(64, 'a'), std::string(64, 'A'), std::string(63, 'a'), ""});
      default: return "(" + rule(false) + " " + rule(false) + ")";
    }
  }
  std::string command() {
    return pick({"get", "SET", "mget", "del", "exists", "config", "client", "select", "ping", "incr",
                 "append", "nosuch"});
  }
  std::string pattern() { return pick({"a*", "b", "*", "[ab]*", "a\tb", "k?", ""}); }
  std::size_t below(std::size_t bound) { return random_() % bound; }
  std::string pick(const Words& choices) { return choices[below(choices.size())]; }

  std::mt19937_64 random_;
};

// Only what the versions (7.0 and 7.4) agree on: in the order of its commands' rules, and in a flag of
// RESTORE's, they do not.
std::string shown(Client& client) {
  static const std::regex commands{"commands, [^,]*, keys"};
  static const std::regex sanitize{", (skip-)?sanitize-payload"};
  const std::string text = client.ask("ACL", "GETUSER", "u");
  return std::regex_replace(std::regex_replace(text, commands, "keys"), sanitize, "");
}

// Allowed, or what is refused: the sentences are different in the two versions.
std::string_view verdict(const std::string& reply) {
  for (const std::string_view kind : {"' command", "' key", "' channel"}) {
    if (reply.ends_with(kind)) return kind;
  }
  return reply == "OK" ? "allowed" : std::string_view{reply};
}

Words with(Words front, const Words& back) {
  front.insert(front.end(), back.begin(), back.end());
  return front;
}

TEST(AclDifferential, RandomRulesMakeUsersWhoMayDoTheSame) {
  if (redis_server_path().empty()) GTEST_SKIP() << "redis-server is not installed: nothing to compare with";
  const std::vector<Words> requests{{"GET", "a1"},
                                    {"GET", "b"},
                                    {"SET", "a1", "x"},
                                    {"SET", "b", "x", "GET"},
                                    {"MGET", "a", "b"},
                                    {"DEL", "k1"},
                                    {"EXISTS", "b"},
                                    {"INCR", "a"},
                                    {"APPEND", "b", "x"},
                                    {"CONFIG", "GET", "x"},
                                    {"CONFIG", "HELP"},
                                    {"CLIENT", "ID"},
                                    {"CLIENT", "LIST"},
                                    {"SELECT", "0"},
                                    {"SELECT", "1"},
                                    {"PING"},
                                    {"AUTH", "x"},
                                    {"ECHO", "x"},
                                    {"OBJECT", "ENCODING", "a"},
                                    {"TTL", "a"}};
  const std::uint64_t seed = seed_of_this_run();
  RandomRules random{seed};
  ServerProcess server;
  RedisProcess redis;
  Client to_shale{server};
  Client to_redis{"127.0.0.1", redis.port()};
  constexpr int kRounds = 400;
  for (int round = 0; round < kRounds; ++round) {
    SCOPED_TRACE("round " + std::to_string(round) + " of TEST_SEED=" + std::to_string(seed));
    const Words rules = random.next();
    const Words change = with({"ACL", "SETUSER", "u"}, rules);
    ASSERT_EQ(to_text(to_shale.command(change).get()), to_text(to_redis.command(change).get()))
        << testing::PrintToString(rules);
    const std::string of_redis = shown(to_redis);
    ASSERT_EQ(shown(to_shale), of_redis) << testing::PrintToString(rules);
    if (of_redis == "(nil)") continue;
    for (const Words& request : requests) {
      const Words dryrun = with({"ACL", "DRYRUN", "u"}, request);
      const std::string shale_says = to_text(to_shale.command(dryrun).get());
      const std::string redis_says = to_text(to_redis.command(dryrun).get());
      ASSERT_EQ(verdict(shale_says), verdict(redis_says))
          << testing::PrintToString(request) << ": " << shale_says << " or " << redis_says << "\n"
          << to_shale.ask("ACL", "LIST") << "\n"
          << to_redis.ask("ACL", "LIST");
    }
    if (round % 8 == 7) {
      to_shale.ask("ACL", "DELUSER", "u");
      to_redis.ask("ACL", "DELUSER", "u");
    }
  }
}

TEST(AclDifferential, MistakesAreToldInTheSameWords) {
  if (redis_server_path().empty()) GTEST_SKIP() << "redis-server is not installed: nothing to compare with";
  const std::vector<Words> requests{{"ACL"},
                                    {"ACL", "NOSUCH"},
                                    {"ACL", "CAT", "nosuch"},
                                    {"ACL", "CAT"},
                                    {"ACL", "CAT", "a", "b"},
                                    {"ACL", "GENPASS", "0"},
                                    {"ACL", "GENPASS", "4097"},
                                    {"ACL", "GENPASS", "x"},
                                    {"ACL", "GENPASS", "1", "2"},
                                    {"ACL", "LOG", "x"},
                                    {"ACL", "LOG", "-1"},
                                    {"ACL", "LOG", "a", "b"},
                                    {"ACL", "LOG", "RESET"},
                                    {"ACL", "DRYRUN", "nobody", "GET", "a"},
                                    {"ACL", "DRYRUN", "default", "NOSUCH"},
                                    {"ACL", "DRYRUN", "default", "GET"},
                                    {"ACL", "DRYRUN", "default", "CONFIG", "NOSUCH"},
                                    {"ACL", "DRYRUN", "default"},
                                    {"ACL", "GETUSER", "nobody"},
                                    {"ACL", "DELUSER", "default"},
                                    {"ACL", "DELUSER", "nobody"},
                                    {"ACL", "LOAD"},
                                    {"ACL", "SAVE"},
                                    {"ACL", "SETUSER", "a b"},
                                    {"ACL", "SETUSER"},
                                    {"ACL", "SETUSER", "x", "(+get", "on"},
                                    {"ACL", "WHOAMI"},
                                    {"ACL", "WHOAMI", "x"},
                                    {"ACL", "USERS"},
                                    {"ACL", "LIST", "x"},
                                    {"AUTH", "a"},
                                    {"AUTH", "a", "b"},
                                    {"AUTH", "a", "b", "c"},
                                    {"CLIENT", "KILL", "USER", "nobody"}};
  ServerProcess server;
  RedisProcess redis;
  Client to_shale{server};
  Client to_redis{"127.0.0.1", redis.port()};
  for (const Words& request : requests) {
    EXPECT_EQ(to_text(to_shale.command(request).get()), to_text(to_redis.command(request).get()))
        << testing::PrintToString(request);
  }
}

// Commands of both, without those that Redis has changed since.
TEST(AclDifferential, CommandsHaveRedissCategories) {
  if (redis_server_path().empty()) GTEST_SKIP() << "redis-server is not installed: nothing to compare with";
  ServerProcess server;
  RedisProcess redis;
  Client to_shale{server};
  Client to_redis{"127.0.0.1", redis.port()};
  const Reply names = to_shale.command({"COMMAND", "LIST"});
  constexpr std::size_t kCategories = 6;  // of COMMAND INFO's elements
  for (std::size_t i = 0; i < names->elements; ++i) {
    const std::string name{names->element[i]->str, names->element[i]->len};
    if (name == "wait") continue;  // @blocking since 7.2
    const Reply of_redis = to_redis.command({"COMMAND", "INFO", name});
    if (of_redis->elements != 1 || of_redis->element[0]->type != REDIS_REPLY_ARRAY) continue;
    const Reply of_shale = to_shale.command({"COMMAND", "INFO", name});
    EXPECT_EQ(to_text(of_shale->element[0]->element[kCategories]),
              to_text(of_redis->element[0]->element[kCategories]))
        << name;
  }
}

}  // namespace
}  // namespace shale::integration
