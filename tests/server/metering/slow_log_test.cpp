#include "src/metering/slow_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

// GCC 12 takes the memory behind a short string's bytes for ours.
#pragma GCC diagnostic ignored "-Warray-bounds"
#pragma GCC diagnostic ignored "-Wstringop-overflow"

namespace shale::server {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

SlowCommand command(std::string word) {
  return {.words = {std::move(word)}, .client_address = {}, .client_name = {}};
}

TEST(SlowLog, KeepsTheNewestAndGivesIdsThatAResetDoesNotBegin) {
  SlowLog log;
  log.set_length_max(2);
  for (const char* word : {"a", "b", "c"}) log.add(command(word));
  auto newest = log.newest(10);
  ASSERT_THAT(newest, SizeIs(2));
  EXPECT_EQ(newest[0].id, 2);
  EXPECT_THAT(newest[0].words, ElementsAre("c"));
  EXPECT_EQ(newest[1].id, 1);
  log.reset();
  EXPECT_EQ(log.length(), 0u);
  log.add(command("d"));
  EXPECT_EQ(log.newest(1)[0].id, 3);
}

TEST(SlowLog, ForgetsTheOldestWhenItIsMadeShorter) {
  SlowLog log;
  for (int i = 0; i < 5; ++i) log.add(command("x"));
  log.set_length_max(1);
  EXPECT_EQ(log.newest(10)[0].id, 4);
  EXPECT_EQ(log.length(), 1u);
  log.set_length_max(0);
  log.add(command("y"));
  EXPECT_THAT(log.newest(10), IsEmpty());
}

TEST(SlowLog, IsBoundedByBytesToo) {
  SlowLog log;
  log.set_length_max(1'000'000);
  const std::string word(1u << 20, 'x');
  for (int i = 0; i < 20; ++i) log.add(command(word));
  EXPECT_LT(log.length() * word.size(), SlowLog::kBytesMax);
  EXPECT_GT(log.length(), 10u);
}

TEST(SlowLog, ShortensLongWordsAndManyWords) {
  const std::string word(130, 'A');
  std::vector<std::string_view> words{"sadd", word};
  for (int i = 0; i < 31; ++i) words.emplace_back("m");
  const auto shortened = SlowLog::shorten(words);
  ASSERT_THAT(shortened, SizeIs(32));
  EXPECT_EQ(shortened[1], std::string(128, 'A') + "... (2 more bytes)");
  EXPECT_EQ(shortened[31], "... (2 more arguments)");
  words.pop_back();
  EXPECT_EQ(SlowLog::shorten(words)[31], "m");
}

}  // namespace
}  // namespace shale::server
