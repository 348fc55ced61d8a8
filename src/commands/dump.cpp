// DUMP and RESTORE: a value as bytes that another server understands.
#include <algorithm>
#include <vector>

#include "protocol/number_text.h"
#include "src/command/arguments.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/commands/string_values.h"
#include "src/large_scan.h"
#include "src/memory_budget.h"
#include "src/rdb/crc64.h"
#include "src/rdb/dump_payload.h"
#include "src/server.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

// The checksum of a large value behind `before`.
class Checksum final : public LargeScan {
 public:
  Checksum(std::shared_ptr<engine::LargeValue> value, const engine::LargeValueReference& reference,
           std::uint64_t begin, std::uint64_t length, std::uint64_t before)
      : LargeScan(std::move(value), reference, begin, length), crc_(before) {}
  static bool is_for(std::uint64_t) { return true; }
  std::uint64_t crc() const { return crc_; }

 private:
  bool visit(std::uint64_t, BytesView bytes) override {
    crc_ = rdb::crc64(crc_, bytes);
    return true;
  }
  std::uint64_t crc_;
};

// Its bytes are read twice: for the checksum, and as they are sent. They are not compressed.
engine::Status dump_large(CommandContext& context, const Value& value) {
  const Bytes header = rdb::string_header(value.size());
  const auto checksum = scanned<Checksum>(context.keyspace, value, 0, value.size(), rdb::crc64(0, header));
  if (!checksum) return checksum.error();
  auto opened = context.keyspace.open_large(*value.large);
  if (!opened) return opened.error();
  const Bytes footer = rdb::footer((*checksum)->crc());
  const std::size_t offset = context.reply.bulk_without_bytes(value.size(), header, footer);
  context.large_replies.push_back({offset, std::move(*opened), 0, value.size()});
  return {};
}

// DUMP key -> the value for RESTORE, or null
engine::Status dump(CommandContext& context, Arguments arguments) {
  const auto found = context.keyspace.read(arguments.take());
  if (!found) return found.error();
  if (!*found) return reply_null(context);
  if ((*found)->large) return dump_large(context, **found);
  return reply_bulk(context, rdb::dump_string((*found)->payload));
}

struct RestoreOptions {
  bool replace = false;
  bool absolute_expiry = false;
  std::int64_t idle_s = 0;
};

// FREQ is checked, and has no effect: accesses are counted, and not set.
RestoreOptions take_restore_options(Arguments& arguments) {
  RestoreOptions options;
  bool idle_time_given = false;
  bool frequency_given = false;
  while (!arguments.empty() && !arguments.failed()) {
    if (arguments.take_word("REPLACE")) {
      options.replace = true;
    } else if (arguments.take_word("ABSTTL")) {
      options.absolute_expiry = true;
    } else if (!frequency_given && arguments.take_word("IDLETIME", 1)) {
      idle_time_given = true;
      options.idle_s = arguments.take_integer();
      if (options.idle_s < 0) arguments.fail("ERR Invalid IDLETIME value, must be >= 0");
    } else if (!idle_time_given && arguments.take_word("FREQ", 1)) {
      frequency_given = true;
      const std::int64_t frequency = arguments.take_integer();
      if (frequency < 0 || frequency > 255) arguments.fail("ERR Invalid FREQ value, must be >= 0 and <= 255");
    } else {
      arguments.fail(kSyntaxError);
    }
  }
  return options;
}

// What a payload may make in memory: it can be a thousand times as long as it is itself.
std::uint64_t restored_bytes_max(CommandContext& context) {
  const MemoryBudget& budget = context.server.memory_budget();
  const std::uint64_t share = std::max(budget.connections / 4, large_value_bytes(budget));
  return std::min<std::uint64_t>(share, string_bytes_max(context));
}

engine::Status store_restored(CommandContext& context, BytesView key, const Bytes& bytes,
                              std::int64_t expires_at_ms) {
  if (!is_composed_in_file(context, {}, {}, bytes.size())) {
    context.keyspace.store(key, bytes, expires_at_ms);
    return {};
  }
  return context.keyspace.store_composed(key, {engine::LargePiece::of(bytes)}, expires_at_ms);
}

// RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency] -> OK
engine::Status restore(CommandContext& context, Arguments arguments) {
  const BytesView key = arguments.take();
  const std::string_view expiry_text = arguments.take();
  const BytesView payload = arguments.take();
  const RestoreOptions options = take_restore_options(arguments);
  if (arguments.failed()) return reply_error(context, arguments.error());
  const auto old = context.keyspace.find(key);
  if (!old) return old.error();
  if (*old && !options.replace) return reply_error(context, "BUSYKEY Target key name already exists.");

  const auto expiry = protocol::parse_integer(expiry_text);
  if (!expiry) return reply_error(context, kNotAnInteger);
  if (*expiry < 0) return reply_error(context, "ERR Invalid TTL value, must be >= 0");
  if (!rdb::is_sound(payload)) {
    return reply_error(context, "ERR DUMP payload version or checksum are wrong");
  }
  const auto restored = rdb::restore_string(payload, restored_bytes_max(context));
  if (restored.damage == rdb::Damage::too_long) return reply_error(context, kStringTooLong);
  if (restored.damage != rdb::Damage::none) return reply_error(context, "ERR Bad data format");

  std::int64_t expires_at_ms = *expiry;
  const std::int64_t now_ms = context.keyspace.now_ms();
  if (*expiry != 0 && !options.absolute_expiry && __builtin_add_overflow(*expiry, now_ms, &expires_at_ms)) {
    return reply_error(context, "ERR Invalid TTL value, must be >= 0");
  }
  if (*expiry != 0 && expires_at_ms <= now_ms) {
    if (!*old) return reply_ok(context);
    context.keyspace.erase(key);
    context.notify(KeyEventClass::generic, "del", key);
    return reply_ok(context);
  }
  if (auto stored = store_restored(context, key, restored.bytes, *expiry == 0 ? kNoExpiry : expires_at_ms);
      !stored) {
    return stored;
  }
  // Not before 1, for 0 means never.
  context.server.last_uses().note(context.keyspace.hash(key),
                                  std::max<std::int64_t>(1, now_ms / 1000 - options.idle_s));
  context.notify(KeyEventClass::new_key, "new", key);
  context.notify(KeyEventClass::generic, "restore", key);
  return reply_ok(context);
}

constexpr ArgumentSpec kKeyOnly[] = {{.name = "key", .type = key}};
constexpr ArgumentSpec kRestoreArguments[] = {
    {.name = "key", .type = key},
    {.name = "ttl", .type = integer},
    {.name = "serialized-value"},
    {.name = "replace", .type = pure_token, .token = "REPLACE", .optional = true},
    {.name = "absttl", .type = pure_token, .token = "ABSTTL", .optional = true},
    {.name = "seconds", .type = integer, .token = "IDLETIME", .optional = true},
    {.name = "frequency", .type = integer, .token = "FREQ", .optional = true},
};

constexpr CommandSpec kDumpCommands[] = {
    {.name = "dump",
     .arity = exactly(2),
     .flags = readonly,
     .keys = one_key(1, KeyFlag::ro | KeyFlag::access),
     .categories = AclCategory::keyspace,
     .group = "generic",
     .since = "2.6.0",
     .complexity = "O(N), N being the length of the value",
     .summary = "Gives a key's value in a form that RESTORE takes, here or in Redis.",
     .tips = "nondeterministic_output",
     .arguments = kKeyOnly,
     .handler = dump},
    {.name = "restore",
     .arity = at_least(4),
     .flags = write | denyoom,
     .keys = one_key(1, KeyFlag::ow | KeyFlag::update),
     .categories = AclCategory::keyspace | AclCategory::dangerous,
     .group = "generic",
     .since = "2.6.0",
     .complexity = "O(N), N being the length of the value",
     .summary = "Creates a key from what DUMP has given, here or in Redis.",
     .arguments = kRestoreArguments,
     .handler = restore,
     .key_use = KeyUse::look},
    {.name = "restore-asking",
     .arity = at_least(4),
     .flags = write | denyoom | asking,
     .keys = one_key(1, KeyFlag::ow | KeyFlag::update),
     .categories = AclCategory::keyspace | AclCategory::dangerous,
     .group = "server",
     .since = "3.0.0",
     .complexity = "O(N), N being the length of the value",
     .summary = "The same, as one node of a cluster asks another.",
     .arguments = kRestoreArguments,
     .handler = restore,
     .key_use = KeyUse::look},
};
static_assert(sorted_and_unique(kDumpCommands));

}  // namespace

std::span<const CommandSpec> dump_commands() { return kDumpCommands; }

}  // namespace shale::server
