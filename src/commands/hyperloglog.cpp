// HyperLogLog: counts of different elements, kept in strings.
#include "src/hyperloglog/hyperloglog.h"

#include <fmt/format.h>

#include <memory>
#include <random>

#include "src/command/arguments.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/commands/string_values.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;
using hyperloglog::Change;
using hyperloglog::Registers;

constexpr std::string_view kNotHyperLogLog = "WRONGTYPE Key is not a valid HyperLogLog string value.";
constexpr std::string_view kCorrupt = "INVALIDOBJ Corrupted HLL object detected";

// The error for a key's value that is none; empty if it is one, or absent.
std::string_view refusal_of(const std::optional<Value>& value) {
  if (!value) return {};
  if (is_other_type(value)) return kWrongType;
  return !value->large && hyperloglog::is_valid(value->payload) ? std::string_view{} : kNotHyperLogLog;
}

std::size_t sparse_bytes_max(CommandContext& context) {
  return static_cast<std::size_t>(context.server.config().number(Option::hll_sparse_max_bytes));
}

void store(CommandContext& context, BytesView key, const Bytes& sketch, const std::optional<Value>& old) {
  context.keyspace.store_edited(key, sketch, old ? old->expires_at_ms : kNoExpiry);
}

// PFADD key [element ...] -> 1 if the estimate may have changed or the key is new, else 0
engine::Status pfadd(CommandContext& context, Arguments arguments) {
  const BytesView key = arguments.take();
  const auto found = context.keyspace.find(key);
  if (!found) return found.error();
  if (const auto refusal = refusal_of(*found); !refusal.empty()) return reply_error(context, refusal);

  Bytes sketch = *found ? Bytes((*found)->payload) : hyperloglog::make_empty();
  bool changed = !*found;
  const std::size_t bytes_max = sparse_bytes_max(context);
  while (!arguments.empty()) {
    const Change change = hyperloglog::add(sketch, arguments.take(), bytes_max);
    if (change == Change::corrupt) return reply_error(context, kCorrupt);
    changed |= change == Change::made;
  }
  if (changed) {
    hyperloglog::drop_estimate(sketch);
    store(context, key, sketch, *found);
    if (!*found) context.notify(KeyEventClass::new_key, "new", key);
    context.notify(KeyEventClass::string, "pfadd", key);
  }
  return reply_integer(context, changed);
}

// Raises `registers` to those of all keys. Replies the error if there is one.
engine::Result<bool> merge_keys(CommandContext& context, Arguments keys, Registers& registers,
                                bool* any_dense = nullptr) {
  while (!keys.empty()) {
    const auto found = context.keyspace.read(keys.take());
    if (!found) return found.error();
    std::string_view refusal = refusal_of(*found);
    if (refusal.empty() && *found) {
      const BytesView sketch = (*found)->payload;
      if (any_dense != nullptr) *any_dense |= hyperloglog::encoding(sketch) == hyperloglog::Encoding::dense;
      if (!hyperloglog::merge(registers, sketch)) refusal = kCorrupt;
    }
    if (refusal.empty()) continue;
    static_cast<void>(reply_error(context, refusal).has_value());
    return false;
  }
  return true;
}

// PFCOUNT key -> the estimate, which is kept in the value as Redis does
engine::Status pfcount_one(CommandContext& context, BytesView key) {
  const auto found = context.keyspace.read(key);
  if (!found) return found.error();
  if (const auto refusal = refusal_of(*found); !refusal.empty()) return reply_error(context, refusal);
  if (!*found) return reply_integer(context, 0);
  if (const auto kept = hyperloglog::kept_estimate((*found)->payload)) {
    return reply_integer(context, static_cast<std::int64_t>(*kept));
  }
  Registers registers{};
  if (!hyperloglog::merge(registers, (*found)->payload)) return reply_error(context, kCorrupt);
  const std::uint64_t estimate = hyperloglog::estimate(registers);
  Bytes sketch((*found)->payload);
  hyperloglog::keep_estimate(sketch, estimate);
  store(context, key, sketch, *found);
  return reply_integer(context, static_cast<std::int64_t>(estimate));
}

