#include "protocol/inline_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace shale::protocol {
namespace {

using Words = std::vector<std::string>;
using namespace std::string_view_literals;

std::optional<Words> split(std::string_view line) {
  InlineStorage storage;
  std::vector<std::string_view> words;
  if (!split_inline(line, storage, words)) {
    EXPECT_TRUE(words.empty());
    return std::nullopt;
  }
  return Words(words.begin(), words.end());
}

struct Example {
  std::string_view line;
  std::optional<Words> words;  // nothing: unbalanced
};

TEST(InlineRequest, SplitsAsSdssplitargsDoes) {
  const Example examples[] = {
      {"", Words{}},
      {" \t\v\f\r ", Words{}},
      {"PING", Words{"PING"}},
      {"  SET  k\tv  ", Words{"SET", "k", "v"}},
      {"a\rb", Words{"a", "b"}},
      {"a\vb\fc", Words{"a\vb\fc"}},
      {"a \vb \fc", Words{"a", "b", "c"}},
      {R"(a\nb \)", Words{R"(a\nb)", R"(\)"}},
      {R"("")", Words{""}},
      {R"('')", Words{""}},
      {R"("" '')", Words{"", ""}},
      {R"("a b")", Words{"a b"}},
      {R"('a b')", Words{"a b"}},
      {R"(a"b c")", Words{"ab c"}},
      {R"(a'b c' d)", Words{"ab c", "d"}},
      {R"("it's" 'say "x"')", Words{"it's", "say \"x\""}},
      {R"("\n\r\t\b\a")", Words{"\n\r\t\b\a"}},
      {R"("\\ \" \q")", Words{"\\ \" q"}},
      {R"("\x41\x00\xfF")", Words{std::string("A\0\xff", 3)}},
      {R"("\x4" "\xg1" "\x")", Words{"x4", "xg1", "x"}},
      {R"('\'' '\n' '\x41')", Words{"'", "\\n", "\\x41"}},
      {R"('a\')", std::nullopt},
      {"\"a\"\v\"b\"", Words{"a", "b"}},
      {R"("a)", std::nullopt},
      {R"('a)", std::nullopt},
      {R"(a")", std::nullopt},
      {R"("a"b)", std::nullopt},
      {R"('a'b)", std::nullopt},
      {R"("a"'b')", std::nullopt},
      {R"("a""b")", std::nullopt},
      {R"("\")", std::nullopt},
      {R"("\x4)", std::nullopt},
      {"\"\\", std::nullopt},
      {R"(ok "ok" "not)", std::nullopt},
      {"a\0b \"\0\""sv, Words{std::string("a\0b", 3), std::string(1, '\0')}},
  };
  for (const auto& example : examples) {
    EXPECT_EQ(split(example.line), example.words) << ::testing::PrintToString(example.line);
  }
}

TEST(InlineRequest, WithoutQuotesNothingIsCopied) {
  constexpr std::string_view kLine = "SET k \\x41";
  InlineStorage storage;
  std::vector<std::string_view> words;
  ASSERT_TRUE(split_inline(kLine, storage, words));
  EXPECT_TRUE(storage.empty());
  EXPECT_EQ(words.at(1).data(), kLine.data() + 4);
}

TEST(InlineRequest, AFailureLeavesEarlierWordsAlone) {
  InlineStorage storage;
  std::vector<std::string_view> words{"earlier"};
  EXPECT_FALSE(split_inline("a 'b", storage, words));
  EXPECT_THAT(words, ::testing::ElementsAre("earlier"));
  EXPECT_TRUE(storage.empty());
}

}  // namespace
}  // namespace shale::protocol
