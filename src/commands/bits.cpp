// Bits of strings: one by one, counted, searched, and combined.
#include <algorithm>
#include <vector>

#include "src/bits/bit_string.h"
#include "src/command/arguments.h"
#include "src/commands/bit_offset.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/commands/string_values.h"
#include "src/large_bit_operation.h"
#include "src/large_scan.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;
using bits::BitRange;

constexpr std::string_view kNotABit = "ERR bit is not an integer or out of range";
constexpr int kByteBits = 8;

bool bit_at(char byte, std::uint64_t offset) {
  return (static_cast<unsigned char>(byte) >> (kByteBits - 1 - offset % kByteBits) & 1) != 0;
}

// SETBIT key offset value -> the bit that was there
engine::Status setbit(CommandContext& context, Arguments arguments) {
  const BytesView key = arguments.take();
  const auto offset = parse_bit_offset(context, arguments.take());
  if (!offset) return reply_error(context, kNotABitOffset);
  const auto bit = protocol::parse_integer(arguments.take());
  if (!bit || (*bit != 0 && *bit != 1)) return reply_error(context, kNotABit);
  const auto found = context.keyspace.find(key);
  if (!found) return found.error();
  if (is_other_type(*found)) return reply_error(context, kWrongType);

  const Value old = found->value_or(Value{});
  const std::uint64_t index = *offset / kByteBits;
  auto byte = read_bytes(context.keyspace, old, index, 1);
  if (!byte) return byte.error();
  const bool was_set = bit_at((*byte)[0], *offset);
  if (index >= old.size() || was_set != (*bit == 1)) {
    bits::write_field(*byte, *offset % kByteBits, 1, static_cast<std::uint64_t>(*bit));
    if (auto stored = store_overwritten(context, key, old, index, {*byte, nullptr}); !stored) return stored;
    if (!*found) context.notify(KeyEventClass::new_key, "new", key);
    context.notify(KeyEventClass::string, "setbit", key);
  }
  return reply_integer(context, was_set);
}

// GETBIT key offset -> the bit, 0 behind the end
engine::Status getbit(CommandContext& context, Arguments arguments) {
  const BytesView key = arguments.take();
  const auto offset = parse_bit_offset(context, arguments.take());
  if (!offset) return reply_error(context, kNotABitOffset);
  const auto found = context.keyspace.read(key);
  if (!found) return found.error();
  if (is_other_type(*found)) return reply_error(context, kWrongType);
  if (!*found) return reply_integer(context, 0);
  const auto byte = read_bytes(context.keyspace, **found, *offset / kByteBits, 1);
  if (!byte) return byte.error();
  return reply_integer(context, bit_at((*byte)[0], *offset));
}

// [start [end [BIT | BYTE]]], counted from the end if negative.
struct RangeArgument {
  bool given = false;
  bool end_given = false;
  bool in_bits = false;
  std::int64_t start = 0;
  std::int64_t end = -1;

  // The bits of a string with so many bytes that it means; there may be none.
  BitRange of(std::uint64_t bytes) const {
    const auto units = static_cast<std::int64_t>(in_bits ? bytes * kByteBits : bytes);
    const std::int64_t first = std::max<std::int64_t>(0, start < 0 ? start + units : start);
    std::int64_t last = std::max<std::int64_t>(0, end < 0 ? end + units : end);
    last = std::min(last, units - 1);
    if (first > last) return {};
    return in_bits ? BitRange{first, last} : BitRange{first * kByteBits, last * kByteBits + kByteBits - 1};
  }
};

void take_range_unit(Arguments& arguments, RangeArgument& range) {
  if (arguments.empty() || arguments.take_word("BYTE")) return;
  range.in_bits = arguments.take_word("BIT");
  if (!range.in_bits) arguments.fail(kSyntaxError);
}

// Counts in chunks.
class BitCount final : public LargeScan {
 public:
  BitCount(std::shared_ptr<engine::LargeValue> value, const engine::LargeValueReference& reference,
           std::uint64_t begin, std::uint64_t length, BitRange range)
      : LargeScan(std::move(value), reference, begin, length), range_(range) {}
  bool is_for(BitRange range) const { return range.first == range_.first && range.last == range_.last; }
  std::uint64_t count() const { return count_; }

 private:
  bool visit(std::uint64_t offset, BytesView bytes) override;
  const BitRange range_;
  std::uint64_t count_ = 0;
};

