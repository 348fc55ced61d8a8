// OBJECT: how a value is stored, and how its key is used.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

#include "protocol/number_text.h"
#include "src/command/arguments.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/server.h"

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
  const auto found = context.keyspace.look(arguments.take());
  if (!found) return found.error();
  if (!*found) return reply_null(context);
  return reply_bulk(context, string_encoding(**found));
}

// OBJECT FREQ key -> 0 to 255, whatever maxmemory-policy says: what Redis's counter comes to, with its
// default lfu-log-factor of 10, in a minute of as many accesses per second as the key has had of late; null
// if there is no such key
engine::Status object_freq(CommandContext& context, Arguments arguments) {
  constexpr double kCounterOfNewKeys = 5;
  constexpr double kCounterMax = 255;
  constexpr double kMinute = 60;
  // n above that of new keys, it is raised by one in 10 n + 1 accesses: 5 n^2 of them have raised it by n.
  constexpr double kAccessesPerSquare = 5;
  const BytesView name = arguments.take();
  const auto found = context.keyspace.look(name);
  if (!found) return found.error();
  if (!*found) return reply_null(context);
  const double accesses = kMinute * context.keyspace.accesses_per_second(name);
  if (accesses < 1) return reply_integer(context, 0);
  const double counter = kCounterOfNewKeys + std::sqrt(accesses / kAccessesPerSquare);
  return reply_integer(context, static_cast<std::int64_t>(std::min(counter, kCounterMax)));
}

// OBJECT IDLETIME key -> whole seconds since the key was last used, or since the start if it was not; null if
// there is no such key
engine::Status object_idletime(CommandContext& context, Arguments arguments) {
  const BytesView name = arguments.take();
  const auto found = context.keyspace.look(name);
  if (!found) return found.error();
  if (!*found) return reply_null(context);
  const std::int64_t last_s = context.server.last_uses().last(context.keyspace.hash(name));
  if (last_s == 0) return reply_integer(context, context.server.uptime().count());
  return reply_integer(context, std::max<std::int64_t>(0, context.keyspace.now_ms() / 1000 - last_s));
}

// OBJECT REFCOUNT key -> what Redis would say: 1, but of the numbers that it shares INT_MAX; null if there is
// no such key
engine::Status object_refcount(CommandContext& context, Arguments arguments) {
  constexpr std::int64_t kSharedNumbersEnd = 10'000;
  constexpr std::int64_t kShared = INT32_MAX;
  const auto found = context.keyspace.look(arguments.take());
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
                        "    How often the key is accessed of late, on a logarithmic scale up to 255.",
                        "IDLETIME <key>",
                        "    For how many seconds the key has not been used.",
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
     .handler = object_encoding,
     .key_use = KeyUse::look},
    {.name = "freq",
     .arity = exactly(3),
     .flags = readonly,
     .keys = kSecondWord,
     .categories = AclCategory::keyspace,
     .group = "generic",
     .since = "4.0.0",
     .complexity = "O(1)",
     .summary = "Says how often a key is accessed, on a logarithmic scale.",
     .tips = "nondeterministic_output",
     .arguments = kKeyOnly,
     .handler = object_freq,
     .key_use = KeyUse::look},
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
     .summary = "Says for how long a key has not been used.",
     .tips = "nondeterministic_output",
     .arguments = kKeyOnly,
     .handler = object_idletime,
     .key_use = KeyUse::look},
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
     .handler = object_refcount,
     .key_use = KeyUse::look},
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
