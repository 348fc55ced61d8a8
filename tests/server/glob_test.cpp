#include "src/glob.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace shale::server {
namespace {

using namespace std::string_view_literals;

struct GlobCase {
  std::string_view pattern;
  std::string_view text;
  bool matches;
};

// What redis-server 7.0 says of each (KEYS).
constexpr GlobCase kCases[] = {
    {"abc", "abc", true},
    {"abc", "abd", false},
    {"abc", "ab", false},
    {"ab", "abc", false},
    {"", "", true},
    {"", "a", false},
    {"*", "", true},
    {"*", "anything", true},
    {"**", "anything", true},
    {"a*", "a", true},
    {"a*", "abc", true},
    {"a*", "ba", false},
    {"*c", "abc", true},
    {"*c", "abcd", false},
    {"a*c", "abcbc", true},
    {"a*b*c", "a--b--c", true},
    {"a*b*c", "a--c--b", false},
    {"*ab*", "aab", true},
    {"?", "a", true},
    {"?", "", false},
    {"?", "ab", false},
    {"a?c", "abc", true},
    {"h[ae]llo", "hello", true},
    {"h[ae]llo", "hillo", false},
    {"h[^e]llo", "hallo", true},
    {"h[^e]llo", "hello", false},
    {"h[a-c]llo", "hbllo", true},
    {"h[a-c]llo", "hdllo", false},
    {"h[c-a]llo", "hbllo", true},  // ends in any order
    {"[a-]", "a", true},           // from ']' to 'a', and no bracket behind it
    {"[a-]", "-", false},
    {"[]", "]", false},   // nothing between the brackets
    {"[^]", "x", true},   // everything but nothing
    {"[abc", "b", true},  // the bracket is taken as read
    {"[abc", "d", false},
    {"[", "[", false},
    {"[\\]]", "]", true},
    {"[\\^a]", "^", true},
    {"[a\\-z]", "-", true},
    {"[a\\-z]", "m", false},
    {"\\*", "*", true},
    {"\\*", "a", false},
    {"\\?", "?", true},
    {"a\\", "a\\", true},  // nothing to escape: itself
    {"\\a", "a", true},
    {"user:{42}:*", "user:{42}:name", true},
    {"a\0b"sv, "a\0b"sv, true},
    {"a\0b"sv, "a\0c"sv, false},
    {"[\x80-\xff]", "\x90", true},
    {"ABC", "abc", false},
};

TEST(Glob, MatchesAsRedisDoes) {
  for (const auto& [pattern, text, matches] : kCases) {
    EXPECT_EQ(glob_matches(pattern, text), matches) << pattern << " on " << text;
  }
}

TEST(Glob, IgnoresCaseWhereAsked) {
  EXPECT_TRUE(glob_matches("MaxMem*", "maxmemory", true));
  EXPECT_TRUE(glob_matches("[A-C]x", "bX", true));
  EXPECT_TRUE(glob_matches("[abc]", "B", true));
  EXPECT_FALSE(glob_matches("MaxMem*", "minmemory", true));
}

TEST(Glob, ManyStarsTakeNoExponentialTime) {
  std::string pattern;
  for (int i = 0; i < 1000; ++i) pattern += "*a";
  pattern += "b";
  const std::string text(10'000, 'a');
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(glob_matches(pattern, text));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

}  // namespace
}  // namespace shale::server