// What of `range` lies in a chunk, counted from its first bit.
BitRange range_in_chunk(BitRange range, std::uint64_t offset, BytesView bytes) {
  const auto base = static_cast<std::int64_t>(offset * kByteBits);
  const auto last = static_cast<std::int64_t>(bytes.size() * kByteBits) - 1;
  return {std::max<std::int64_t>(range.first - base, 0), std::min(range.last - base, last)};
}

bool BitCount::visit(std::uint64_t offset, BytesView bytes) {
  count_ += bits::count_ones(bytes, range_in_chunk(range_, offset, bytes));
  return true;
}

// Searches in chunks.
class BitSearch final : public LargeScan {
 public:
  BitSearch(std::shared_ptr<engine::LargeValue> value, const engine::LargeValueReference& reference,
            std::uint64_t begin, std::uint64_t length, BitRange range, bool wanted)
      : LargeScan(std::move(value), reference, begin, length), range_(range), wanted_(wanted) {}
  bool is_for(BitRange range, bool wanted) const {
    return range.first == range_.first && range.last == range_.last && wanted == wanted_;
  }
  std::optional<std::uint64_t> found() const { return found_; }

 private:
  bool visit(std::uint64_t offset, BytesView bytes) override {
    found_ = bits::find_bit(bytes, range_in_chunk(range_, offset, bytes), wanted_);
    if (found_) *found_ += offset * kByteBits;
    return !found_;
  }
  const BitRange range_;
  const bool wanted_;
  std::optional<std::uint64_t> found_;
};

// The scan of the bytes that `range` lies in.
template <class Scan, class... More>
engine::Result<std::shared_ptr<const Scan>> scanned_range(CommandContext& context, const Value& value,
                                                          BitRange range, More... more) {
  const auto begin = static_cast<std::uint64_t>(range.first / kByteBits);
  const auto end = static_cast<std::uint64_t>(range.last / kByteBits) + 1;
  return scanned<Scan>(context.keyspace, value, begin, end - begin, range, more...);
}

// BITCOUNT key [start end [BYTE | BIT]] -> how many bits are 1
engine::Status bitcount(CommandContext& context, Arguments arguments) {
  const BytesView key = arguments.take();
  RangeArgument range;
  if (!arguments.empty()) {
    if (arguments.remaining() != 2 && arguments.remaining() != 3) return reply_error(context, kSyntaxError);
    range.start = arguments.take_integer();
    range.end = arguments.take_integer();
    take_range_unit(arguments, range);
  }
  if (arguments.failed()) return reply_error(context, arguments.error());
  const auto found = context.keyspace.read(key);
  if (!found) return found.error();
  if (is_other_type(*found)) return reply_error(context, kWrongType);
  const bool crossed = range.start < 0 && range.end < 0 && range.start > range.end;
  const BitRange counted = *found && !crossed ? range.of((*found)->size()) : BitRange{};
  if (counted.empty()) return reply_integer(context, 0);
  if (!(*found)->large) {
    return reply_integer(context, static_cast<std::int64_t>(bits::count_ones((*found)->payload, counted)));
  }
  const auto scan = scanned_range<BitCount>(context, **found, counted);
  if (!scan) return scan.error();
  return reply_integer(context, static_cast<std::int64_t>((*scan)->count()));
}

// BITPOS key bit [start [end [BYTE | BIT]]] -> the first bit that is so, or -1; a string is followed by zeros
// where no end is given
engine::Status bitpos(CommandContext& context, Arguments arguments) {
  const BytesView key = arguments.take();
  const std::int64_t bit = arguments.take_integer();
  if (!arguments.failed() && bit != 0 && bit != 1) {
    return reply_error(context, "ERR The bit argument must be 1 or 0.");
  }
  RangeArgument range;
  if (arguments.remaining() > 3) arguments.fail(kSyntaxError);
  if (!arguments.empty()) range.start = arguments.take_integer();
  if (!arguments.empty()) {
    // Redis looks at the unit before it looks at the end.
    const std::string_view end = arguments.take();
    take_range_unit(arguments, range);
    const auto parsed = protocol::parse_integer(end);
    if (!parsed) arguments.fail(kNotAnInteger);
    range.end = parsed.value_or(-1);
    range.end_given = true;
  }
  if (arguments.failed()) return reply_error(context, arguments.error());
  const auto found = context.keyspace.read(key);
  if (!found) return found.error();
  if (is_other_type(*found)) return reply_error(context, kWrongType);
  if (!*found) return reply_integer(context, bit == 1 ? -1 : 0);

  const Value& value = **found;
  const BitRange searched = range.of(value.size());
  if (searched.empty()) return reply_integer(context, -1);
  std::optional<std::uint64_t> place;
  if (!value.large) {
    place = bits::find_bit(value.payload, searched, bit == 1);
  } else {
    const auto scan = scanned_range<BitSearch>(context, value, searched, bit == 1);
    if (!scan) return scan.error();
    place = (*scan)->found();
  }
  if (!place && bit == 0 && !range.end_given) place = value.size() * kByteBits;
  return reply_integer(context, place ? static_cast<std::int64_t>(*place) : -1);
}