// PFCOUNT key [key ...] -> about how many different elements have been added to any of the keys
engine::Status pfcount(CommandContext& context, Arguments arguments) {
  if (arguments.remaining() == 1) return pfcount_one(context, arguments.take());
  Registers registers{};
  const auto merged = merge_keys(context, arguments, registers);
  if (!merged) return merged.error();
  if (!*merged) return {};
  return reply_integer(context, static_cast<std::int64_t>(hyperloglog::estimate(registers)));
}

// PFMERGE destination [key ...] -> OK; destination counts as one of the keys
engine::Status pfmerge(CommandContext& context, Arguments arguments) {
  Registers registers{};
  bool any_dense = false;
  const auto merged = merge_keys(context, arguments, registers, &any_dense);
  if (!merged) return merged.error();
  if (!*merged) return {};

  const BytesView destination = arguments.take();
  const auto old = context.keyspace.find(destination);
  if (!old) return old.error();
  Bytes sketch = *old ? Bytes((*old)->payload) : hyperloglog::make_empty();
  const std::size_t bytes_max = sparse_bytes_max(context);
  bool sound = !any_dense || hyperloglog::make_dense(sketch);
  for (std::size_t index = 0; sound && index < registers.size(); ++index) {
    if (registers[index] != 0) {
      sound = hyperloglog::raise(sketch, index, registers[index], bytes_max) != Change::corrupt;
    }
  }
  if (!sound) return reply_error(context, kCorrupt);
  hyperloglog::drop_estimate(sketch);
  store(context, destination, sketch, *old);
  if (!*old) context.notify(KeyEventClass::new_key, "new", destination);
  context.notify(KeyEventClass::string, "pfadd", destination);  // as Redis calls it
  return reply_ok(context);
}

// Makes the value of `key` dense, where it is not. False if that has been replied as an error.
bool densify(CommandContext& context, BytesView key, const Value& old, Bytes& sketch) {
  if (hyperloglog::encoding(sketch) == hyperloglog::Encoding::dense) return true;
  if (!hyperloglog::make_dense(sketch)) {
    static_cast<void>(reply_error(context, kCorrupt).has_value());
    return false;
  }
  store(context, key, sketch, old);
  return true;
}

void reply_registers(CommandContext& context, BytesView sketch) {
  Registers registers{};
  hyperloglog::merge(registers, sketch);  // dense: it cannot be corrupt
  context.reply.array(registers.size());
  for (const std::uint8_t count : registers) context.reply.integer(count);
}

// PFDEBUG GETREG | DECODE | ENCODING | TODENSE key -> what the value is like inside
engine::Status pfdebug(CommandContext& context, Arguments arguments) {
  const std::string_view what = arguments.take();
  const BytesView key = arguments.take();
  const auto found = context.keyspace.find(key);
  if (!found) return found.error();
  if (!*found) return reply_error(context, "ERR The specified key does not exist");
  if (const auto refusal = refusal_of(*found); !refusal.empty()) return reply_error(context, refusal);

  Bytes sketch((*found)->payload);
  const bool is_sparse = hyperloglog::encoding(sketch) == hyperloglog::Encoding::sparse;
  if (equals_ignoring_case(what, "GETREG")) {
    if (densify(context, key, **found, sketch)) reply_registers(context, sketch);
  } else if (equals_ignoring_case(what, "DECODE")) {
    if (!is_sparse) return reply_error(context, "ERR HLL encoding is not sparse");
    context.reply.bulk(hyperloglog::describe_runs(sketch));
  } else if (equals_ignoring_case(what, "ENCODING")) {
    context.reply.simple_string(is_sparse ? "sparse" : "dense");
  } else if (equals_ignoring_case(what, "TODENSE")) {
    if (densify(context, key, **found, sketch)) context.reply.integer(is_sparse);
  } else {
    return reply_error(context, fmt::format("ERR Unknown PFDEBUG subcommand '{}'", what));
  }
  return {};
}

