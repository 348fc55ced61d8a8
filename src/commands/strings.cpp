// Strings: values that are bytes.
#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "src/command/arguments.h"
#include "src/command/table.h"
#include "src/commands/expiry_times.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/commands/string_values.h"
#include "src/memory_budget.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

// Errors: those of reply_large.
engine::Status reply_value(CommandContext& context, const std::optional<Value>& value) {
  if (!value) return reply_null(context);
  return value->large ? reply_large(context, *value, 0, value->size()) : reply_bulk(context, value->payload);
}

engine::Status reply_invalid_expiry(CommandContext& context) {
  return reply_error(context,
                     fmt::format("ERR invalid expire time in '{}' command", full_name(context.command)));
}

// What is stored with such an expiry is gone at once.
bool is_past(const CommandContext& context, std::int64_t expires_at_ms) {
  return expires_at_ms != kNoExpiry && expires_at_ms <= context.keyspace.now_ms();
}

// GET key -> the value, or null
engine::Status get(CommandContext& context, Arguments arguments) {
  const auto found = context.keyspace.read(arguments.take());
  if (!found) return found.error();
  if (is_other_type(*found)) return reply_error(context, kWrongType);
  return reply_value(context, *found);
}

// A key has been set as a whole.
void notify_set(CommandContext& context, BytesView key, bool is_new) {
  if (is_new) context.notify(KeyEventClass::new_key, "new", key);
  context.notify(KeyEventClass::string, "set", key);
}

// Whether a command that need not read what it replaces has to, because somebody wants to hear of new keys.
// Errors: those of Keyspace::find.
engine::Result<bool> is_heard_as_new(CommandContext& context, BytesView key) {
  if (!context.events.wants(KeyEventClass::new_key)) return false;
  const auto found = context.keyspace.find(key);
  if (!found) return found.error();
  return !*found;
}

struct SetOptions {
  bool only_new = false;       // NX
  bool only_existing = false;  // XX
  bool get = false;
  ExpiryOption expiry{"KEEPTTL"};

  bool need_old_value() const { return only_new || only_existing || get || expiry.word_given(); }
};

SetOptions take_set_options(Arguments& arguments) {
  SetOptions options;
  while (!arguments.empty() && !arguments.failed()) {
    if (!options.only_existing && arguments.take_word("NX")) {
      options.only_new = true;
    } else if (!options.only_new && arguments.take_word("XX")) {
      options.only_existing = true;
    } else if (arguments.take_word("GET")) {
      options.get = true;
    } else if (!options.expiry.take(arguments)) {
      arguments.fail(kSyntaxError);
    }
  }
  return options;
}

// SET key value [NX | XX] [GET] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL] -> OK, or null if NX or XX
// forbade it; with GET the old value, or null
engine::Status set(CommandContext& context, Arguments arguments) {
  const BytesView key = arguments.take();
  const ValueArgument value = arguments.take_value();
  const SetOptions options = take_set_options(arguments);
  auto expires_at_ms = options.expiry.time(arguments, context.keyspace.now_ms());
  if (arguments.failed()) return reply_error(context, arguments.error());
  if (!expires_at_ms) return reply_invalid_expiry(context);

  std::optional<Value> old;
  if (options.need_old_value() || options.expiry.time_given() ||
      context.events.wants(KeyEventClass::new_key)) {
    const auto found = options.get ? context.keyspace.read(key) : context.keyspace.find(key);
    if (!found) return found.error();
    old = *found;
  }
  if (options.get) {
    if (is_other_type(old)) return reply_error(context, kWrongType);
    if (auto replied = reply_value(context, old); !replied) return replied;
  }
  if ((options.only_new && old) || (options.only_existing && !old)) {
    return options.get ? engine::Status{} : reply_null(context);
  }
  if (options.expiry.word_given() && old) expires_at_ms = old->expires_at_ms;
  const bool expires_at_once = is_past(context, *expires_at_ms);
  if (!expires_at_once) {
    context.keyspace.store(key, value, *expires_at_ms);
  } else if (old) {
    context.keyspace.erase(key);
  }
  notify_set(context, key, !old);
  if (options.expiry.time_given()) context.notify(KeyEventClass::generic, "expire", key);
  if (expires_at_once) context.notify(KeyEventClass::expired, "expired", key);
  return options.get ? engine::Status{} : reply_ok(context);
}

