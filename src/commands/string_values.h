// What commands on strings have in common.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "src/command/context.h"
#include "src/config.h"
#include "src/server.h"
#include "src/value.h"

namespace shale::server {

inline constexpr std::string_view kStringTooLong =
    "ERR string exceeds maximum allowed size (proto-max-bulk-len)";

// True for a value that a string command must refuse; absence is not.
inline bool is_other_type(const std::optional<Value>& value) {
  return value && value->type != ValueType::string;
}

inline std::size_t string_bytes_max(CommandContext& context) {
  return static_cast<std::size_t>(context.server.config().number(Option::proto_max_bulk_len));
}

}  // namespace shale::server
