#include "protocol/number_text.h"

#include <gtest/gtest.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <string_view>

namespace shale::protocol {
namespace {

constexpr auto kMin = std::numeric_limits<std::int64_t>::min();
constexpr auto kMax = std::numeric_limits<std::int64_t>::max();

std::string text_of(double value) {
  DoubleText buffer;
  return std::string(format_double(value, buffer));
}

TEST(ParseInteger, TakesCanonicalDecimals) {
  EXPECT_EQ(parse_integer("0"), 0);
  EXPECT_EQ(parse_integer("7"), 7);
  EXPECT_EQ(parse_integer("-7"), -7);
  EXPECT_EQ(parse_integer("1234567890"), 1234567890);
  EXPECT_EQ(parse_integer("9223372036854775807"), kMax);
  EXPECT_EQ(parse_integer("-9223372036854775808"), kMin);
}

TEST(ParseInteger, RefusesEverythingElse) {
  for (const std::string_view text : {"",
                                      "-",
                                      "+3",
                                      "03",
                                      "-0",
                                      "-03",
                                      "00",
                                      "3 ",
                                      " 3",
                                      "3x",
                                      "x",
                                      "0x3",
                                      "3.0",
                                      "1e3",
                                      "--3",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "18446744073709551616",
                                      "99999999999999999999",
                                      "-99999999999999999999",
                                      "123456789012345678901"}) {
    EXPECT_EQ(parse_integer(text), std::nullopt) << text;
  }
  EXPECT_EQ(parse_integer(std::string_view("3\0", 2)), std::nullopt);
}

TEST(FormatDouble, NamesWhatIsNotANumber) {
  EXPECT_EQ(text_of(INFINITY), "inf");
  EXPECT_EQ(text_of(-INFINITY), "-inf");
  EXPECT_EQ(text_of(NAN), "nan");
  EXPECT_EQ(text_of(-NAN), "nan");
}

TEST(FormatDouble, WritesWholeNumbersInFull) {
  EXPECT_EQ(text_of(0.0), "0");
  EXPECT_EQ(text_of(-0.0), "-0");
  EXPECT_EQ(text_of(3), "3");
  EXPECT_EQ(text_of(-17), "-17");
  EXPECT_EQ(text_of(1e15), "1000000000000000");
  EXPECT_EQ(text_of(9007199254740993), "9007199254740992");
  EXPECT_EQ(text_of(0x1p62), "4611686018427387904");
}

// Thresholds of fpconv's emit_digits(), on either side.
TEST(FormatDouble, LaysDigitsOutAsFpconvDoes) {
  EXPECT_EQ(text_of(0x1p63), "9223372036854776000");  // beyond 2^62 the shortest digits count
  EXPECT_EQ(text_of(1e19), "1e+19");
  EXPECT_EQ(text_of(1e20), "1e+20");
  EXPECT_EQ(text_of(-1.5e300), "-1.5e+300");
  EXPECT_EQ(text_of(0.1), "0.1");
  EXPECT_EQ(text_of(1.5), "1.5");
  EXPECT_EQ(text_of(-2.25), "-2.25");
  EXPECT_EQ(text_of(3.141592653589793), "3.141592653589793");
  EXPECT_EQ(text_of(1234.5678901234), "1234.5678901234");
  EXPECT_EQ(text_of(12345.678901), "12345.678901");
  EXPECT_EQ(text_of(12345.6789012), "1.23456789012e+4");
  EXPECT_EQ(text_of(0.000001), "0.000001");
  EXPECT_EQ(text_of(0.0000001), "1e-7");
  EXPECT_EQ(text_of(0.00012345678), "1.2345678e-4");
  EXPECT_EQ(text_of(0.0012345678), "0.0012345678");
  EXPECT_EQ(text_of(5e-324), "5e-324");
  EXPECT_EQ(text_of(1.7976931348623157e308), "1.7976931348623157e+308");
  EXPECT_EQ(text_of(-2.2250738585072014e-308), "-2.2250738585072014e-308");
}

TEST(FormatDouble, EveryTextReadsBackAsTheSameDouble) {
  std::mt19937_64 random(20240607);
  for (int left = 200000; left != 0; --left) {
    const auto value = std::bit_cast<double>(random());
    if (std::isnan(value)) continue;
    const auto text = text_of(value);
    double read = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), read);
    ASSERT_TRUE(error == std::errc() && end == text.data() + text.size()) << text;
    ASSERT_EQ(read, value) << text;
  }
}

}  // namespace
}  // namespace shale::protocol
