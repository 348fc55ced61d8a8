// When keys expire: the EXPIRE and TTL families.
#include <fmt/format.h>

#include "src/command/arguments.h"
#include "src/commands/expiry_times.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

struct ExpireConditions {
  bool no_expiry = false;   // NX
  bool has_expiry = false;  // XX
  bool greater = false;     // GT
  bool less = false;        // LT

  // No expiry counts as infinitely late.
  bool allow(std::int64_t old_ms, std::int64_t new_ms) const {
    const bool expires = old_ms != kNoExpiry;
    if (no_expiry && expires) return false;
    if (has_expiry && !expires) return false;
    if (greater && (!expires || new_ms <= old_ms)) return false;
    return !(less && expires && new_ms >= old_ms);
  }
};

// False, with the error in the reply, if there is one.
bool take_conditions(CommandContext& context, Arguments& arguments, ExpireConditions& conditions) {
  while (!arguments.empty()) {
    if (arguments.take_word("NX")) {
      conditions.no_expiry = true;
    } else if (arguments.take_word("XX")) {
      conditions.has_expiry = true;
    } else if (arguments.take_word("GT")) {
      conditions.greater = true;
    } else if (arguments.take_word("LT")) {
      conditions.less = true;
    } else {
      context.reply.error("ERR", fmt::format("Unsupported option {}", arguments.take()));
      return false;
    }
  }
  if (conditions.no_expiry && (conditions.has_expiry || conditions.greater || conditions.less)) {
    context.reply.error("ERR", "NX and XX, GT or LT options at the same time are not compatible");
    return false;
  }
  if (conditions.greater && conditions.less) {
    context.reply.error("ERR", "GT and LT options at the same time are not compatible");
    return false;
  }
  return true;
}

engine::Status set_expiry(CommandContext& context, Arguments& arguments, ExpiryUnit unit) {
  const BytesView name = arguments.take();
  const BytesView amount_text = arguments.take();
  ExpireConditions conditions;
  if (!take_conditions(context, arguments, conditions)) return {};
  Arguments amount_argument({&amount_text, 1}, 0);
  const std::int64_t amount = amount_argument.take_integer();
  if (amount_argument.failed()) return reply_error(context, amount_argument.error());
  const auto expires_at_ms = expiry_at(amount, unit, context.keyspace.now_ms());
  if (!expires_at_ms) {
    return reply_error(context, fmt::format("ERR invalid expire time in '{}' command", context.command.name));
  }

  const auto found = context.keyspace.find(name);
  if (!found) return found.error();
  if (!*found || !conditions.allow((*found)->expires_at_ms, *expires_at_ms)) return reply_integer(context, 0);
  if (*expires_at_ms <= context.keyspace.now_ms()) {
    context.keyspace.erase(name);
    context.notify(KeyEventClass::generic, "del", name);
  } else {
    context.keyspace.store_again(name, **found, *expires_at_ms);
    context.notify(KeyEventClass::generic, "expire", name);
  }
  return reply_integer(context, 1);
}

// EXPIRE key seconds [NX | XX | GT | LT] -> 1 if the expiry was set (or the key deleted, if it is in the
// past), 0 if there is no such key or the condition forbade it
engine::Status expire(CommandContext& context, Arguments arguments) {
  return set_expiry(context, arguments, kSecondsFromNow);
}

// PEXPIRE key milliseconds [NX | XX | GT | LT] -> as EXPIRE
engine::Status pexpire(CommandContext& context, Arguments arguments) {
  return set_expiry(context, arguments, kMillisecondsFromNow);
}

// EXPIREAT key unix-time-seconds [NX | XX | GT | LT] -> as EXPIRE
engine::Status expireat(CommandContext& context, Arguments arguments) {
  return set_expiry(context, arguments, kUnixSeconds);
}

// PEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT] -> as EXPIRE
engine::Status pexpireat(CommandContext& context, Arguments arguments) {
  return set_expiry(context, arguments, kUnixMilliseconds);
}

// -2 if there is no such key, -1 if it does not expire, else present(expiry in Unix milliseconds).
template <class Present>
engine::Status reply_expiry(CommandContext& context, Arguments& arguments, Present present) {
  const auto found = context.keyspace.read(arguments.take());
  if (!found) return found.error();
  if (!*found) return reply_integer(context, -2);
  if ((*found)->expires_at_ms == kNoExpiry) return reply_integer(context, -1);
  return reply_integer(context, present((*found)->expires_at_ms));
}

std::int64_t rounded_seconds(std::int64_t milliseconds) {
  return milliseconds / 1000 + (milliseconds % 1000 >= 500);
}

// TTL key -> seconds left, -1 if it does not expire, -2 if there is no such key
engine::Status ttl(CommandContext& context, Arguments arguments) {
  return reply_expiry(context, arguments,
                      [&](std::int64_t at_ms) { return rounded_seconds(at_ms - context.keyspace.now_ms()); });
}

// PTTL key -> milliseconds left, -1 or -2 as TTL
engine::Status pttl(CommandContext& context, Arguments arguments) {
  return reply_expiry(context, arguments,
                      [&](std::int64_t at_ms) { return at_ms - context.keyspace.now_ms(); });
}

// EXPIRETIME key -> Unix time in seconds, -1 or -2 as TTL
engine::Status expiretime(CommandContext& context, Arguments arguments) {
  return reply_expiry(context, arguments, rounded_seconds);
}

// PEXPIRETIME key -> Unix time in milliseconds, -1 or -2 as TTL
engine::Status pexpiretime(CommandContext& context, Arguments arguments) {
  return reply_expiry(context, arguments, [](std::int64_t at_ms) { return at_ms; });
}