std::optional<bits::Operation> parse_operation(std::string_view name) {
  using enum bits::Operation;
  if (equals_ignoring_case(name, "AND")) return bit_and;
  if (equals_ignoring_case(name, "OR")) return bit_or;
  if (equals_ignoring_case(name, "XOR")) return bit_xor;
  if (equals_ignoring_case(name, "NOT")) return bit_not;
  return std::nullopt;
}

Bytes combined(bits::Operation operation, std::span<const Value> sources, std::size_t length) {
  Bytes result(sources[0].payload);
  result.resize(length);
  if (operation == bits::Operation::bit_not) bits::invert(result);
  for (const Value& source : sources.subspan(1)) bits::combine(operation, result, source.payload);
  return result;
}

// Errors: not_resident while a large result is being made; corruption, io, no_space.
engine::Status store_combined(CommandContext& context, BytesView destination, bits::Operation operation,
                              const std::vector<Value>& sources, std::uint64_t length) {
  Keyspace& keyspace = context.keyspace;
  const bool any_large =
      std::ranges::any_of(sources, [](const Value& source) { return source.large.has_value(); });
  if (!any_large && !is_composed_in_file(context, {}, {}, length)) {
    keyspace.store_edited(destination, combined(operation, sources, length), kNoExpiry);
    return {};
  }
  std::vector<engine::LargePiece> pieces;
  for (const Value& source : sources) pieces.push_back(keyspace.piece(source, 0, source.size()));
  const BytesView position = keyspace.position(destination);
  for (const auto& load : keyspace.loads()) {
    const auto* made = dynamic_cast<const LargeBitOperation*>(load.get());
    if (made == nullptr || !made->makes(operation, pieces, position)) continue;
    if (!made->status()) return made->status();
    keyspace.store_made(destination, made->result(), kNoExpiry);
    return {};
  }
  keyspace.reads().missing.push_back(
      std::make_shared<LargeBitOperation>(operation, std::move(pieces), keyspace.stage(length), position));
  return engine::Error{engine::ErrorKind::not_resident, {}};
}

// BITOP AND | OR | XOR | NOT destination key [key ...] -> length of what is now at destination
engine::Status bitop(CommandContext& context, Arguments arguments) {
  const auto operation = parse_operation(arguments.take());
  const BytesView destination = arguments.take();
  if (!operation) return reply_error(context, kSyntaxError);
  if (*operation == bits::Operation::bit_not && arguments.remaining() != 1) {
    return reply_error(context, "ERR BITOP NOT must be called with a single source key.");
  }
  std::vector<Value> sources;
  std::uint64_t length = 0;
  while (!arguments.empty()) {
    const auto found = context.keyspace.read(arguments.take());
    if (!found) return found.error();
    if (is_other_type(*found)) return reply_error(context, kWrongType);
    sources.push_back(found->value_or(Value{}));
    length = std::max(length, sources.back().size());
  }
  const auto old = context.keyspace.find(destination);
  if (!old) return old.error();
  if (length == 0) {
    if (!*old) return reply_integer(context, 0);
    context.keyspace.erase(destination);
    context.notify(KeyEventClass::generic, "del", destination);
    return reply_integer(context, 0);
  }
  if (auto stored = store_combined(context, destination, *operation, sources, length); !stored) return stored;
  if (!*old) context.notify(KeyEventClass::new_key, "new", destination);
  context.notify(KeyEventClass::string, "set", destination);
  return reply_integer(context, static_cast<std::int64_t>(length));
}

