// The place of a bit, as an argument of SETBIT, GETBIT and BITFIELD.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "protocol/number_text.h"
#include "src/commands/string_values.h"

namespace shale::server {

inline constexpr std::string_view kNotABitOffset = "ERR bit offset is not an integer or out of range";

// `text` as a bit of a string that is as long as strings may be.
inline std::optional<std::uint64_t> parse_bit_offset(CommandContext& context, std::string_view text) {
  const auto offset = protocol::parse_integer(text);
  if (!offset || *offset < 0) return std::nullopt;
  if (static_cast<std::uint64_t>(*offset) / 8 >= string_bytes_max(context)) return std::nullopt;
  return static_cast<std::uint64_t>(*offset);
}

}  // namespace shale::server