// As in Redis, GET wherever it stands: rights are asked for before the rest is understood.
KeyFlags set_key_flags(std::span<const std::string_view> words) {
  const bool gets = std::ranges::any_of(
      words.subspan(3), [](std::string_view word) { return equals_ignoring_case(word, "GET"); });
  return gets ? KeyFlag::rw | KeyFlag::access | KeyFlag::update : KeyFlag::ow | KeyFlag::update;
}

// SETNX key value -> 1 if it was set, 0 if the key exists
engine::Status setnx(CommandContext& context, Arguments arguments) {
  const BytesView key = arguments.take();
  const auto found = context.keyspace.find(key);
  if (!found) return found.error();
  if (*found) return reply_integer(context, 0);
  context.keyspace.store(key, arguments.take_value());
  notify_set(context, key, true);
  return reply_integer(context, 1);
}

engine::Status set_with_expiry(CommandContext& context, Arguments& arguments, ExpiryUnit unit) {
  const BytesView key = arguments.take();
  const std::int64_t amount = arguments.take_integer();
  if (arguments.failed()) return reply_error(context, arguments.error());
  const auto expires_at_ms = expiry_at(amount, unit, context.keyspace.now_ms());
  if (amount <= 0 || !expires_at_ms) return reply_invalid_expiry(context);
  const auto is_new = is_heard_as_new(context, key);
  if (!is_new) return is_new.error();
  context.keyspace.store(key, arguments.take_value(), *expires_at_ms);
  notify_set(context, key, *is_new);
  context.notify(KeyEventClass::generic, "expire", key);
  return reply_ok(context);
}

// SETEX key seconds value -> OK
engine::Status setex(CommandContext& context, Arguments arguments) {
  return set_with_expiry(context, arguments, kSecondsFromNow);
}

// PSETEX key milliseconds value -> OK
engine::Status psetex(CommandContext& context, Arguments arguments) {
  return set_with_expiry(context, arguments, kMillisecondsFromNow);
}

// GETSET key value -> the old value, or null
engine::Status getset(CommandContext& context, Arguments arguments) {
  const BytesView key = arguments.take();
  const auto found = context.keyspace.read(key);
  if (!found) return found.error();
  if (is_other_type(*found)) return reply_error(context, kWrongType);
  if (auto replied = reply_value(context, *found); !replied) return replied;
  context.keyspace.store(key, arguments.take_value());
  notify_set(context, key, !*found);
  return {};
}

// GETDEL key -> the value that has been deleted, or null
engine::Status getdel(CommandContext& context, Arguments arguments) {
  const BytesView key = arguments.take();
  const auto found = context.keyspace.read(key);
  if (!found) return found.error();
  if (is_other_type(*found)) return reply_error(context, kWrongType);
  if (auto replied = reply_value(context, *found); !replied) return replied;
  if (!*found) return {};
  context.keyspace.erase(key);
  context.notify(KeyEventClass::generic, "del", key);
  return {};
}

// GETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST] -> the value, or null
engine::Status getex(CommandContext& context, Arguments arguments) {
  const BytesView key = arguments.take();
  ExpiryOption option{"PERSIST"};
  while (!arguments.empty() && !arguments.failed()) {
    if (!option.take(arguments)) arguments.fail(kSyntaxError);
  }
  if (arguments.failed()) return reply_error(context, arguments.error());
  const auto found = context.keyspace.read(key);
  if (!found) return found.error();
  if (is_other_type(*found)) return reply_error(context, kWrongType);
  if (!*found) return reply_null(context);

  const auto expires_at_ms = option.time(arguments, context.keyspace.now_ms());
  if (arguments.failed()) return reply_error(context, arguments.error());
  if (!expires_at_ms) return reply_invalid_expiry(context);
  if (auto replied = reply_value(context, *found); !replied) return replied;
  const bool persists = option.word_given() && (*found)->expires_at_ms != kNoExpiry;
  if (!option.time_given() && !persists) return {};
  if (is_past(context, *expires_at_ms)) {
    context.keyspace.erase(key);
    context.notify(KeyEventClass::generic, "del", key);
  } else {
    context.keyspace.store_again(key, **found, *expires_at_ms);
    context.notify(KeyEventClass::generic, persists ? "persist" : "expire", key);
  }
  return {};
}