// PERSIST key -> 1 if its expiry was removed, 0 if there was none or no such key
engine::Status persist(CommandContext& context, Arguments arguments) {
  const BytesView name = arguments.take();
  const auto found = context.keyspace.find(name);
  if (!found) return found.error();
  if (!*found || (*found)->expires_at_ms == kNoExpiry) return reply_integer(context, 0);
  context.keyspace.store_again(name, **found, kNoExpiry);
  context.notify(KeyEventClass::generic, "persist", name);
  return reply_integer(context, 1);
}

constexpr ArgumentSpec kCondition[] = {
    {.name = "nx", .type = pure_token, .token = "NX"},
    {.name = "xx", .type = pure_token, .token = "XX"},
    {.name = "gt", .type = pure_token, .token = "GT"},
    {.name = "lt", .type = pure_token, .token = "LT"},
};
constexpr ArgumentSpec kConditionArgument = {
    .name = "condition", .type = oneof, .optional = true, .children = kCondition};
constexpr ArgumentSpec kKeyArgument = {.name = "key", .type = key};

constexpr ArgumentSpec kKeyOnly[] = {kKeyArgument};
constexpr ArgumentSpec kSeconds[] = {kKeyArgument, {.name = "seconds", .type = integer}, kConditionArgument};
constexpr ArgumentSpec kMilliseconds[] = {
    kKeyArgument, {.name = "milliseconds", .type = integer}, kConditionArgument};
constexpr ArgumentSpec kUnixTimeSeconds[] = {
    kKeyArgument, {.name = "unix-time-seconds", .type = unix_time}, kConditionArgument};
constexpr ArgumentSpec kUnixTimeMilliseconds[] = {
    kKeyArgument, {.name = "unix-time-milliseconds", .type = unix_time}, kConditionArgument};

constexpr KeyPositions kReadKey = one_key(1, KeyFlag::ro | KeyFlag::access);
constexpr KeyPositions kChangedKey = one_key(1, KeyFlag::rw | KeyFlag::update);

constexpr CommandSpec kExpiryCommands[] = {
    {.name = "expire",
     .arity = at_least(3),
     .flags = write | fast,
     .keys = kChangedKey,
     .categories = AclCategory::keyspace,
     .group = "generic",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Lets a key expire in so many seconds.",
     .arguments = kSeconds,
     .handler = expire},
    {.name = "expireat",
     .arity = at_least(3),
     .flags = write | fast,
     .keys = kChangedKey,
     .categories = AclCategory::keyspace,
     .group = "generic",
     .since = "1.2.0",
     .complexity = "O(1)",
     .summary = "Lets a key expire at a Unix time in seconds.",
     .arguments = kUnixTimeSeconds,
     .handler = expireat},
    {.name = "expiretime",
     .arity = exactly(2),
     .flags = readonly | fast,
     .keys = kReadKey,
     .categories = AclCategory::keyspace,
     .group = "generic",
     .since = "7.0.0",
     .complexity = "O(1)",
     .summary = "Gives the Unix time in seconds at which a key expires.",
     .arguments = kKeyOnly,
     .handler = expiretime,
     .key_use = KeyUse::look},
    {.name = "persist",
     .arity = exactly(2),
     .flags = write | fast,
     .keys = kChangedKey,
     .categories = AclCategory::keyspace,
     .group = "generic",
     .since = "2.2.0",
     .complexity = "O(1)",
     .summary = "Removes a key's expiry.",
     .arguments = kKeyOnly,
     .handler = persist},
    {.name = "pexpire",
     .arity = at_least(3),
     .flags = write | fast,
     .keys = kChangedKey,
     .categories = AclCategory::keyspace,
     .group = "generic",
     .since = "2.6.0",
     .complexity = "O(1)",
     .summary = "Lets a key expire in so many milliseconds.",
     .arguments = kMilliseconds,
     .handler = pexpire},
    {.name = "pexpireat",
     .arity = at_least(3),
     .flags = write | fast,
     .keys = kChangedKey,
     .categories = AclCategory::keyspace,
     .group = "generic",
     .since = "2.6.0",
     .complexity = "O(1)",
     .summary = "Lets a key expire at a Unix time in milliseconds.",
     .arguments = kUnixTimeMilliseconds,
     .handler = pexpireat},
    {.name = "pexpiretime",
     .arity = exactly(2),
     .flags = readonly | fast,
     .keys = kReadKey,
     .categories = AclCategory::keyspace,
     .group = "generic",
     .since = "7.0.0",
     .complexity = "O(1)",
     .summary = "Gives the Unix time in milliseconds at which a key expires.",
     .arguments = kKeyOnly,
     .handler = pexpiretime,
     .key_use = KeyUse::look},
    {.name = "pttl",
     .arity = exactly(2),
     .flags = readonly | fast,
     .keys = kReadKey,
     .categories = AclCategory::keyspace,
     .group = "generic",
     .since = "2.6.0",
     .complexity = "O(1)",
     .summary = "Gives the milliseconds until a key expires.",
     .tips = "nondeterministic_output",
     .arguments = kKeyOnly,
     .handler = pttl,
     .key_use = KeyUse::look},
    {.name = "ttl",
     .arity = exactly(2),
     .flags = readonly | fast,
     .keys = kReadKey,
     .categories = AclCategory::keyspace,
     .group = "generic",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Gives the seconds until a key expires.",
     .tips = "nondeterministic_output",
     .arguments = kKeyOnly,
     .handler = ttl,
     .key_use = KeyUse::look},
};
static_assert(sorted_and_unique(kExpiryCommands));

}  // namespace

std::span<const CommandSpec> expiry_commands() { return kExpiryCommands; }

}  // namespace shale::server
