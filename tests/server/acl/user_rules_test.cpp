#include "src/acl/user_rules.h"

#include <gtest/gtest.h>

#include "src/acl/password.h"
#include "src/acl/text.h"

namespace shale::server::acl {
namespace {

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (!line.empty()) {
    const std::size_t end = std::min(line.find(' '), line.size());
    if (end != 0) words.push_back(line.substr(0, end));
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return words;
}

// The rules of a line; the first problem, if there is one, is expected to be `expected`.
UserRules rules_of(std::string_view line, RuleProblem expected = RuleProblem::none) {
  UserRules rules{false};
  std::string_view unmatched;
  const auto merged = merge_selectors(words_of(line), unmatched);
  EXPECT_TRUE(merged) << unmatched;
  RuleProblem met = RuleProblem::none;
  for (const std::string& rule : merged.value_or(std::vector<std::string>{})) {
    const RuleProblem problem = rules.apply(rule);
    if (met == RuleProblem::none) met = problem;
  }
  EXPECT_EQ(met, expected) << line << ": " << message_of(met);
  return rules;
}

Verdict verdict(const UserRules& rules, std::string_view request) {
  const auto words = words_of(request);
  return rules.check(resolve_command(words), words);
}
bool allows(const UserRules& rules, std::string_view request) { return verdict(rules, request).allowed(); }

struct NormalForm {
  std::string_view rules;
  std::string_view described;
};

TEST(UserRules, AreShownInRedisNormalForm) {
  constexpr NormalForm kForms[] = {
      {"", "off sanitize-payload resetchannels -@all"},
      {"on nopass ~* &* +@all", "on nopass sanitize-payload ~* &* +@all"},
      {"allkeys allchannels allcommands", "off sanitize-payload ~* &* +@all"},
      {"ON SKIP-SANITIZE-PAYLOAD", "on skip-sanitize-payload resetchannels -@all"},
      {"~a* ~b* ~a*", "off sanitize-payload ~a* ~b* resetchannels -@all"},
      {"%R~a* %W~a*", "off sanitize-payload ~a* resetchannels -@all"},
      {"%rw~a* %W~b %R~c", "off sanitize-payload ~a* %W~b %R~c resetchannels -@all"},
      {"~a* resetkeys ~b", "off sanitize-payload ~b resetchannels -@all"},
      {"&news.* &news.* &x", "off sanitize-payload resetchannels &news.* &x -@all"},
      {"+get +SET +get", "off sanitize-payload resetchannels -@all +set +get"},
      {"+get -get", "off sanitize-payload resetchannels -@all -get"},
      {"+@all -@Dangerous +info", "off sanitize-payload resetchannels +@all -@dangerous +info"},
      {"+@read -@all", "off sanitize-payload resetchannels -@all"},
      {"+config|get +config", "off sanitize-payload resetchannels -@all +config"},
      {"+config -config|set", "off sanitize-payload resetchannels -@all +config -config|set"},
      {"+select|0 +SELECT|1", "off sanitize-payload resetchannels -@all +select|0 +select|1"},
      {"+select|0 +select", "off sanitize-payload resetchannels -@all +select"},
      {"+select -select +select|0", "off sanitize-payload resetchannels -@all -select +select|0"},
      {"+get (+set ~b &c) ()",
       "off sanitize-payload resetchannels -@all +get (~b resetchannels &c -@all +set) (resetchannels "
       "-@all)"},
      {"(+set) clearselectors", "off sanitize-payload resetchannels -@all"},
      {"on >x ~a +get (+set) reset", "off sanitize-payload resetchannels -@all"},
  };
  for (const auto& [rules, described] : kForms) {
    EXPECT_EQ(rules_of(rules).describe(), described) << rules;
    EXPECT_EQ(rules_of(described).describe(), described) << rules;
  }
}

TEST(UserRules, MistakesAreToldApartAndChangeNothing) {
  using enum RuleProblem;
  constexpr std::pair<std::string_view, RuleProblem> kMistakes[] = {
      {"frobnicate", syntax},
      {"+frobnicate", unknown_command},
      {"-frobnicate", unknown_command},
      {"+@frobnicate", unknown_command},
      {"+config|frobnicate", unknown_command},
      {"-select|0", unknown_command},
      {"+select|", syntax},
      {"+select|0|1", unknown_command},
      {"+config|get|maxmemory", first_argument_of_subcommand},
      {"%~a", syntax},
      {"%RR~a", syntax},
      {"%X~a", syntax},
      {"~a\tb", syntax},
      {"&a\tb", syntax},
      {"<x", no_such_password},
      {"#123", bad_hash},
      {"!123", bad_hash},
      {"(+get frobnicate)", syntax},
      {")", syntax},
  };
  for (const auto& [rule, problem] : kMistakes) {
    EXPECT_EQ(rules_of(rule, problem).describe(), UserRules{false}.describe()) << rule;
  }
  // What could not be read again in a selector.
  for (const std::string_view rule : {"(~a))", "(+get|x))", "(~\"\\\"a\")", "(~\"it's\")"}) {
    UserRules rules{false};
    EXPECT_EQ(rules.apply(rule), syntax) << rule;
    EXPECT_EQ(rules.describe(), UserRules{false}.describe()) << rule;
  }
  EXPECT_EQ(UserRules{false}.apply("+select|0 ~*"), unknown_command);
  rules_of("~* ~a", keys_after_all);
  rules_of("&* &a", channels_after_all);
  EXPECT_EQ(rules_of("+get (+set frobnicate)", syntax).selectors().size(), 1);
}

TEST(UserRules, CommandsAreAllowedByNameSubcommandCategoryAndFirstArgument) {
  const UserRules rules = rules_of("~* +get +config|get +@connection -echo +select|0");
  EXPECT_TRUE(allows(rules, "GET a"));
  EXPECT_TRUE(allows(rules, "config get x"));
  EXPECT_FALSE(allows(rules, "config set x y"));
  EXPECT_TRUE(allows(rules, "ping"));
  EXPECT_FALSE(allows(rules, "echo x"));
  EXPECT_FALSE(allows(rules, "set a 1"));
  EXPECT_EQ(verdict(rules, "set a 1").denial, Denial::command);

  const UserRules first = rules_of("+select|0 +select|FIVE");
  EXPECT_TRUE(allows(first, "select 0"));
  EXPECT_TRUE(allows(first, "select five"));
  EXPECT_FALSE(allows(first, "select 1"));
  EXPECT_FALSE(allows(rules_of("+select|0 -select"), "select 0"));

  const UserRules without = rules_of("~* +@all -config|set");
  EXPECT_TRUE(allows(without, "config get x"));
  EXPECT_FALSE(allows(without, "config set x y"));
  EXPECT_FALSE(allows(rules_of("+@all -config"), "config get x"));
  EXPECT_FALSE(allows(rules_of("+config|get -@admin"), "config get x"));
}

TEST(UserRules, WhoMayRunNothingMayStillLogIn) {
  const UserRules rules = rules_of("-@all");
  EXPECT_TRUE(allows(rules, "auth x"));
  EXPECT_TRUE(allows(rules, "hello 3"));
  EXPECT_FALSE(allows(rules, "ping"));
}

TEST(UserRules, KeysAreReadAndWrittenWhereAPatternAllowsIt) {
  const UserRules rules = rules_of("+@all %R~r:* %W~w:* ~b:*");
  EXPECT_TRUE(allows(rules, "get r:1"));
  EXPECT_FALSE(allows(rules, "get w:1"));
  EXPECT_TRUE(allows(rules, "get b:1"));
  EXPECT_TRUE(allows(rules, "set w:1 x"));
  EXPECT_FALSE(allows(rules, "set r:1 x"));
  EXPECT_FALSE(allows(rules, "set w:1 x get"));
  EXPECT_TRUE(allows(rules, "set b:1 x get"));
  EXPECT_FALSE(allows(rules, "incr w:1"));
  EXPECT_TRUE(allows(rules, "exists r:1 w:1 b:1"));
  const Verdict second = verdict(rules, "mget r:1 x r:2");
  EXPECT_EQ(second.denial, Denial::key);
  EXPECT_EQ(second.word, 2);
  EXPECT_TRUE(allows(rules, "ping"));
}

TEST(UserRules, OneSelectorHasToAllowAllOfIt) {
  const UserRules rules = rules_of("+get ~a* (+set ~b* %R~c*)");
  EXPECT_TRUE(allows(rules, "get a1"));
  EXPECT_FALSE(allows(rules, "get b1"));
  EXPECT_TRUE(allows(rules, "set b1 x"));
  EXPECT_FALSE(allows(rules, "set a1 x"));
  EXPECT_FALSE(allows(rules, "set c1 x"));
  EXPECT_EQ(verdict(rules, "set c1 x").denial, Denial::key);
  EXPECT_EQ(verdict(rules, "incr a").denial, Denial::command);
}

TEST(UserRules, ChannelsMatchByPatternAndPatternsLetterByLetter) {
  const UserRules rules = rules_of("&news.* (&*)");
  EXPECT_TRUE(rules.allows_channel("weather", ChannelUse::name));
  const UserRules one = rules_of("&news.*");
  EXPECT_TRUE(one.allows_channel("news.local", ChannelUse::name));
  EXPECT_FALSE(one.allows_channel("weather", ChannelUse::name));
  EXPECT_TRUE(one.allows_channel("news.*", ChannelUse::pattern));
  EXPECT_FALSE(one.allows_channel("news.l*", ChannelUse::pattern));
}

TEST(UserRules, PasswordsAreKeptAsHashes) {
  const std::string hash = hash_password("secret");
  EXPECT_EQ(hash, "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b");
  UserRules rules = rules_of("on >secret >other");
  EXPECT_EQ(rules.describe(),
            "on sanitize-payload #" + hash + " #" + hash_password("other") + " resetchannels -@all");
  EXPECT_TRUE(rules.accepts(hash));
  EXPECT_FALSE(rules.accepts(hash_password("wrong")));
  EXPECT_EQ(rules.apply("<secret"), RuleProblem::none);
  EXPECT_FALSE(rules.accepts(hash));
  EXPECT_EQ(rules.apply("#" + hash), RuleProblem::none);
  EXPECT_TRUE(rules.accepts(hash));
  EXPECT_EQ(rules.apply("!" + hash), RuleProblem::none);
  EXPECT_FALSE(rules.accepts(hash));
  EXPECT_EQ(rules.apply("off"), RuleProblem::none);
  EXPECT_FALSE(rules.accepts(hash_password("other")));
  EXPECT_TRUE(rules_of("on nopass").accepts(hash_password("anything")));
  EXPECT_FALSE(rules_of("on nopass >x").accepts(hash_password("anything")));
  EXPECT_FALSE(rules_of("on nopass resetpass").accepts(hash_password("anything")));
}

TEST(UserRules, OnlyWhoMayDoEverythingIsNotChecked) {
  EXPECT_TRUE(UserRules::of_default_user(false).unrestricted());
  EXPECT_TRUE(rules_of("+@all ~* &*").unrestricted());
  EXPECT_FALSE(rules_of("+@all ~* &* -get").unrestricted());
  EXPECT_FALSE(rules_of("+@all ~* &* -get +get").unrestricted());
  EXPECT_FALSE(rules_of("+@all ~a &*").unrestricted());
  EXPECT_FALSE(rules_of("+@all ~*").unrestricted());
}

}  // namespace
}  // namespace shale::server::acl
