// BITFIELD: numbers of any width, anywhere in a string.
#include <algorithm>
#include <limits>
#include <vector>

#include "src/bits/bit_string.h"
#include "src/command/arguments.h"
#include "src/commands/bit_offset.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/commands/string_values.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

constexpr std::string_view kInvalidType =
    "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.";
constexpr std::string_view kInvalidOverflow = "ERR Invalid OVERFLOW type specified";
constexpr std::string_view kOnlyGet = "ERR BITFIELD_RO only supports the GET subcommand";
constexpr std::string_view kFarApart =
    "ERR the fields of one BITFIELD lie too far apart for a value that is not kept in memory";

// Of a value that has a file of its own, one command changes no more than lies within so many bytes.
constexpr std::uint64_t kWindowBytesMax = 1U << 20;
constexpr unsigned kByteBits = 8;

__extension__ using Wide = __int128;  // holds the sum of any two numbers

enum class Overflow : std::uint8_t { wrap, saturate, fail };

struct FieldType {
  bool is_signed = false;
  unsigned width = 0;  // bits

  std::int64_t highest() const {
    const unsigned magnitude = is_signed ? width - 1 : width;
    return magnitude >= 63 ? std::numeric_limits<std::int64_t>::max() : (std::int64_t{1} << magnitude) - 1;
  }
  std::int64_t lowest() const { return is_signed ? -highest() - 1 : 0; }
  // The number whose lowest bits these are.
  std::int64_t number(std::uint64_t bits) const {
    if (!is_signed) return static_cast<std::int64_t>(bits);
    const unsigned unused = 64 - width;
    return static_cast<std::int64_t>(bits << unused) >> unused;
  }
};

struct FieldOperation {
  enum class Kind : std::uint8_t { get, set, increase };

  Kind kind = Kind::get;
  FieldType type;
  std::uint64_t offset = 0;  // bits
  std::int64_t operand = 0;
  Overflow overflow = Overflow::wrap;

  bool writes() const { return kind != Kind::get; }
  std::uint64_t end_byte() const { return (offset + type.width - 1) / kByteBits + 1; }
};

std::optional<FieldType> parse_type(std::string_view text) {
  if (text.empty() || (text[0] != 'i' && text[0] != 'u')) return std::nullopt;
  const bool is_signed = text[0] == 'i';
  const auto width = protocol::parse_integer(text.substr(1));
  if (!width || *width < 1 || *width > (is_signed ? 64 : 63)) return std::nullopt;
  return FieldType{is_signed, static_cast<unsigned>(*width)};
}

// "#3" is the fourth field of that width.
std::optional<std::uint64_t> parse_offset(CommandContext& context, std::string_view text, unsigned width) {
  if (!text.starts_with('#')) return parse_bit_offset(context, text);
  const auto index = protocol::parse_integer(text.substr(1));
  std::int64_t offset = 0;
  if (!index || __builtin_mul_overflow(*index, static_cast<std::int64_t>(width), &offset))
    return std::nullopt;
  if (offset < 0 || static_cast<std::uint64_t>(offset) / kByteBits >= string_bytes_max(context)) {
    return std::nullopt;
  }
  return static_cast<std::uint64_t>(offset);
}

void take_overflow(Arguments& arguments, Overflow& overflow) {
  if (arguments.take_word("WRAP")) {
    overflow = Overflow::wrap;
  } else if (arguments.take_word("SAT")) {
    overflow = Overflow::saturate;
  } else if (arguments.take_word("FAIL")) {
    overflow = Overflow::fail;
  } else {
    arguments.fail(kInvalidOverflow);
  }
}

void take_operation(CommandContext& context, Arguments& arguments, FieldOperation operation,
                    std::vector<FieldOperation>& operations) {
  const auto type = parse_type(arguments.take());
  if (!type) return arguments.fail(kInvalidType);
  operation.type = *type;
  const auto offset = parse_offset(context, arguments.take(), type->width);
  if (!offset) return arguments.fail(kNotABitOffset);
  operation.offset = *offset;
  if (operation.writes()) operation.operand = arguments.take_integer();
  operations.push_back(operation);
}

