// One row of data per command: everything the server needs to know to route, check, document and run it.
// COMMAND, COMMAND DOCS, GETKEYS and the dispatcher all answer from these rows (src/command/table.h).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "engine/result.h"

namespace shale::server {

class Arguments;
struct CommandContext;

// Runs the command: writes exactly one reply into the context. Returns success also when that reply is an
// error the client made; an engine Error is returned as it is: not_resident and busy run the command again
// later (the reply written so far is taken back), any other is sent to the client by the dispatcher.
using Handler = engine::Status (*)(CommandContext& context, Arguments arguments);

// Redis's command flags; the names COMMAND INFO prints are in table.cpp.
enum class CommandFlag : std::uint32_t {
  write = 1u << 0,
  readonly = 1u << 1,
  denyoom = 1u << 2,
  admin = 1u << 3,
  pubsub = 1u << 4,
  noscript = 1u << 5,
  loading = 1u << 6,
  stale = 1u << 7,
  fast = 1u << 8,
  no_auth = 1u << 9,  // allowed before AUTH
  no_multi = 1u << 10,
  blocking = 1u << 11,
  movablekeys = 1u << 12,
  allow_busy = 1u << 13,
  no_async_loading = 1u << 14,
};
class CommandFlags {
 public:
  constexpr CommandFlags() = default;
  constexpr CommandFlags(CommandFlag flag)
      : bits_(static_cast<std::uint32_t>(flag)) {}  // NOLINT: meant to convert
  constexpr bool has(CommandFlag flag) const { return bits_ & static_cast<std::uint32_t>(flag); }
  friend constexpr CommandFlags operator|(CommandFlags a, CommandFlags b) {
    CommandFlags both;
    both.bits_ = a.bits_ | b.bits_;
    return both;
  }

 private:
  std::uint32_t bits_ = 0;
};
constexpr CommandFlags operator|(CommandFlag a, CommandFlag b) { return CommandFlags{a} | CommandFlags{b}; }

// Number of arguments, the command's name included: Redis's arity is `least` if exact, else -least.
struct Arity {
  std::uint32_t least = 1;
  bool exact = true;
  constexpr bool accepts(std::size_t count) const { return exact ? count == least : count >= least; }
  constexpr int redis_arity() const { return exact ? static_cast<int>(least) : -static_cast<int>(least); }
};
constexpr Arity exactly(std::uint32_t count) { return {count, true}; }
constexpr Arity at_least(std::uint32_t count) { return {count, false}; }

// Which arguments are keys: from `first` to `last` by `step`; last counts from the end if negative (-1 the
// last argument). first 0: none.
struct KeyPositions {
  int first = 0;
  int last = 0;
  int step = 0;
};
constexpr KeyPositions kNoKeys{};
constexpr KeyPositions one_key(int at) { return {at, at, 1}; }
constexpr KeyPositions keys_from(int first, int step = 1) { return {first, -1, step}; }

// The argument tree of COMMAND DOCS, as redis-cli's hints need it.
enum class ArgumentType : std::uint8_t {
  string,
  integer,
  double_number,
  key,
  pattern,
  unix_time,
  pure_token,
  oneof,
  block
};
struct ArgumentSpec {
  std::string_view name;
  ArgumentType type = ArgumentType::string;
  std::string_view token = {};  // the literal word before it (or that it is)
  bool optional = false;
  bool multiple = false;
  std::span<const ArgumentSpec> children = {};  // of oneof and block
};

struct CommandSpec {
  std::string_view name;  // lower case; a subcommand's alone ("info" of COMMAND INFO)
  Arity arity;
  CommandFlags flags;
  KeyPositions keys;
  std::string_view group;  // as COMMAND DOCS: "string", "generic", "connection", "server", ...
  std::string_view since;
  std::string_view complexity;
  std::string_view summary;
  std::span<const ArgumentSpec> arguments;
  Handler handler = nullptr;
  std::span<const CommandSpec> subcommands = {};
};

}  // namespace shale::server