constexpr KeyFlags kReads = KeyFlag::ro | KeyFlag::access;
constexpr KeyPositions kOperands[] = {keys_from(3, kReads)};

constexpr ArgumentSpec kUnits[] = {
    {.name = "byte", .type = pure_token, .token = "BYTE"},
    {.name = "bit", .type = pure_token, .token = "BIT"},
};
constexpr ArgumentSpec kCountRange[] = {
    {.name = "start", .type = integer},
    {.name = "end", .type = integer},
    {.name = "unit", .type = oneof, .optional = true, .children = kUnits},
};
constexpr ArgumentSpec kCountArguments[] = {
    {.name = "key", .type = key},
    {.name = "range", .type = block, .optional = true, .children = kCountRange},
};
constexpr ArgumentSpec kSearchEnd[] = {
    {.name = "end", .type = integer},
    {.name = "unit", .type = oneof, .optional = true, .children = kUnits},
};
constexpr ArgumentSpec kSearchRange[] = {
    {.name = "start", .type = integer},
    {.name = "end-unit-block", .type = block, .optional = true, .children = kSearchEnd},
};
constexpr ArgumentSpec kSearchArguments[] = {
    {.name = "key", .type = key},
    {.name = "bit", .type = integer},
    {.name = "range", .type = block, .optional = true, .children = kSearchRange},
};
constexpr ArgumentSpec kOperations[] = {
    {.name = "and", .type = pure_token, .token = "AND"},
    {.name = "or", .type = pure_token, .token = "OR"},
    {.name = "xor", .type = pure_token, .token = "XOR"},
    {.name = "not", .type = pure_token, .token = "NOT"},
};
constexpr ArgumentSpec kOperationArguments[] = {
    {.name = "operation", .type = oneof, .children = kOperations},
    {.name = "destkey", .type = key},
    {.name = "key", .type = key, .multiple = true},
};
constexpr ArgumentSpec kGetArguments[] = {
    {.name = "key", .type = key},
    {.name = "offset", .type = integer},
};
constexpr ArgumentSpec kSetArguments[] = {
    {.name = "key", .type = key},
    {.name = "offset", .type = integer},
    {.name = "value", .type = integer},
};

constexpr CommandSpec kBitCommands[] = {
    {.name = "bitcount",
     .arity = at_least(2),
     .flags = readonly,
     .keys = one_key(1, kReads),
     .group = "bitmap",
     .since = "2.6.0",
     .complexity = "O(N), N being the length of the range",
     .summary = "Counts the bits that are 1 in a string.",
     .arguments = kCountArguments,
     .handler = bitcount},
    {.name = "bitop",
     .arity = at_least(4),
     .flags = write | denyoom,
     .keys = one_key(2, KeyFlag::ow | KeyFlag::update),
     .more_keys = kOperands,
     .group = "bitmap",
     .since = "2.6.0",
     .complexity = "O(N), N being the length of all strings",
     .summary = "Combines strings bit by bit, and stores the result.",
     .arguments = kOperationArguments,
     .handler = bitop},
    {.name = "bitpos",
     .arity = at_least(3),
     .flags = readonly,
     .keys = one_key(1, kReads),
     .group = "bitmap",
     .since = "2.8.7",
     .complexity = "O(N), N being the length of the range",
     .summary = "Finds the first bit that is 1, or 0, in a string.",
     .arguments = kSearchArguments,
     .handler = bitpos},
    {.name = "getbit",
     .arity = exactly(3),
     .flags = readonly | fast,
     .keys = one_key(1, kReads),
     .group = "bitmap",
     .since = "2.2.0",
     .complexity = "O(1)",
     .summary = "Gives one bit of a string.",
     .arguments = kGetArguments,
     .handler = getbit},
    {.name = "setbit",
     .arity = exactly(4),
     .flags = write | denyoom,
     .keys = one_key(1, KeyFlag::rw | KeyFlag::access | KeyFlag::update),
     .group = "bitmap",
     .since = "2.2.0",
     .complexity = "O(N), N being the length of the string, which is written anew",
     .summary = "Sets or clears one bit of a string, which is created if it is missing.",
     .arguments = kSetArguments,
     .handler = setbit},
};
static_assert(sorted_and_unique(kBitCommands));

}  // namespace

std::span<const CommandSpec> bit_commands() { return kBitCommands; }

}  // namespace shale::server