std::vector<FieldOperation> take_operations(CommandContext& context, Arguments& arguments) {
  using enum FieldOperation::Kind;
  std::vector<FieldOperation> operations;
  Overflow overflow = Overflow::wrap;
  while (!arguments.empty() && !arguments.failed()) {
    FieldOperation operation;
    operation.overflow = overflow;
    if (arguments.take_word("GET", 2)) {
      take_operation(context, arguments, operation, operations);
    } else if (arguments.take_word("SET", 3)) {
      operation.kind = set;
      take_operation(context, arguments, operation, operations);
    } else if (arguments.take_word("INCRBY", 3)) {
      operation.kind = increase;
      take_operation(context, arguments, operation, operations);
    } else if (arguments.take_word("OVERFLOW", 1)) {
      take_overflow(arguments, overflow);
    } else {
      arguments.fail(kSyntaxError);
    }
  }
  return operations;
}

// Bytes of the string, beginning at byte `begin`: all that the operations look at or change and that is
// there.
struct Window {
  std::uint64_t begin = 0;
  Bytes bytes;
  bool changed = false;

  std::uint64_t bit(std::uint64_t offset) const { return offset - begin * kByteBits; }
};

// The new value, or nothing where it does not fit and must not be made to.
std::optional<std::int64_t> fitted(const FieldOperation& operation, Wide exact) {
  const FieldType& type = operation.type;
  if (exact >= type.lowest() && exact <= type.highest()) return static_cast<std::int64_t>(exact);
  if (operation.overflow == Overflow::fail) return std::nullopt;
  if (operation.overflow == Overflow::saturate) return exact < type.lowest() ? type.lowest() : type.highest();
  const std::uint64_t mask = type.width == 64 ? UINT64_MAX : (std::uint64_t{1} << type.width) - 1;
  return type.number(static_cast<std::uint64_t>(exact) & mask);
}

// `grown`: the string has been made longer for the fields, which counts as a change of each that is set.
void run_operation(CommandContext& context, const FieldOperation& operation, bool grown, Window& window) {
  const std::uint64_t bit = window.bit(operation.offset);
  const FieldType& type = operation.type;
  const std::int64_t old = type.number(bits::read_field(window.bytes, bit, type.width));
  if (!operation.writes()) return context.reply.integer(old);
  const bool sets = operation.kind == FieldOperation::Kind::set;
  // A number to be set in an unsigned field is unsigned, as in Redis: -1 is above all.
  const Wide operand = sets && !type.is_signed
                           ? static_cast<Wide>(static_cast<std::uint64_t>(operation.operand))
                           : static_cast<Wide>(operation.operand);
  const auto value = fitted(operation, sets ? operand : old + operand);
  if (!value) return context.reply.null();
  bits::write_field(window.bytes, bit, type.width, static_cast<std::uint64_t>(*value));
  window.changed |= grown || *value != old;
  context.reply.integer(sets ? old : *value);
}

// Reads the window. `written_end`: the byte behind all that is written; the window reaches to there.
engine::Result<Window> read_window(CommandContext& context, const Value& old,
                                   std::span<const FieldOperation> operations, std::uint64_t written_end) {
  const std::uint64_t length = std::max(old.size(), written_end);
  std::uint64_t begin = length;
  std::uint64_t end = 0;
  for (const FieldOperation& operation : operations) {
    begin = std::min(begin, operation.offset / kByteBits);
    end = std::max(end, std::min(operation.end_byte(), length));
  }
  Window window{.begin = begin, .bytes = {}};
  if (begin >= end) return window;  // everything is read behind the end
  if (end - begin > kWindowBytesMax && is_composed_in_file(context, old, {}, length))
    return engine::Error{engine::ErrorKind::unsupported, {}};
  auto bytes = read_bytes(context.keyspace, old, begin, end - begin);
  if (!bytes) return bytes.error();
  window.bytes = std::move(*bytes);
  return window;
}

engine::Status run_bitfield(CommandContext& context, Arguments& arguments, bool read_only) {
  const BytesView key = arguments.take();
  const auto operations = take_operations(context, arguments);
  if (arguments.failed()) return reply_error(context, arguments.error());
  std::uint64_t written_end = 0;
  for (const FieldOperation& operation : operations) {
    if (operation.writes()) written_end = std::max(written_end, operation.end_byte());
  }
  if (read_only && written_end != 0) return reply_error(context, kOnlyGet);
  const auto found = written_end == 0 ? context.keyspace.read(key) : context.keyspace.find(key);
  if (!found) return found.error();
  if (is_other_type(*found)) return reply_error(context, kWrongType);

  const Value old = found->value_or(Value{});
  auto window = read_window(context, old, operations, written_end);
  if (!window && window.error().kind == engine::ErrorKind::unsupported) {
    return reply_error(context, kFarApart);
  }
  if (!window) return window.error();
  context.reply.array(operations.size());
  const bool grown = written_end > old.size();
  for (const FieldOperation& operation : operations) run_operation(context, operation, grown, *window);
  // A string is made as long as the fields even if none of them could be written.
  if (!window->changed && !grown) return {};
  if (!*found) context.notify(KeyEventClass::new_key, "new", key);
  if (window->changed) context.notify(KeyEventClass::string, "setbit", key);
  return store_overwritten(context, key, old, window->begin, {window->bytes, nullptr});
}

