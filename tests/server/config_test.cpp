#include "src/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace shale::server {
namespace {

using testing::HasSubstr;

std::optional<std::string> change(Config& config, std::vector<std::string_view> names_and_values) {
  return config.change(names_and_values);
}

TEST(Config, BeginsWithTheDefaults) {
  const Config config;
  EXPECT_EQ(config.number(Option::port), 6379);
  EXPECT_EQ(config.number(Option::proto_max_bulk_len), 512 << 20);
  EXPECT_EQ(config.text(Option::appendfsync), "everysec");
  EXPECT_TRUE(config.enabled(Option::protected_mode));
}

TEST(Config, ShowsOptionsAndWhatClientsOfRedisAskFor) {
  const Config config;
  std::map<std::string_view, std::string> shown;
  for (auto& [name, value] : config.show()) EXPECT_TRUE(shown.emplace(name, value).second) << name;
  EXPECT_EQ(shown.at("save"), "");
  EXPECT_EQ(shown.at("appendonly"), "yes");
  EXPECT_EQ(shown.at("maxmemory-policy"), "noeviction");
  EXPECT_EQ(shown.at("databases"), "16");
  EXPECT_EQ(shown.at("proto-max-bulk-len"), "536870912");
  EXPECT_EQ(shown.at("appendfsync"), "everysec");
  EXPECT_GE(shown.size(), kOptionCount);
}

TEST(Config, ChangesAllOrNothing) {
  Config config;
  std::vector<Option> heard;
  config.on_change([&](Option option) { heard.push_back(option); });
  EXPECT_EQ(change(config, {"timeout", "7", "LOGLEVEL", "debug"}), std::nullopt);
  EXPECT_EQ(config.number(Option::timeout), 7);
  EXPECT_EQ(config.text(Option::loglevel), "debug");
  EXPECT_THAT(heard, testing::ElementsAre(Option::timeout, Option::loglevel));

  EXPECT_EQ(
      change(config, {"timeout", "8", "loglevel", "chatty"}),
      "ERR CONFIG SET failed (possibly related to argument 'loglevel') - argument(s) must be one of the "
      "following: debug, verbose, notice, warning");
  EXPECT_THAT(*change(config, {"maxclients", "0"}), HasSubstr("must be between 1 and 1000000 inclusive"));
  EXPECT_EQ(config.number(Option::timeout), 7);
}

TEST(Config, RefusesAsRedisDoes) {
  Config config;
  EXPECT_EQ(change(config, {"port", "1"}),
            "ERR CONFIG SET failed (possibly related to argument 'port') - can't set immutable config");
  EXPECT_EQ(change(config, {"nope", "1"}),
            "ERR Unknown option or number of arguments for CONFIG SET - 'nope'");
  EXPECT_EQ(change(config, {"timeout", "1", "timeout", "2"}),
            "ERR CONFIG SET failed (possibly related to argument 'timeout') - duplicate parameter");
}

TEST(Config, FixedAnswersCannotBeChangedButRepeated) {
  Config config;
  EXPECT_EQ(change(config, {"save", ""}), std::nullopt);
  EXPECT_EQ(change(config, {"appendonly", "yes"}), std::nullopt);
  EXPECT_THAT(*change(config, {"appendonly", "no"}), HasSubstr("always 'yes'"));
}

TEST(Config, RemembersOptionsThatHaveNoEffectHereIfTheirValuesMayBe) {
  Config config;
  const auto shown = [&](std::string_view name) {
    for (const auto& [option, value] : config.show()) {
      if (option == name) return value;
    }
    return std::string{"absent"};
  };
  EXPECT_EQ(shown("hz"), "10");
  EXPECT_EQ(shown("replicaof"), "");
  EXPECT_EQ(shown("loadmodule"), "absent");
  EXPECT_EQ(change(config, {"HZ", "50", "list-max-listpack-size", "-5", "activedefrag", "yes"}),
            std::nullopt);
  EXPECT_EQ(shown("hz"), "50");
  EXPECT_THAT(*change(config, {"hz", "often"}), HasSubstr("integer"));
  EXPECT_THAT(*change(config, {"activedefrag", "1"}), HasSubstr("'yes' or 'no'"));
  EXPECT_THAT(*change(config, {"replicaof", "host 1"}), HasSubstr("always ''"));
}

TEST(Config, LooksAtNamesBeforeValues) {
  Config config;
  EXPECT_THAT(*change(config, {"maxmemory", "1", "MAXMEMORY", "2"}), HasSubstr("duplicate"));
  EXPECT_THAT(*change(config, {"maxmemory", "1", "nosuch", "2"}), HasSubstr("Unknown option"));
}

TEST(Config, AnEmptyPasswordIsNone) {
  Config config;
  EXPECT_EQ(change(config, {"requirepass", "x"}), std::nullopt);
  EXPECT_EQ(config.text(Option::requirepass), "x");
  EXPECT_EQ(change(config, {"requirepass", ""}), std::nullopt);
  EXPECT_EQ(config.text(Option::requirepass), "");
}

}  // namespace
}  // namespace shale::server