// What PFSELFTEST has found wrong, or nothing: elements are added to a value as clients do, and the estimate
// must stay within four standard errors.
std::string self_test() {
  constexpr std::uint64_t kElements = 100'000;
  constexpr double kErrorMax = 4 * 1.04 / 128;
  Bytes sketch = hyperloglog::make_empty();
  std::mt19937_64 random;  // NOLINT(cert-msc51-cpp): the same elements each time
  std::uint64_t checked_at = 1;
  for (std::uint64_t count = 1; count <= kElements; ++count) {
    const std::uint64_t element = random();
    hyperloglog::add(sketch, {reinterpret_cast<const char*>(&element), sizeof element});
    if (count != checked_at) continue;
    checked_at *= 10;
    Registers registers{};
    if (!hyperloglog::merge(registers, sketch)) return fmt::format("corrupt after {} elements", count);
    const auto off = static_cast<double>(hyperloglog::estimate(registers)) - static_cast<double>(count);
    if (off * off > kErrorMax * kErrorMax * static_cast<double>(count * count) + 1) {
      return fmt::format("the estimate of {} elements is off by {}", count, off);
    }
  }
  return {};
}

// PFSELFTEST -> OK, or what is wrong with the estimates
engine::Status pfselftest(CommandContext& context, Arguments) {
  const std::string wrong = self_test();
  return wrong.empty() ? reply_ok(context) : reply_error(context, fmt::format("ERR TESTFAILED {}", wrong));
}

constexpr KeyFlags kReads = KeyFlag::ro | KeyFlag::access;
constexpr KeyPositions kMerged[] = {keys_from(2, kReads)};

constexpr ArgumentSpec kAddArguments[] = {
    {.name = "key", .type = key},
    {.name = "element", .optional = true, .multiple = true},
};
constexpr ArgumentSpec kKeys[] = {{.name = "key", .type = key, .multiple = true}};
constexpr ArgumentSpec kMergeArguments[] = {
    {.name = "destkey", .type = key},
    {.name = "sourcekey", .type = key, .optional = true, .multiple = true},
};
constexpr ArgumentSpec kDebugArguments[] = {
    {.name = "subcommand"},
    {.name = "key", .type = key},
};

constexpr CommandSpec kHyperLogLogCommands[] = {
    {.name = "pfadd",
     .arity = at_least(2),
     .flags = write | denyoom | fast,
     .keys = one_key(1, KeyFlag::rw | KeyFlag::insert),
     .group = "hyperloglog",
     .since = "2.8.9",
     .complexity = "O(1) for each element, and the value, of 12 KiB at most, is written anew",
     .summary = "Adds elements to a HyperLogLog, which is created if it is missing.",
     .arguments = kAddArguments,
     .handler = pfadd},
    {.name = "pfcount",
     .arity = at_least(2),
     .flags = readonly,
     .keys = keys_from(1, KeyFlag::rw | KeyFlag::access),
     .group = "hyperloglog",
     .since = "2.8.9",
     .complexity = "O(1) for each key, and once more where the estimate of a single one is known already",
     .summary = "Estimates how many different elements have been added to any of the HyperLogLogs.",
     .arguments = kKeys,
     .handler = pfcount},
    {.name = "pfdebug",
     .arity = exactly(3),
     .flags = write | denyoom | admin,
     .keys = one_key(2, KeyFlag::rw | KeyFlag::access),
     .group = "hyperloglog",
     .since = "2.8.9",
     .complexity = "O(1)",
     .summary = "Shows what a HyperLogLog is like inside.",
     .arguments = kDebugArguments,
     .handler = pfdebug},
    {.name = "pfmerge",
     .arity = at_least(2),
     .flags = write | denyoom,
     .keys = one_key(1, KeyFlag::rw | KeyFlag::access | KeyFlag::insert),
     .more_keys = kMerged,
     .group = "hyperloglog",
     .since = "2.8.9",
     .complexity = "O(1) for each key",
     .summary = "Stores the union of HyperLogLogs.",
     .arguments = kMergeArguments,
     .handler = pfmerge},
    {.name = "pfselftest",
     .arity = exactly(1),
     .flags = admin,
     .group = "hyperloglog",
     .since = "2.8.9",
     .complexity = "O(1): some 10 milliseconds",
     .summary = "Checks that the estimates of HyperLogLogs are right.",
     .handler = pfselftest},
};
static_assert(sorted_and_unique(kHyperLogLogCommands));

}  // namespace

std::span<const CommandSpec> hyperloglog_commands() { return kHyperLogLogCommands; }

}  // namespace shale::server