// BITFIELD key [GET type offset | [OVERFLOW WRAP | SAT | FAIL] (SET | INCRBY) type offset number] ... -> for
// each GET the number, for each SET the old one, for each INCRBY the new one, or null where it failed
engine::Status bitfield(CommandContext& context, Arguments arguments) {
  return run_bitfield(context, arguments, false);
}

// BITFIELD_RO key [GET type offset] ... -> the numbers
engine::Status bitfield_ro(CommandContext& context, Arguments arguments) {
  return run_bitfield(context, arguments, true);
}

// A BITFIELD that only gets is a reader to who asks about its keys.
KeyFlags bitfield_key_flags(std::span<const std::string_view> words) {
  Arguments arguments(words, 2);
  while (!arguments.empty()) {
    std::size_t skipped = 0;
    if (arguments.take_word("GET", 2)) {
      skipped = 2;
    } else if (arguments.take_word("OVERFLOW", 1)) {
      skipped = 1;
    } else {
      return KeyFlag::rw | KeyFlag::access | KeyFlag::update;
    }
    for (; skipped > 0; --skipped) arguments.take();
  }
  return KeyFlag::ro | KeyFlag::access;
}

constexpr ArgumentSpec kField[] = {
    {.name = "encoding"},
    {.name = "offset", .type = integer},
};
constexpr ArgumentSpec kSet[] = {
    {.name = "encoding"},
    {.name = "offset", .type = integer},
    {.name = "value", .type = integer},
};
constexpr ArgumentSpec kIncrease[] = {
    {.name = "encoding"},
    {.name = "offset", .type = integer},
    {.name = "increment", .type = integer},
};
constexpr ArgumentSpec kOverflows[] = {
    {.name = "wrap", .type = pure_token, .token = "WRAP"},
    {.name = "sat", .type = pure_token, .token = "SAT"},
    {.name = "fail", .type = pure_token, .token = "FAIL"},
};
constexpr ArgumentSpec kWrites[] = {
    {.name = "set-block", .type = block, .token = "SET", .children = kSet},
    {.name = "increment-block", .type = block, .token = "INCRBY", .children = kIncrease},
};
constexpr ArgumentSpec kWrite[] = {
    {.name = "overflow-block", .type = oneof, .token = "OVERFLOW", .optional = true, .children = kOverflows},
    {.name = "write-operation", .type = oneof, .children = kWrites},
};
constexpr ArgumentSpec kOperation[] = {
    {.name = "get-block", .type = block, .token = "GET", .children = kField},
    {.name = "write", .type = block, .children = kWrite},
};
constexpr ArgumentSpec kArguments[] = {
    {.name = "key", .type = key},
    {.name = "operation", .type = oneof, .optional = true, .multiple = true, .children = kOperation},
};
constexpr ArgumentSpec kReadArguments[] = {
    {.name = "key", .type = key},
    {.name = "get-block",
     .type = block,
     .token = "GET",
     .optional = true,
     .multiple = true,
     .children = kField},
};

constexpr CommandSpec kBitfieldCommands[] = {
    {.name = "bitfield",
     .arity = at_least(2),
     .flags = write | denyoom,
     .keys = one_key(1, KeyFlag::rw | KeyFlag::access | KeyFlag::update | KeyFlag::variable),
     .group = "bitmap",
     .since = "3.2.0",
     .complexity = "O(1) for each field, and the string is written anew",
     .summary = "Reads and changes numbers of any width in a string.",
     .arguments = kArguments,
     .handler = bitfield,
     .key_flags_of = bitfield_key_flags},
    {.name = "bitfield_ro",
     .arity = at_least(2),
     .flags = readonly | fast,
     .keys = one_key(1, KeyFlag::ro | KeyFlag::access),
     .group = "bitmap",
     .since = "6.0.0",
     .complexity = "O(1) for each field",
     .summary = "Reads numbers of any width in a string.",
     .arguments = kReadArguments,
     .handler = bitfield_ro},
};
static_assert(sorted_and_unique(kBitfieldCommands));

}  // namespace

std::span<const CommandSpec> bitfield_commands() { return kBitfieldCommands; }

}  // namespace shale::server
