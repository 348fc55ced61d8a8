// The configuration, changed at some places: file, command line, and CONFIG SET's values. Whatever comes of
// it is a value or a refusal that says where.
//
// TEST_SEED repeats a run, FUZZ_ROUNDS makes it longer.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <random>

#include "engine/testing/effort.h"
#include "engine/testing/test_seed.h"
#include "src/option_sources.h"
#include "tests/server/text_fuzz_body.h"
#include "tests/source_folder.h"

namespace shale::server {
namespace {

class OptionsFuzz : public testing::Test {
 protected:
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(random_() % bound); }

  std::string odd_value() {
    static constexpr std::string_view kValues[] = {"",
                                                   "0",
                                                   "-1",
                                                   "1",
                                                   "9223372036854775807",
                                                   "9223372036854775808",
                                                   "1kb",
                                                   "99999999999gb",
                                                   "-1mb",
                                                   "50%",
                                                   "101%",
                                                   "-5%",
                                                   "yes",
                                                   "no",
                                                   "\"",
                                                   "'",
                                                   "\"\\x",
                                                   "\"\\xff\"",
                                                   "a b c",
                                                   "*",
                                                   "normal 0 0 0",
                                                   "pubsub 1gb 1 x",
                                                   "normal -1 0 0",
                                                   "50 99.9 101",
                                                   "nan",
                                                   "inf",
                                                   "1e400",
                                                   "AKE",
                                                   "g$xq",
                                                   "777",
                                                   "999",
                                                   "::1",
                                                   "-::1 *",
                                                   "range",
                                                   "everysec",
                                                   "debug",
                                                   "off",
                                                   "/",
                                                   "\r",
                                                   "tcp://1",
                                                   "on >a ~* +@all",
                                                   "on +nothing"};
    if (below(4) != 0) return std::string{kValues[below(std::size(kValues))]};
    std::string bytes(below(3) == 0 ? below(5000) : below(20), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random_());
    return bytes;
  }
  std::string option_name() {
    if (below(20) == 0) return below(2) == 0 ? "user" : odd_value();
    if (below(5) == 0) return std::string{foreign_options()[below(foreign_options().size())].name};
    return std::string{all_options()[below(kOptionCount)].name};
  }
  void change(std::string& text) {
    const std::size_t at = below(text.size() + 1);
    switch (below(5)) {
      case 0: text.insert(at, odd_value()); break;
      case 1: text.erase(at, below(30)); break;
      case 2: text.insert(at, fmt::format("\n{} {}\n", option_name(), odd_value())); break;
      case 3: text.insert(at, text.substr(below(text.size() + 1), below(200))); break;
      default:
        if (at < text.size()) text[at] = static_cast<char>(random_());
    }
  }

  // Each names an option, or a user, and says where it was given; the others belong to no single place.
  static void expect_to_be_told(const Problems& problems, std::string_view origin) {
    for (const std::string& problem : problems) {
      const bool is_of_several = problem.starts_with("option 'split-points' takes keys only") ||
                                 problem.starts_with("users are defined in the configuration");
      EXPECT_TRUE(is_of_several || problem.find(origin) != problem.npos) << problem;
      EXPECT_NE(problem.find('\''), problem.npos) << problem;
    }
  }
  // What was taken is taken again in the form in which it is printed.
  static void expect_to_be_read_again(const Config& config) {
    EXPECT_EQ(fuzz::lost_in_print(config), Problems{}) << print_config(config);
  }

  std::uint64_t rounds() const {
    return engine::asked_of_test("FUZZ_ROUNDS", static_cast<std::uint64_t>(engine::rounds_of_test(1000)));
  }

  std::mt19937_64 random_{engine::test_seed()};
};

TEST_F(OptionsFuzz, LinesThatAreRefusedAreNamed) {
  std::ifstream file{source_folder() + "/conf/shale.conf"};
  const std::string sound{std::istreambuf_iterator<char>{file}, {}};
  ASSERT_FALSE(sound.empty());
  for (std::uint64_t round = rounds(); round > 0 && !HasFailure(); --round) {
    std::string text = sound;
    for (std::size_t changes = 1 + below(10); changes > 0; --changes) change(text);
    Problems problems;
    Config config;
    std::string warning;
    apply_settings(parse_config_lines(text, "fuzz.conf", problems), config, warning, problems);
    expect_to_be_told(problems, "fuzz.conf:");
    if (problems.empty()) expect_to_be_read_again(config);
  }
}

TEST_F(OptionsFuzz, ArgumentsThatAreRefusedAreNamed) {
  for (std::uint64_t round = 5 * rounds(); round > 0 && !HasFailure(); --round) {
    std::vector<std::string> arguments;
    for (std::size_t left = below(6); left > 0; --left) {
      arguments.push_back(below(10) == 0 ? odd_value() : "--" + option_name());
      if (below(6) == 0) arguments.back() += "=" + odd_value();
      for (std::size_t values = below(3); values > 0; --values) arguments.push_back(odd_value());
    }
    Problems problems;
    Config config;
    std::string warning;
    apply_settings(read_command_line(arguments, problems).settings, config, warning, problems);
    expect_to_be_told(problems, "command line");
    if (problems.empty()) expect_to_be_read_again(config);
  }
}

TEST_F(OptionsFuzz, ConfigSetTakesAllOrNothing) {
  Config config;
  for (std::uint64_t round = 5 * rounds(); round > 0 && !HasFailure(); --round) {
    std::vector<std::string> words;
    for (std::size_t left = 1 + below(3); left > 0; --left) {
      words.push_back(option_name());
      words.push_back(odd_value());
    }
    const auto before = config.show();
    const auto error = config.change(std::vector<std::string_view>(words.begin(), words.end()));
    if (error) {
      EXPECT_TRUE(error->starts_with("ERR ")) << *error;
      EXPECT_EQ(config.show(), before) << *error;
    }
    expect_to_be_read_again(config);
  }
}

}  // namespace
}  // namespace shale::server