// MGET key [key ...] -> for each its value, or null
engine::Status mget(CommandContext& context, Arguments arguments) {
  const std::size_t count = arguments.remaining();
  context.reply.array(count);
  for (std::size_t number = 0; number < count; ++number) {
    const auto found = context.keyspace.read_declared(number);
    if (!found) return found.error();
    if (auto replied = reply_value(context, is_other_type(*found) ? std::nullopt : *found); !replied) {
      return replied;
    }
  }
  return {};
}

// Errors: those of is_heard_as_new.
engine::Status store_pairs(CommandContext& context, Arguments& arguments) {
  while (!arguments.empty()) {
    const BytesView key = arguments.take();
    const auto is_new = is_heard_as_new(context, key);
    if (!is_new) return is_new.error();
    context.keyspace.store(key, arguments.take_value());
    notify_set(context, key, *is_new);
  }
  return {};
}

// MSET key value [key value ...] -> OK
engine::Status mset(CommandContext& context, Arguments arguments) {
  if (arguments.remaining() % 2 != 0) return reply_arity_error(context);
  if (auto stored = store_pairs(context, arguments); !stored) return stored;
  return reply_ok(context);
}

// MSETNX key value [key value ...] -> 1 if all were set, 0 if one of the keys exists and none was set
engine::Status msetnx(CommandContext& context, Arguments arguments) {
  if (arguments.remaining() % 2 != 0) return reply_arity_error(context);
  for (std::size_t number = 0; number < arguments.remaining() / 2; ++number) {
    const auto found = context.keyspace.find(arguments.rest()[number * 2]);
    if (!found) return found.error();
    if (*found) return reply_integer(context, 0);
  }
  if (auto stored = store_pairs(context, arguments); !stored) return stored;
  return reply_integer(context, 1);
}

// APPEND key value -> length of the string now
engine::Status append(CommandContext& context, Arguments arguments) {
  const BytesView key = arguments.take();
  const ValueArgument suffix = arguments.take_value();
  const auto found = context.keyspace.find(key);
  if (!found) return found.error();
  if (is_other_type(*found)) return reply_error(context, kWrongType);
  if (!*found) {
    context.keyspace.store(key, suffix);
    context.notify(KeyEventClass::new_key, "new", key);
    context.notify(KeyEventClass::string, "append", key);
    return reply_integer(context, static_cast<std::int64_t>(suffix.size()));
  }
  const Value& old = **found;
  const std::uint64_t bytes = old.size() + suffix.size();
  if (bytes > string_bytes_max(context)) return reply_error(context, kStringTooLong);
  context.notify(KeyEventClass::string, "append", key);
  if (is_composed_in_file(context, old, suffix, bytes)) {
    if (suffix.size() == 0) return reply_integer(context, static_cast<std::int64_t>(bytes));
    std::vector<engine::LargePiece> pieces{context.keyspace.piece(old, 0, old.size()),
                                           Keyspace::piece(suffix)};
    auto stored = context.keyspace.store_composed(key, std::move(pieces), old.expires_at_ms);
    return stored ? reply_integer(context, static_cast<std::int64_t>(bytes)) : stored;
  }
  Bytes joined;
  joined.reserve(bytes);
  joined.append(old.payload).append(suffix.bytes);
  context.keyspace.store_edited(key, joined, old.expires_at_ms);
  return reply_integer(context, static_cast<std::int64_t>(bytes));
}

// STRLEN key -> length of the string, 0 if there is none
engine::Status strlen(CommandContext& context, Arguments arguments) {
  const auto found = context.keyspace.read(arguments.take());
  if (!found) return found.error();
  if (is_other_type(*found)) return reply_error(context, kWrongType);
  return reply_integer(context, *found ? static_cast<std::int64_t>((*found)->size()) : 0);
}

