#include "src/command/arguments.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace shale::server {
namespace {

using Words = std::vector<std::string_view>;

TEST(Arguments, AreTakenInTurn) {
  const Words words{"SET", "key", "-42", "ex", "10"};
  Arguments arguments(words, 1);
  EXPECT_EQ(arguments.remaining(), 4u);
  EXPECT_EQ(arguments.take(), "key");
  EXPECT_EQ(arguments.take_integer(), -42);
  EXPECT_FALSE(arguments.take_word("PX"));
  EXPECT_TRUE(arguments.take_word("EX", 1));
  EXPECT_FALSE(arguments.take_word("EX"));
  EXPECT_EQ(arguments.take_integer(), 10);
  EXPECT_TRUE(arguments.empty());
  EXPECT_FALSE(arguments.failed());
}

TEST(Arguments, AWordThatNeedsMoreBehindItIsNotTakenAlone) {
  const Words words{"SET", "key", "value", "EX"};
  Arguments arguments(words, 3);
  EXPECT_FALSE(arguments.take_word("EX", 1));
  EXPECT_EQ(arguments.remaining(), 1u);
}

TEST(Arguments, TheFirstFailureStays) {
  const Words words{"INCRBY", "key", "ten"};
  Arguments arguments(words, 2);
  arguments.take_integer();
  EXPECT_EQ(arguments.error(), kNotAnInteger);
  arguments.take();
  EXPECT_EQ(arguments.error(), kNotAnInteger);
}

TEST(Arguments, NothingLeftIsASyntaxError) {
  const Words words{"GET"};
  Arguments arguments(words, 1);
  EXPECT_EQ(arguments.take(), "");
  EXPECT_EQ(arguments.error(), kSyntaxError);
}

TEST(Arguments, IntegersAreCanonical) {
  for (const std::string_view text : {"", " 1", "1 ", "+1", "01", "-0", "1.0", "0x1", "9223372036854775808",
                                      "-9223372036854775809", "--1", "-"}) {
    const Words words{text};
    Arguments arguments(words, 0);
    arguments.take_integer("ERR mine");
    EXPECT_EQ(arguments.error(), "ERR mine") << text;
  }
  const Words words{"0", "-9223372036854775808", "9223372036854775807"};
  Arguments arguments(words, 0);
  EXPECT_EQ(arguments.take_integer(), 0);
  EXPECT_EQ(arguments.take_integer(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(arguments.take_integer(), std::numeric_limits<std::int64_t>::max());
  EXPECT_FALSE(arguments.failed());
}

TEST(Arguments, WordsAreComparedWithoutCase) {
  EXPECT_TRUE(equals_ignoring_case("KeepTTL", "KEEPTTL"));
  EXPECT_FALSE(equals_ignoring_case("KEEPTT", "KEEPTTL"));
  EXPECT_FALSE(equals_ignoring_case("KEEPTT[", "KEEPTT{"));  // bit 5 is case in letters only
  EXPECT_EQ(lower_case("Config|GET_1"), "config|get_1");
}

}  // namespace
}  // namespace shale::server
