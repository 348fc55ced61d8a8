// The number of a database, as an argument of COPY, MOVE and SWAPDB.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "cluster/position.h"
#include "protocol/number_text.h"
#include "src/command/context.h"
#include "src/config.h"
#include "src/server.h"

namespace shale::server {

inline constexpr std::string_view kDatabaseOutOfRange = "ERR DB index is out of range";

// A database that exists in any configuration, or nothing: for rows, which declare keys before anything is
// checked.
inline std::optional<unsigned> parse_database(std::string_view text) {
  const auto number = protocol::parse_integer(text);
  if (!number || *number < 0 || *number >= std::int64_t{cluster::kDatabaseCount}) return std::nullopt;
  return static_cast<unsigned>(*number);
}

// A number that fits in 32 bits, as Redis reads that of a database.
inline std::optional<int> parse_int(std::string_view text) {
  const auto number = protocol::parse_integer(text);
  if (!number || *number < std::numeric_limits<int>::min() || *number > std::numeric_limits<int>::max()) {
    return std::nullopt;
  }
  return static_cast<int>(*number);
}

// What is wrong with `text` as the number of a database, or nothing.
inline std::optional<std::string_view> database_refusal(CommandContext& context, std::string_view text) {
  const auto number = protocol::parse_integer(text);
  if (!number) return "ERR value is not an integer or out of range";
  if (!parse_int(text)) {
    return "ERR value is out of range, value must between -2147483648 and 2147483647";
  }
  if (*number < 0 || *number >= context.server.config().number(Option::databases)) return kDatabaseOutOfRange;
  return std::nullopt;
}

}  // namespace shale::server