// GETRANGE key start end -> the bytes from start to end, both included, counted from the end if negative
engine::Status getrange(CommandContext& context, Arguments arguments) {
  const BytesView key = arguments.take();
  std::int64_t start = arguments.take_integer();
  std::int64_t end = arguments.take_integer();
  if (arguments.failed()) return reply_error(context, arguments.error());
  const auto found = context.keyspace.read(key);
  if (!found) return found.error();
  if (is_other_type(*found)) return reply_error(context, kWrongType);
  if (!*found || (start < 0 && end < 0 && start > end)) return reply_bulk(context, {});

  const Value& value = **found;
  const auto length = static_cast<std::int64_t>(value.size());
  if (start < 0) start = std::max<std::int64_t>(0, start + length);
  if (end < 0) end = std::max<std::int64_t>(0, end + length);
  end = std::min(end, length - 1);
  if (start > end || length == 0) return reply_bulk(context, {});
  const auto begin = static_cast<std::size_t>(start);
  const auto bytes = static_cast<std::size_t>(end - start + 1);
  if (value.large) return reply_large(context, value, begin, bytes);
  return reply_bulk(context, value.payload.substr(begin, bytes));
}

// SETRANGE key offset value -> length of the string now; gaps are zero bytes
engine::Status setrange(CommandContext& context, Arguments arguments) {
  const BytesView key = arguments.take();
  const std::int64_t offset = arguments.take_integer();
  const ValueArgument bytes = arguments.take_value();
  if (arguments.failed()) return reply_error(context, arguments.error());
  if (offset < 0) return reply_error(context, "ERR offset is out of range");
  const auto found = context.keyspace.find(key);
  if (!found) return found.error();
  if (is_other_type(*found)) return reply_error(context, kWrongType);

  const Value old = found->value_or(Value{});
  if (bytes.size() == 0) return reply_integer(context, static_cast<std::int64_t>(old.size()));
  const std::size_t limit = string_bytes_max(context);
  if (static_cast<std::uint64_t>(offset) > limit || static_cast<std::size_t>(offset) + bytes.size() > limit) {
    return reply_error(context, kStringTooLong);
  }
  if (!*found) context.notify(KeyEventClass::new_key, "new", key);
  context.notify(KeyEventClass::string, "setrange", key);
  if (auto stored = store_overwritten(context, key, old, static_cast<std::uint64_t>(offset), bytes);
      !stored) {
    return stored;
  }
  const std::uint64_t end = static_cast<std::uint64_t>(offset) + bytes.size();
  return reply_integer(context, static_cast<std::int64_t>(std::max(end, old.size())));
}

constexpr std::string_view kConstant = "O(1)";
constexpr std::string_view kPerKey = "O(N), N being the number of keys";
constexpr std::string_view kCopiesValue = "O(N), N being the length of the resulting string";

constexpr ArgumentSpec kSetCondition[] = {
    {.name = "nx", .type = pure_token, .token = "NX"},
    {.name = "xx", .type = pure_token, .token = "XX"},
};
constexpr ArgumentSpec kSetExpiration[] = {
    {.name = "seconds", .type = integer, .token = "EX"},
    {.name = "milliseconds", .type = integer, .token = "PX"},
    {.name = "unix-time-seconds", .type = unix_time, .token = "EXAT"},
    {.name = "unix-time-milliseconds", .type = unix_time, .token = "PXAT"},
    {.name = "keepttl", .type = pure_token, .token = "KEEPTTL"},
};
constexpr ArgumentSpec kGetexExpiration[] = {
    {.name = "seconds", .type = integer, .token = "EX"},
    {.name = "milliseconds", .type = integer, .token = "PX"},
    {.name = "unix-time-seconds", .type = unix_time, .token = "EXAT"},
    {.name = "unix-time-milliseconds", .type = unix_time, .token = "PXAT"},
    {.name = "persist", .type = pure_token, .token = "PERSIST"},
};
constexpr ArgumentSpec kKeyOnly[] = {{.name = "key", .type = key}};
constexpr ArgumentSpec kKeys[] = {{.name = "key", .type = key, .multiple = true}};
constexpr ArgumentSpec kKeyValue[] = {{.name = "key", .type = key}, {.name = "value"}};
constexpr ArgumentSpec kKeyValuePairs[] = {
    {.name = "data", .type = block, .multiple = true, .children = kKeyValue},
};
constexpr ArgumentSpec kSetArguments[] = {
    {.name = "key", .type = key},
    {.name = "value"},
    {.name = "condition", .type = oneof, .optional = true, .children = kSetCondition},
    {.name = "get", .type = pure_token, .token = "GET", .optional = true},
    {.name = "expiration", .type = oneof, .optional = true, .children = kSetExpiration},
};
constexpr ArgumentSpec kSetexArguments[] = {
    {.name = "key", .type = key},
    {.name = "seconds", .type = integer},
    {.name = "value"},
};
constexpr ArgumentSpec kPsetexArguments[] = {
    {.name = "key", .type = key},
    {.name = "milliseconds", .type = integer},
    {.name = "value"},
};
constexpr ArgumentSpec kGetexArguments[] = {
    {.name = "key", .type = key},
    {.name = "expiration", .type = oneof, .optional = true, .children = kGetexExpiration},
};
constexpr ArgumentSpec kRangeArguments[] = {
    {.name = "key", .type = key},
    {.name = "start", .type = integer},
    {.name = "end", .type = integer},
};
constexpr ArgumentSpec kSetrangeArguments[] = {
    {.name = "key", .type = key},
    {.name = "offset", .type = integer},
    {.name = "value"},
};

