// Replies that many commands give, in a form that a handler can return at once.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "src/command/context.h"
#include "src/command/spec.h"

namespace shale::server {

class Arguments;

inline engine::Status reply_ok(CommandContext& context) {
  context.reply.ok();
  return {};
}

inline engine::Status reply_integer(CommandContext& context, std::int64_t value) {
  context.reply.integer(value);
  return {};
}

inline engine::Status reply_bulk(CommandContext& context, std::string_view bytes) {
  context.reply.bulk(bytes);
  return {};
}

// `length` bytes of a large value as a bulk string. Errors: not_resident and others, as from
// Keyspace::open_large.
engine::Status reply_large(CommandContext& context, const Value& value, std::uint64_t begin,
                           std::uint64_t length);

inline engine::Status reply_null(CommandContext& context) {
  context.reply.null();
  return {};
}

// `error` with its code: "ERR syntax error".
engine::Status reply_error(CommandContext& context, std::string_view error);
// "ERR wrong number of arguments for 'mset' command", where the arity alone does not say enough.
engine::Status reply_arity_error(CommandContext& context);
// What one reply may have of keys and values that are collected before it is sent: as with other replies,
// output-buffer-max and the connections' share of the memory bound it.
std::size_t reply_bytes_max(Server& server);
// "ERR unknown subcommand or wrong number of arguments for 'get'. Try SLOWLOG HELP.": how Redis refuses some
// subcommands that were given too much. `arguments`: the request's.
engine::Status reply_subcommand_error(CommandContext& context, const Arguments& arguments);
// The lines of a HELP subcommand, with what Redis says before and after them.
engine::Status reply_help(CommandContext& context, std::string_view command_in_capitals,
                          std::initializer_list<std::string_view> lines);

}  // namespace shale::server
