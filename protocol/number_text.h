#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

// Numbers as Redis reads and prints them. Clients compare these texts, so "almost the same" is wrong.
namespace shale::protocol {

// Redis's string2ll: an optional minus and canonical decimal digits, nothing else. So "+3", "03", "-0", " 3"
// and "3 " are not integers, and neither is what does not fit in 64 bits.
std::optional<std::int64_t> parse_integer(std::string_view text);

using DoubleText = std::array<char, 32>;

// Redis 7.4's d2string: "inf", "-inf", "nan", "0", "-0"; whole numbers up to 2^62 in full; else the shortest
// digits that read back as `value`, laid out as Redis's fpconv does: 0.1, 1234.5, 12345.678901 but 1e+20,
// 1e-7 and 1.23456789012345e+4. The digits come from std::to_chars, which is always shortest; fpconv (Grisu2)
// is not for about one double in a thousand and then prints a digit more. The text lives in `buffer`.
std::string_view format_double(double value, DoubleText& buffer);

}  // namespace shale::protocol