constexpr CommandSpec kStringCommands[] = {
    {.name = "append",
     .arity = exactly(3),
     .flags = write | denyoom | fast,
     .keys = one_key(1, KeyFlag::rw | KeyFlag::insert),
     .values = {2},
     .group = "string",
     .since = "2.0.0",
     .complexity = kCopiesValue,
     .summary = "Adds bytes to the end of a string, which is created if it is missing.",
     .arguments = kKeyValue,
     .handler = append},
    {.name = "get",
     .arity = exactly(2),
     .flags = readonly | fast,
     .keys = one_key(1, KeyFlag::ro | KeyFlag::access),
     .group = "string",
     .since = "1.0.0",
     .complexity = kConstant,
     .summary = "Gives a key's string value.",
     .arguments = kKeyOnly,
     .handler = get},
    {.name = "getdel",
     .arity = exactly(2),
     .flags = write | fast,
     .keys = one_key(1, KeyFlag::rw | KeyFlag::access | KeyFlag::erases),
     .group = "string",
     .since = "6.2.0",
     .complexity = kConstant,
     .summary = "Gives a key's string value and deletes the key.",
     .arguments = kKeyOnly,
     .handler = getdel},
    {.name = "getex",
     .arity = at_least(2),
     .flags = write | fast,
     .keys = one_key(1, KeyFlag::rw | KeyFlag::access | KeyFlag::update),
     .group = "string",
     .since = "6.2.0",
     .complexity = kConstant,
     .summary = "Gives a key's string value and sets or removes its expiry.",
     .arguments = kGetexArguments,
     .handler = getex},
    {.name = "getrange",
     .arity = exactly(4),
     .flags = readonly,
     .keys = one_key(1, KeyFlag::ro | KeyFlag::access),
     .group = "string",
     .since = "2.4.0",
     .complexity = "O(N), N being the length of the reply",
     .summary = "Gives a part of a string.",
     .arguments = kRangeArguments,
     .handler = getrange},
    {.name = "getset",
     .arity = exactly(3),
     .flags = write | denyoom | fast,
     .keys = one_key(1, KeyFlag::rw | KeyFlag::access | KeyFlag::update),
     .values = {2},
     .group = "string",
     .since = "1.0.0",
     .complexity = kConstant,
     .summary = "Sets a string and gives what was there before.",
     .deprecated_since = "6.2.0",
     .replaced_by = "`SET` with the `GET` argument",
     .arguments = kKeyValue,
     .handler = getset},
    {.name = "mget",
     .arity = at_least(2),
     .flags = readonly | fast,
     .keys = keys_from(1, KeyFlag::ro | KeyFlag::access),
     .group = "string",
     .since = "1.0.0",
     .complexity = kPerKey,
     .summary = "Gives the string values of several keys, as they were at one moment.",
     .tips = "request_policy:multi_shard",
     .arguments = kKeys,
     .handler = mget},
    {.name = "mset",
     .arity = at_least(3),
     .flags = write | denyoom,
     .keys = keys_from(1, KeyFlag::ow | KeyFlag::update, 2),
     .values = {2, 2},
     .group = "string",
     .since = "1.0.1",
     .complexity = kPerKey,
     .summary = "Sets several strings, all at once or none.",
     .tips = "request_policy:multi_shard response_policy:all_succeeded",
     .arguments = kKeyValuePairs,
     .handler = mset},
    {.name = "msetnx",
     .arity = at_least(3),
     .flags = write | denyoom,
     .keys = keys_from(1, KeyFlag::ow | KeyFlag::insert, 2),
     .values = {2, 2},
     .group = "string",
     .since = "1.0.1",
     .complexity = kPerKey,
     .summary = "Sets several strings if none of the keys exists.",
     .arguments = kKeyValuePairs,
     .handler = msetnx},
    {.name = "psetex",
     .arity = exactly(4),
     .flags = write | denyoom,
     .keys = one_key(1, KeyFlag::ow | KeyFlag::update),
     .values = {3},
     .group = "string",
     .since = "2.6.0",
     .complexity = kConstant,
     .summary = "Sets a string with an expiry in milliseconds.",
     .deprecated_since = "2.6.12",
     .replaced_by = "`SET` with the `PX` argument",
     .arguments = kPsetexArguments,
     .handler = psetex},
    {.name = "set",
     .arity = at_least(3),
     .flags = write | denyoom,
     .keys = one_key(1, KeyFlag::rw | KeyFlag::access | KeyFlag::update | KeyFlag::variable),
     .values = {2},
     .group = "string",
     .since = "1.0.0",
     .complexity = kConstant,
     .summary = "Sets a string, on conditions and with an expiry if wanted.",
     .arguments = kSetArguments,
     .handler = set,
     .key_flags_of = set_key_flags},
    {.name = "setex",
     .arity = exactly(4),
     .flags = write | denyoom,
     .keys = one_key(1, KeyFlag::ow | KeyFlag::update),
     .values = {3},
     .group = "string",
     .since = "2.0.0",
     .complexity = kConstant,
     .summary = "Sets a string with an expiry in seconds.",
     .deprecated_since = "2.6.12",
     .replaced_by = "`SET` with the `EX` argument",
     .arguments = kSetexArguments,
     .handler = setex},
    {.name = "setnx",
     .arity = exactly(3),
     .flags = write | denyoom | fast,
     .keys = one_key(1, KeyFlag::ow | KeyFlag::insert),
     .values = {2},
     .group = "string",
     .since = "1.0.0",
     .complexity = kConstant,
     .summary = "Sets a string if the key does not exist.",
     .deprecated_since = "2.6.12",
     .replaced_by = "`SET` with the `NX` argument",
     .arguments = kKeyValue,
     .handler = setnx},
    {.name = "setrange",
     .arity = exactly(4),
     .flags = write | denyoom,
     .keys = one_key(1, KeyFlag::rw | KeyFlag::update),
     .values = {3},
     .group = "string",
     .since = "2.2.0",
     .complexity = kCopiesValue,
     .summary = "Overwrites a part of a string, which is created or made longer if need be.",
     .arguments = kSetrangeArguments,
     .handler = setrange},
    {.name = "strlen",
     .arity = exactly(2),
     .flags = readonly | fast,
     .keys = one_key(1, KeyFlag::ro),
     .group = "string",
     .since = "2.2.0",
     .complexity = kConstant,
     .summary = "Gives the length of a string.",
     .arguments = kKeyOnly,
     .handler = strlen},
    {.name = "substr",
     .arity = exactly(4),
     .flags = readonly,
     .keys = one_key(1, KeyFlag::ro | KeyFlag::access),
     .group = "string",
     .since = "1.0.0",
     .complexity = "O(N), N being the length of the reply",
     .summary = "Gives a part of a string; the old name of GETRANGE.",
     .deprecated_since = "2.0.0",
     .replaced_by = "`GETRANGE`",
     .arguments = kRangeArguments,
     .handler = getrange},
};
static_assert(sorted_and_unique(kStringCommands));

}  // namespace

std::span<const CommandSpec> string_commands() { return kStringCommands; }

}  // namespace shale::server
