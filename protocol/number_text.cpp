#include "protocol/number_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace shale::protocol {
namespace {

// A minus and the 19 digits of 2^63: longer text cannot be a canonical 64-bit integer.
constexpr std::size_t kIntegerBytesMax = 20;

std::optional<std::uint64_t> parse_canonical_digits(std::string_view digits) {
  if (digits.empty() || digits.front() < '1' || digits.front() > '9') return std::nullopt;
  std::uint64_t value = 0;  // at most 19 digits pass before the bound below: no overflow of 64 bits
  for (const char digit : digits) {
    if (digit < '0' || digit > '9') return std::nullopt;
    if (value > std::numeric_limits<std::uint64_t>::max() / 10 - 1) return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(digit - '0');
  }
  return value;
}

// digits[0].digits[1..] * 10^exponent
struct Decimal {
  std::array<char, 17> digits;
  int digit_count = 0;
  int exponent = 0;
};

Decimal shortest_decimal(double magnitude) {
  DoubleText text;
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), magnitude,  //
                                          std::chars_format::scientific);
  Decimal decimal;
  const char* at = text.data();
  for (; *at != 'e'; ++at) {
    if (*at != '.') decimal.digits[static_cast<std::size_t>(decimal.digit_count++)] = *at;
  }
  ++at;
  const bool negative = *at++ == '-';  // the sign is always printed
  std::from_chars(at, end, decimal.exponent);
  if (negative) decimal.exponent = -decimal.exponent;
  return decimal;
}

char* write_scientific(const Decimal& decimal, char* to) {
  *to++ = decimal.digits[0];
  if (decimal.digit_count > 1) {
    *to++ = '.';
    to = std::copy_n(decimal.digits.data() + 1, decimal.digit_count - 1, to);
  }
  *to++ = 'e';
  *to++ = decimal.exponent < 0 ? '-' : '+';
  return std::to_chars(to, to + 3, std::abs(decimal.exponent)).ptr;  // not padded to two digits
}

// `fraction_digits` of the digits stand behind the point.
char* write_fixed(const Decimal& decimal, int fraction_digits, char* to) {
  const char* digits = decimal.digits.data();
  const int whole_digits = decimal.digit_count - fraction_digits;
  if (whole_digits > 0) {
    to = std::copy_n(digits, whole_digits, to);
    *to++ = '.';
    return std::copy_n(digits + whole_digits, fraction_digits, to);
  }
  *to++ = '0';
  *to++ = '.';
  to = std::fill_n(to, -whole_digits, '0');
  return std::copy_n(digits, decimal.digit_count, to);
}

// fpconv's choice of layout, with its thresholds.
char* write_decimal(const Decimal& decimal, char* to) {
  const int trailing_zeros = decimal.exponent - (decimal.digit_count - 1);  // fpconv's K
  const int magnitude = std::abs(decimal.exponent);
  if (trailing_zeros >= 0 && magnitude < decimal.digit_count + 7) {
    to = std::copy_n(decimal.digits.data(), decimal.digit_count, to);
    return std::fill_n(to, trailing_zeros, '0');
  }
  if (trailing_zeros < 0 && (trailing_zeros > -7 || magnitude < 4)) {
    return write_fixed(decimal, -trailing_zeros, to);
  }
  return write_scientific(decimal, to);
}

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text) {
  if (text == "0") return 0;
  if (text.empty() || text.size() > kIntegerBytesMax) return std::nullopt;
  const bool negative = text.front() == '-';
  const auto magnitude = parse_canonical_digits(text.substr(negative ? 1 : 0));
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (!magnitude || *magnitude > kMax + (negative ? 1 : 0)) return std::nullopt;
  return static_cast<std::int64_t>(negative ? 0 - *magnitude : *magnitude);
}

std::string_view format_double(double value, DoubleText& buffer) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  if (value == 0) return std::signbit(value) ? "-0" : "0";

  char* const begin = buffer.data();
  char* end = begin;
  constexpr double kWholeMax = 0x1p62;
  if (std::abs(value) <= kWholeMax && value == std::trunc(value)) {
    end = std::to_chars(begin, begin + buffer.size(), static_cast<std::int64_t>(value)).ptr;
  } else {
    if (value < 0) *end++ = '-';
    end = write_decimal(shortest_decimal(std::abs(value)), end);
  }
  return {begin, static_cast<std::size_t>(end - begin)};
}

}  // namespace shale::protocol
