#include "src/longest_common_subsequence.h"

#include <gtest/gtest.h>

namespace shale::server {
namespace {

TEST(LongestCommonSubsequence, FindsRangesFromTheEnd) {
  LongestCommonSubsequence search("ohmytext", "mynewtext", false);
  ASSERT_TRUE(search.advance(UINT64_MAX));
  EXPECT_EQ(search.length(), 6u);
  EXPECT_EQ(search.subsequence(), "mytext");
  const auto matches = search.matches();
  ASSERT_EQ(matches.size(), 2u);
  EXPECT_EQ(matches[0].a_first, 4u);
  EXPECT_EQ(matches[0].a_last, 7u);
  EXPECT_EQ(matches[0].b_first, 5u);
  EXPECT_EQ(matches[1].a_first, 2u);
  EXPECT_EQ(matches[1].b_last, 1u);
}

TEST(LongestCommonSubsequence, IsTheSameInManySteps) {
  LongestCommonSubsequence search("ohmytext", "mynewtext", true);
  int steps = 0;
  while (!search.advance(1)) ++steps;
  EXPECT_EQ(steps, 7);  // of eight rows one with each call, and the last ends it
  EXPECT_EQ(search.length(), 6u);
}

TEST(LongestCommonSubsequence, OfNothingIsNothing) {
  LongestCommonSubsequence search("", "abc", false);
  ASSERT_TRUE(search.advance(1));
  EXPECT_EQ(search.length(), 0u);
  EXPECT_EQ(search.subsequence(), "");
}

}  // namespace
}  // namespace shale::server
