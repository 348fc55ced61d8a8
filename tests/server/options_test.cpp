#include "src/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include "src/option_sources.h"
#include "tests/source_folder.h"

namespace shale::server {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::string in_repository(const std::string& path) {
  return (std::filesystem::path{source_folder()} / path).string();
}

// What a start with these settings would come to.
struct Loaded {
  Config config;
  std::string warning;
  Problems problems;

  explicit Loaded(const std::vector<Setting>& settings) {
    apply_settings(settings, config, warning, problems);
  }
  explicit Loaded(const std::vector<std::string>& arguments)
      : Loaded(read_command_line(arguments, early()).settings) {}

 private:
  Problems& early() { return problems; }
};

std::vector<Setting> config_lines(std::string_view lines) {
  Problems problems;
  auto settings = parse_config_lines(lines, "shale.conf", problems);
  EXPECT_THAT(problems, IsEmpty());
  return settings;
}

TEST(Options, DefaultsAreValidValuesOfTheirOptions) {
  for (const OptionSpec& spec : all_options()) {
    std::string problem;
    EXPECT_TRUE(parse_option(spec, spec.default_value, problem)) << spec.name;
    EXPECT_FALSE(spec.takes.empty() || spec.reason.empty()) << spec.name;
  }
}

TEST(Options, NamesAreFoundInAnyCase) {
  EXPECT_EQ(find_option("TCP-KeepAlive"), Option::tcp_keepalive);
  EXPECT_EQ(find_option("tcp_keepalive"), std::nullopt);
}

TEST(Options, SizesAreReadAsRedisReadsThem) {
  EXPECT_EQ(parse_size("100"), 100);
  EXPECT_EQ(parse_size("1k"), 1000);
  EXPECT_EQ(parse_size("1kb"), 1024);
  EXPECT_EQ(parse_size("64MB"), 64 << 20);
  EXPECT_EQ(parse_size("2g"), 2'000'000'000);
  EXPECT_EQ(parse_size("2Gb"), 2ll << 30);
  for (const char* text : {"", "mb", "1.5gb", "-1", "1 mb", "1tb", "99999999999gb"}) {
    EXPECT_EQ(parse_size(text), std::nullopt) << text;
  }
}

TEST(Options, TheDefaultFileListsExactlyEveryOptionWithItsDefault) {
  Problems problems;
  const auto settings = read_config_file(in_repository("conf/shale.conf"), problems);
  ASSERT_THAT(problems, IsEmpty());
  std::multiset<std::string> listed;
  for (const Setting& setting : settings) {
    listed.insert(setting.name);
    const auto option = find_option(setting.name);
    ASSERT_TRUE(option) << setting.name;
    std::string words;
    for (const std::string& word : setting.words) words += (words.empty() ? "" : " ") + word;
    EXPECT_EQ(words, option_spec(*option).default_value) << setting.name;
  }
  for (const OptionSpec& spec : all_options())
    EXPECT_EQ(listed.count(std::string{spec.name}), 1) << spec.name;
}

TEST(Options, TheManualListsEveryOptionWithItsDefault) {
  std::ifstream file{in_repository("docs/configuration.md")};
  const std::string manual{std::istreambuf_iterator<char>{file}, {}};
  for (const OptionSpec& spec : all_options()) {
    const std::string value =
        spec.default_value.empty() ? "(empty)" : "`" + std::string{spec.default_value} + "`";
    EXPECT_THAT(manual, HasSubstr("| `" + std::string{spec.name} + "` | " + value + " |"));
  }
}

TEST(ConfigFile, TakesBothFormsCommentsAndQuotes) {
  const auto settings = config_lines(
      "# a comment\r\n"
      "\n"
      "port = 7000\n"
      "  timeout\t30  \n"
      "tcp-keepalive=10\n"
      "requirepass \"with blank and \\\"quote\\\"\"\n"
      "logfile = \"\"\n"
      "bind 127.0.0.1 -::1");
  const Loaded loaded{settings};
  EXPECT_THAT(loaded.problems, IsEmpty());
  EXPECT_EQ(loaded.config.number(Option::port), 7000);
  EXPECT_EQ(loaded.config.number(Option::timeout), 30);
  EXPECT_EQ(loaded.config.number(Option::tcp_keepalive), 10);
  EXPECT_EQ(loaded.config.text(Option::requirepass), "with blank and \"quote\"");
  EXPECT_EQ(loaded.config.text(Option::logfile), "");
  EXPECT_EQ(loaded.config.text(Option::bind), "127.0.0.1 -::1");
}

TEST(ConfigFile, NamesFileAndLineOfWhatIsWrong) {
  const Loaded loaded{config_lines("# comment\nprot = 1\nport = seven\nport\ndir a b\ninclude other.conf\n")};
  EXPECT_THAT(loaded.problems,
              ElementsAre(AllOf(HasSubstr("'prot'"), HasSubstr("shale.conf:2")),
                          AllOf(HasSubstr("'port'"), HasSubstr("0 to 65535"), HasSubstr("'seven'"),
                                HasSubstr("shale.conf:3")),
                          AllOf(HasSubstr("'port'"), HasSubstr("has no value"), HasSubstr("shale.conf:4")),
                          AllOf(HasSubstr("'dir'"), HasSubstr("several values"), HasSubstr("shale.conf:5")),
                          AllOf(HasSubstr("'include'"), HasSubstr("one file"), HasSubstr("shale.conf:6"))));
}

TEST(ConfigFile, RefusesUnbalancedQuotes) {
  Problems problems;
  EXPECT_THAT(parse_config_lines("port = 1\nrequirepass \"abc", "shale.conf", problems), SizeIs(1));
  EXPECT_THAT(problems, ElementsAre(AllOf(HasSubstr("quotes"), HasSubstr("shale.conf:2"))));
}

TEST(ConfigFile, OneThatCannotBeReadIsAProblem) {
  Problems problems;
  read_config_file("/nonexistent/shale.conf", problems);
  EXPECT_THAT(problems, ElementsAre(HasSubstr("/nonexistent/shale.conf")));
}

TEST(CommandLineOptions, AreTakenAsRedisTakesThem) {
  Problems problems;
  const CommandLine line =
      read_command_line({"my.conf", "--port", "7000", "--bind", "127.0.0.1", "-::1", "--timeout=5", "--save",
                         "900", "1", "--save", "", "--requirepass=", "--check-config"},
                        problems);
  EXPECT_THAT(problems, IsEmpty());
  EXPECT_EQ(line.config_file, "my.conf");
  EXPECT_TRUE(line.check_config);
  EXPECT_FALSE(line.help);
  const Loaded loaded{line.settings};
  EXPECT_THAT(loaded.problems, IsEmpty());
  EXPECT_EQ(loaded.config.number(Option::port), 7000);
  EXPECT_EQ(loaded.config.text(Option::bind), "127.0.0.1 -::1");
  EXPECT_EQ(loaded.config.number(Option::timeout), 5);
  EXPECT_EQ(loaded.config.text(Option::requirepass), "");
}

TEST(CommandLineOptions, AFolderMayFollowVerify) {
  Problems problems;
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--verify", "folder"}, std::vector<std::string>{"folder", "--verify"}}) {
    const CommandLine line = read_command_line(arguments, problems);
    EXPECT_TRUE(line.verify);
    EXPECT_EQ(line.config_file, "folder");
  }
  EXPECT_THAT(problems, IsEmpty());
}

TEST(CommandLineOptions, WordsThatBelongToNoOptionAreProblems) {
  Problems problems;
  read_command_line({"--check-config", "stray"}, problems);
  read_command_line({"-x"}, problems);
  EXPECT_THAT(problems, ElementsAre(HasSubstr("'stray'"), HasSubstr("'-x'")));
}

TEST(CommandLineOptions, ShortFormsOfHelpAndVersion) {
  Problems problems;
  EXPECT_TRUE(read_command_line({"-h"}, problems).help);
  EXPECT_TRUE(read_command_line({"-v"}, problems).version);
  EXPECT_THAT(problems, IsEmpty());
}

TEST(Settings, LaterOnesWin) {
  const Loaded loaded{{{"port", {"1"}, "file"},
                       {"timeout", {"1"}, "file"},
                       {"PORT", {"2"}, "environment"},
                       {"port", {"3"}, "line"}}};
  EXPECT_EQ(loaded.config.number(Option::port), 3);
  EXPECT_EQ(loaded.config.number(Option::timeout), 1);
}

TEST(Settings, WhatIsNotAvailableYetSaysSo) {
  const Loaded loaded{std::vector<std::string>{"--replicaof", "host", "1", "--daemonize", "yes"}};
  EXPECT_THAT(loaded.problems, ElementsAre(AllOf(HasSubstr("'replicaof'"), HasSubstr("not available yet")),
                                           AllOf(HasSubstr("'daemonize'"), HasSubstr("foreground"))));
}

TEST(Settings, SplitPointsAreKeysOfAnyBytes) {
  const Loaded loaded{config_lines("sharding = range\nsplit-points = q \"a b\" \"\\x00\\xff\\\"\" g\n")};
  EXPECT_THAT(loaded.problems, IsEmpty());
  const std::string text = loaded.config.text(Option::split_points);
  const auto keys = split_keys(text);
  ASSERT_TRUE(keys);
  EXPECT_THAT(*keys, ElementsAre(std::string{"\0\xff\"", 3}, "a b", "g", "q"));  // in their order
  const Loaded again{config_lines("sharding = range\nsplit-points = " + text)};
  EXPECT_EQ(again.config.text(Option::split_points), text);
  const Loaded line{std::vector<std::string>{"--sharding", "range", "--split-points", "a b", "it's"}};
  EXPECT_THAT(line.problems, IsEmpty());
  EXPECT_THAT(*split_keys(line.config.text(Option::split_points)), ElementsAre("a b", "it's"));
  const Loaded none{std::vector<std::string>{"--sharding", "range", "--split-points", ""}};
  EXPECT_THAT(none.problems, IsEmpty());
  EXPECT_EQ(none.config.number(Option::split_points), 0);
}

TEST(Settings, SplitPointsThatCannotBeAreRefused) {
  const auto problems_of = [](const std::string& value) {
    return Loaded{config_lines("sharding = range\nsplit-points = " + value)}.problems;
  };
  EXPECT_THAT(problems_of("b a b"),
              ElementsAre(AllOf(HasSubstr("'split-points'"), HasSubstr("b is there twice"))));
  EXPECT_THAT(problems_of("a \"\""),
              ElementsAre(AllOf(HasSubstr("'split-points'"), HasSubstr("the empty one"))));
  std::string many;
  for (int number = 0; number < 1024; ++number) many += std::to_string(number) + " ";
  EXPECT_THAT(problems_of(many), ElementsAre(HasSubstr("these are 1024")));
  const Loaded ring{config_lines("split-points = a\n")};
  EXPECT_THAT(ring.problems, ElementsAre(AllOf(HasSubstr("'split-points'"), HasSubstr("sharding = range"))));
}

TEST(Settings, RedisOptionsWithoutMeaningAreNamedInOneWarning) {
  const Loaded loaded{
      config_lines("save 900 1\nsave 300 10\nappendonly no\nmaxmemory 1gb\nrdbcompression yes\n"
                   "cluster-enabled no\nreplicaof no one\ntls-port 0\nHZ 10\n")};
  EXPECT_THAT(loaded.problems, IsEmpty());
  EXPECT_THAT(loaded.warning, AllOf(HasSubstr("save, appendonly"), HasSubstr("maxmemory (nothing is evicted"),
                                    HasSubstr("'memory'"), HasSubstr("rdbcompression"), HasSubstr("hz")));
  EXPECT_EQ(loaded.warning.find("save"), loaded.warning.rfind("save"));
}

TEST(Settings, WhatWouldSilentlyNotHappenIsRefused) {
  const Loaded loaded{config_lines("replicaof 10.0.0.1 6379\nrename-command FLUSHALL \"\"\n")};
  EXPECT_THAT(loaded.problems, SizeIs(2));
  EXPECT_THAT(loaded.problems, testing::Each(HasSubstr("is not supported")));
}

TEST(Settings, UsersAreDefinedByLinesOfTheirOwn) {
  const Loaded loaded{
      config_lines("user alice on >hush ~a* +get (+set ~b*)\nacl-pubsub-default allchannels\nuser bob\n")};
  EXPECT_THAT(loaded.problems, IsEmpty());
  ASSERT_THAT(loaded.config.users(), SizeIs(2));
  EXPECT_TRUE(loaded.config.users().at("alice").enabled());
  EXPECT_THAT(loaded.config.users().at("alice").selectors(), SizeIs(2));
  EXPECT_EQ(loaded.config.users().at("bob").describe(), "off sanitize-payload &* -@all");
  EXPECT_EQ(print_config(loaded.config).find("hush"), std::string::npos);
}

TEST(Settings, WhatIsWrongWithAUserIsNamedWithoutItsPasswords) {
  const auto problems_of = [](const char* lines) { return Loaded{config_lines(lines)}.problems; };
  EXPECT_THAT(problems_of("user alice +frobnicate\n"),
              ElementsAre(AllOf(HasSubstr("'alice'"), HasSubstr("'+frobnicate': Unknown command"))));
  EXPECT_THAT(problems_of("user alice #hush\n"), ElementsAre(Not(HasSubstr("hush"))));
  EXPECT_THAT(problems_of("user alice on\nuser alice off\n"), ElementsAre(HasSubstr("Duplicate user")));
  EXPECT_THAT(problems_of("user alice (+get\n"), ElementsAre(HasSubstr("Unmatched parenthesis")));
  EXPECT_THAT(problems_of("user\n"), SizeIs(1));
  EXPECT_THAT(problems_of("user alice on\naclfile /etc/users.acl\n"), ElementsAre(HasSubstr("'aclfile'")));
}

TEST(Settings, SecretsAreNotRepeated) {
  const Loaded loaded{std::vector<std::string>{"--requirepass", "hush", "hush"}};
  ASSERT_THAT(loaded.problems, SizeIs(1));
  EXPECT_EQ(loaded.problems.front().find("hush"), std::string::npos);
  const Loaded set{std::vector<std::string>{"--requirepass", "hush"}};
  EXPECT_EQ(print_config(set.config).find("hush"), std::string::npos);
}

class EnvironmentTest : public testing::Test {
 protected:
  ~EnvironmentTest() override {
    for (const std::string& name : names_) ::unsetenv(name.c_str());
  }
  void set(const std::string& name, const std::string& value) {
    ::setenv(name.c_str(), value.c_str(), 1);
    names_.push_back(name);
  }

