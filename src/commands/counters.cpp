// Strings that are numbers.
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>

#include "protocol/number_text.h"
#include "src/command/arguments.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/commands/string_values.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

constexpr std::string_view kNotAFloat = "ERR value is not a valid float";

void notify_changed(CommandContext& context, BytesView key, bool is_new, std::string_view event) {
  if (is_new) context.notify(KeyEventClass::new_key, "new", key);
  context.notify(KeyEventClass::string, event, key);
}

// Keeps the key's expiry.
engine::Status increase(CommandContext& context, BytesView key, std::int64_t increment) {
  const auto found = context.keyspace.find(key);
  if (!found) return found.error();
  if (is_other_type(*found)) return reply_error(context, kWrongType);
  const auto old = *found ? protocol::parse_integer((*found)->payload) : 0;
  if (!old) return reply_error(context, kNotAnInteger);
  std::int64_t sum = 0;
  if (__builtin_add_overflow(*old, increment, &sum)) {
    return reply_error(context, "ERR increment or decrement would overflow");
  }
  std::array<char, 24> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), sum).ptr;
  context.keyspace.store(key, {text.data(), static_cast<std::size_t>(end - text.data())},
                         *found ? (*found)->expires_at_ms : kNoExpiry);
  notify_changed(context, key, !*found, "incrby");
  return reply_integer(context, sum);
}

// INCR key -> the number after it
engine::Status incr(CommandContext& context, Arguments arguments) {
  return increase(context, arguments.take(), 1);
}

// DECR key -> the number after it
engine::Status decr(CommandContext& context, Arguments arguments) {
  return increase(context, arguments.take(), -1);
}

// INCRBY key increment -> the number after it
engine::Status incrby(CommandContext& context, Arguments arguments) {
  const BytesView name = arguments.take();
  const std::int64_t increment = arguments.take_integer();
  if (arguments.failed()) return reply_error(context, arguments.error());
  return increase(context, name, increment);
}

// DECRBY key decrement -> the number after it
engine::Status decrby(CommandContext& context, Arguments arguments) {
  const BytesView name = arguments.take();
  const std::int64_t decrement = arguments.take_integer();
  if (arguments.failed()) return reply_error(context, arguments.error());
  if (decrement == std::numeric_limits<std::int64_t>::min()) {
    return reply_error(context, "ERR decrement would overflow");
  }
  return increase(context, name, -decrement);
}

// Redis's limit for the text of one: the largest in full, and more.
constexpr std::size_t kLongDoubleBytesMax = 5120;

// As strtold reads it, hexadecimal and "inf" included, but nothing before, nothing after, and not "nan".
std::optional<long double> parse_long_double(std::string_view text) {
  if (text.empty() || text.size() >= kLongDoubleBytesMax) return std::nullopt;
  if (std::isspace(static_cast<unsigned char>(text.front()))) return std::nullopt;
  const std::string terminated(text);
  char* end = nullptr;
  errno = 0;
  const long double value = std::strtold(terminated.c_str(), &end);
  const bool out_of_range = errno == ERANGE && (std::isinf(value) || value == 0);
  if (out_of_range || end != terminated.c_str() + terminated.size() || std::isnan(value)) return std::nullopt;
  return value;
}

// 17 digits behind the point at most, and no zeros at their end.
std::string format_long_double(long double value) {
  std::string text(kLongDoubleBytesMax, '\0');
  text.resize(static_cast<std::size_t>(std::snprintf(text.data(), text.size(), "%.17Lf", value)));
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) text.pop_back();
  }
  return text == "-0" ? "0" : text;
}

// INCRBYFLOAT key increment -> the number after it, as text
engine::Status incrbyfloat(CommandContext& context, Arguments arguments) {
  const BytesView name = arguments.take();
  const auto found = context.keyspace.find(name);
  if (!found) return found.error();
  if (is_other_type(*found)) return reply_error(context, kWrongType);
  const auto old = *found ? parse_long_double((*found)->payload) : 0;
  const auto increment = parse_long_double(arguments.take());
  if (!old || !increment) return reply_error(context, kNotAFloat);
  const long double sum = *old + *increment;
  if (!std::isfinite(sum)) return reply_error(context, "ERR increment would produce NaN or Infinity");
  const std::string text = format_long_double(sum);
  context.keyspace.store(name, text, *found ? (*found)->expires_at_ms : kNoExpiry);
  notify_changed(context, name, !*found, "incrbyfloat");
  return reply_bulk(context, text);
}

constexpr KeyFlags kChanges = KeyFlag::rw | KeyFlag::access | KeyFlag::update;
constexpr CommandFlags kFlags = write | denyoom | fast;

constexpr ArgumentSpec kKeyOnly[] = {{.name = "key", .type = key}};
constexpr ArgumentSpec kIncrement[] = {{.name = "key", .type = key}, {.name = "increment", .type = integer}};
constexpr ArgumentSpec kDecrement[] = {{.name = "key", .type = key}, {.name = "decrement", .type = integer}};
constexpr ArgumentSpec kFloatIncrement[] = {
    {.name = "key", .type = key},
    {.name = "increment", .type = double_number},
};

constexpr CommandSpec kCounterCommands[] = {
    {.name = "decr",
     .arity = exactly(2),
     .flags = kFlags,
     .keys = one_key(1, kChanges),
     .group = "string",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Takes one from the integer in a string; a missing key counts as 0.",
     .arguments = kKeyOnly,
     .handler = decr},
    {.name = "decrby",
     .arity = exactly(3),
     .flags = kFlags,
     .keys = one_key(1, kChanges),
     .group = "string",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Takes a number from the integer in a string; a missing key counts as 0.",
     .arguments = kDecrement,
     .handler = decrby},
    {.name = "incr",
     .arity = exactly(2),
     .flags = kFlags,
     .keys = one_key(1, kChanges),
     .group = "string",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Adds one to the integer in a string; a missing key counts as 0.",
     .arguments = kKeyOnly,
     .handler = incr},
    {.name = "incrby",
     .arity = exactly(3),
     .flags = kFlags,
     .keys = one_key(1, kChanges),
     .group = "string",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Adds a number to the integer in a string; a missing key counts as 0.",
     .arguments = kIncrement,
     .handler = incrby},
    {.name = "incrbyfloat",
     .arity = exactly(3),
     .flags = kFlags,
     .keys = one_key(1, kChanges),
     .group = "string",
     .since = "2.6.0",
     .complexity = "O(1)",
     .summary = "Adds a floating-point number to the one in a string; a missing key counts as 0.",
     .arguments = kFloatIncrement,
     .handler = incrbyfloat},
};
static_assert(sorted_and_unique(kCounterCommands));

}  // namespace

std::span<const CommandSpec> counter_commands() { return kCounterCommands; }

}  // namespace shale::server
