// OBJECT: how a value is stored.
#include <cstdint>
#include <optional>

#include "protocol/number_text.h"
#include "src/command/arguments.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

// Redis keeps strings up to here in one allocation with their header.
constexpr std::size_t kEmbeddedStringBytesMax = 44;

// The name Redis would give to the encoding of a string.
std::string_view string_encoding(const Value& value) {
  if (value.large || value.edited || value.payload.size() > kEmbeddedStringBytesMax) return "raw";
  return protocol::parse_integer(value.payload) ? "int" : "embstr";
}

// OBJECT ENCODING key -> "int", "embstr" or "raw", or null if there is no such key
engine::Status object_encoding(CommandContext& context, Arguments arguments) {
  const auto found = context.keyspace.find(arguments.take());
  if (!found) return found.error();
  if (!*found) return reply_null(context);
  return reply_bulk(context, string_encoding(**found));
}

// OBJECT FREQ key -> an error: accesses are not counted by key; null if there is no such key
engine::Status object_freq(CommandContext& context, Arguments arguments) {
  const auto found = context.keyspace.find(arguments.take());
  if (!found) return found.error();
  if (!*found) return reply_null(context);
  return reply_error(
      context,
      "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note "
      "that when switching between policies at runtime LRU and LFU data will take some time to "
      "adjust.");
}

// OBJECT IDLETIME key -> an error: the time of last use is not kept; null if there is no such key
engine::Status object_idletime(CommandContext& context, Arguments arguments) {
  const auto found = context.keyspace.find(arguments.take());
  if (!found) return found.error();
  if (!*found) return reply_null(context);
  return reply_error(context, "ERR The time of last use is not kept, idle time not tracked.");
}

// OBJECT REFCOUNT key -> what Redis would say: 1, but of the numbers that it shares INT_MAX; null if there is
// no such key
engine::Status object_refcount(CommandContext& context, Arguments arguments) {
  constexpr std::int64_t kSharedNumbersEnd = 10'000;
  constexpr std::int64_t kShared = INT32_MAX;
  const auto found = context.keyspace.find(arguments.take());
  if (!found) return found.error();
  if (!*found) return reply_null(context);
  const auto number =
      string_encoding(**found) == "int" ? protocol::parse_integer((*found)->payload) : std::nullopt;
  return reply_integer(context, number && *number >= 0 && *number < kSharedNumbersEnd ? kShared : 1);
}

// OBJECT HELP -> lines for people
engine::Status object_help(CommandContext& context, Arguments) {
  return reply_help(context, "OBJECT",
                    {
                        "ENCODING <key>",
                        "    Name the encoding that Redis would use for the value of <key>.",
                        "FREQ <key>",
                        "    Accesses are not counted by key: an error, as in a Redis without LFU.",
                        "IDLETIME <key>",
                        "    The time of last use is not kept: an error.",
                        "REFCOUNT <key>",
                        "    How many references Redis would hold to the value.",
                    });
}

constexpr KeyPositions kSecondWord = one_key(2, KeyFlag::ro);
constexpr ArgumentSpec kKeyOnly[] = {{.name = "key", .type = key}};

constexpr CommandSpec kObjectSubcommands[] = {
    {.name = "encoding",
     .arity = exactly(3),
     .flags = readonly,
     .keys = kSecondWord,
     .categories = AclCategory::keyspace,
     .group = "generic",
     .since = "2.2.3",
     .complexity = "O(1)",
     .summary = "Names the encoding of a value.",
     .tips = "nondeterministic_output",
     .arguments = kKeyOnly,
     .handler = object_encoding},
    {.name = "freq",
     .arity = exactly(3),
     .flags = readonly,
     .keys = kSecondWord,
     .categories = AclCategory::keyspace,
     .group = "generic",
     .since = "4.0.0",
     .complexity = "O(1)",
     .summary = "Says how often a key is accessed, where that is counted.",
     .tips = "nondeterministic_output",
     .arguments = kKeyOnly,
     .handler = object_freq},
    {.name = "help",
     .arity = exactly(2),
     .flags = loading | stale,
     .categories = AclCategory::keyspace,
     .group = "generic",
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Explains the subcommands.",
     .handler = object_help},
    {.name = "idletime",
     .arity = exactly(3),
     .flags = readonly,
     .keys = kSecondWord,
     .categories = AclCategory::keyspace,
     .group = "generic",
     .since = "2.2.3",
     .complexity = "O(1)",
     .summary = "Says for how long a key has not been used, where that is kept.",
     .tips = "nondeterministic_output",
     .arguments = kKeyOnly,
     .handler = object_idletime},
    {.name = "refcount",
     .arity = exactly(3),
     .flags = readonly,
     .keys = kSecondWord,
     .categories = AclCategory::keyspace,
     .group = "generic",
     .since = "2.2.3",
     .complexity = "O(1)",
     .summary = "Counts the references to a value.",
     .tips = "nondeterministic_output",
     .arguments = kKeyOnly,
     .handler = object_refcount},
};
static_assert(sorted_and_unique(kObjectSubcommands));

constexpr CommandSpec kObjectCommands[] = {
    {.name = "object",
     .arity = at_least(2),
     .group = "generic",
     .since = "2.2.3",
     .complexity = "Depends on the subcommand",
     .summary = "How values are stored.",
     .subcommands = kObjectSubcommands},
};
static_assert(sorted_and_unique(kObjectCommands));

}  // namespace

std::span<const CommandSpec> object_commands() { return kObjectCommands; }

}  // namespace shale::server
