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

// Whether a string of so many bytes, made of `old` and `added`, is to be put together in a file rather than
// in memory.
bool is_composed_in_file(CommandContext& context, const Value& old, const ValueArgument& added,
                         std::uint64_t bytes);

// `length` bytes of a string from `begin` on, with zeros for those behind its end. Errors: not_resident,
// corruption, io.
engine::Result<Bytes> read_bytes(Keyspace& keyspace, const Value& value, std::uint64_t begin,
                                 std::uint64_t length);

// Stores `old`, a value of `key`, with `bytes` in place of what it has from `offset` on; a gap before them
// becomes zeros. The expiry stays. Errors: not_resident, corruption, io, no_space.
engine::Status store_overwritten(CommandContext& context, BytesView key, const Value& old,
                                 std::uint64_t offset, const ValueArgument& bytes);

}  // namespace shale::server