 private:
  std::vector<std::string> names_;
};

TEST_F(EnvironmentTest, VariablesAreOptionsInCapitals) {
  set("SHALE_LOG_MAX_SIZE", "128mb");
  set("SHALE_BIND", "* -::*");
  set("SHALE_REQUIREPASS", "two words");
  const Loaded loaded{read_environment()};
  EXPECT_THAT(loaded.problems, IsEmpty());
  EXPECT_EQ(loaded.config.number(Option::log_max_size), 128 << 20);
  EXPECT_EQ(loaded.config.text(Option::bind), "* -::*");
  EXPECT_EQ(loaded.config.text(Option::requirepass), "two words");
}

TEST_F(EnvironmentTest, UnknownVariablesAreProblemsThatNameThem) {
  set("SHALE_MEMRY", "1gb");
  EXPECT_THAT(Loaded{read_environment()}.problems,
              ElementsAre(AllOf(HasSubstr("'memry'"), HasSubstr("environment SHALE_MEMRY"))));
}

// Kubernetes sets these in every container that runs beside a service named "shale".
TEST_F(EnvironmentTest, ServiceLinksAreNotOptions) {
  set("SHALE_PORT", "tcp://10.0.0.1:6379");
  set("SHALE_SERVICE_HOST", "10.0.0.1");
  set("SHALE_SERVICE_PORT", "6379");
  set("SHALE_PORT_6379_TCP_ADDR", "10.0.0.1");
  EXPECT_THAT(read_environment(), IsEmpty());
}

}  // namespace
}  // namespace shale::server
