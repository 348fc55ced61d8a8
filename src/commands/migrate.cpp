// MIGRATE: keys move to another server. The connection is src/migration.h's; here values are read, and keys
// that have arrived are erased.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "protocol/number_text.h"
#include "src/command/arguments.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/commands/string_values.h"
#include "src/commands/wait_for_job.h"
#include "src/migration.h"
#include "src/rdb/dump_payload.h"
#include "src/server.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

constexpr std::size_t kKeyWord = 3;
constexpr std::size_t kFirstOption = 6;
// A key that has been written to while its value was on its way is sent again, so often at most.
constexpr int kRoundsMax = 8;

struct MigrateOptions {
  bool copy = false;
  bool replace = false;
  std::string_view user;
  std::string_view password;
  std::optional<std::size_t> first_key;  // the word behind KEYS
};

MigrateOptions take_migrate_options(Arguments& arguments) {
  MigrateOptions options;
  while (!arguments.empty() && !arguments.failed()) {
    if (arguments.take_word("COPY")) {
      options.copy = true;
    } else if (arguments.take_word("REPLACE")) {
      options.replace = true;
    } else if (arguments.take_word("AUTH", 1)) {
      options.password = arguments.take();
    } else if (arguments.take_word("AUTH2", 2)) {
      options.user = arguments.take();
      options.password = arguments.take();
    } else if (arguments.take_word("KEYS")) {
      options.first_key = arguments.all().size() - arguments.remaining();
      break;
    } else {
      arguments.fail(kSyntaxError);
    }
  }
  return options;
}

constexpr KeyFlags kMoves = KeyFlag::rw | KeyFlag::access | KeyFlag::erases;
constexpr KeyPositions kOneKey = one_key(kKeyWord, kMoves);
constexpr KeyPositions kFurtherKeys[] = {keys_somewhere(kMoves)};

KeyPositions migrate_key_positions(std::span<const std::string_view> words) {
  if (words.size() <= kFirstOption || !words[kKeyWord].empty()) return kOneKey;
  Arguments arguments(words, kFirstOption);
  const auto first = take_migrate_options(arguments).first_key;
  return first ? keys_from(static_cast<int>(*first), kMoves) : kOneKey;
}

// The value as DUMP gives it. Errors: not_resident, corruption, io.
engine::Result<Bytes> dumped(Keyspace& keyspace, const Value& value) {
  if (!value.large) return rdb::dump_string(value.payload);
  const auto bytes = read_bytes(keyspace, value, 0, value.size());
  if (!bytes) return bytes.error();
  return rdb::dump_string(*bytes);
}

std::int64_t ttl_ms(const Value& value, std::int64_t now_ms) {
  if (value.expires_at_ms == kNoExpiry) return 0;
  return std::max<std::int64_t>(1, value.expires_at_ms - now_ms);
}

engine::Status begin_round(CommandContext& context, MigrationTarget target, std::vector<MigratedKey> keys,
                           int round) {
  auto& migration = context.session.migration;
  migration = context.server.migrations().begin(std::move(target), std::move(keys), round);
  if (migration == nullptr) {
    return reply_error(context, fmt::format("IOERR {} keys or sets of keys are being migrated already",
                                            Migrations::kAtOnceMax));
  }
  wait_for<MigrationOutcome>(context, migration);
  return {};
}

// What is there of `names`. Nothing if they are too much for one command, which has been replied.
engine::Result<std::optional<std::vector<MigratedKey>>> read_keys(CommandContext& context,
                                                                  std::span<const std::string_view> names) {
  const std::size_t bytes_max = reply_bytes_max(context.server);
  std::size_t bytes = 0;
  std::vector<MigratedKey> keys;
  const auto too_much = [&]() -> engine::Result<std::optional<std::vector<MigratedKey>>> {
    static_cast<void>(
        reply_error(context, fmt::format("ERR more than {} bytes to be migrated at once", bytes_max))
            .has_value());
    return std::optional<std::vector<MigratedKey>>{};
  };
  for (const std::string_view name : names) {
    const auto found = context.keyspace.find(name);
    if (!found) return found.error();
    if (!*found) continue;
    if ((*found)->size() > bytes_max) return too_much();
    auto payload = dumped(context.keyspace, **found);
    if (!payload) return payload.error();
    bytes += payload->size() + name.size();
    if (bytes > bytes_max) return too_much();
    keys.push_back(
        {Bytes(name), std::move(*payload), ttl_ms(**found, context.keyspace.now_ms()), false, false});
  }
  return std::optional{std::move(keys)};
}

engine::Status begin_migration(CommandContext& context, Arguments arguments) {
  MigrationTarget target;
  target.host = arguments.take();
  target.port = arguments.take();
  const std::string_view key_word = arguments.take();
  const std::string_view database_text = arguments.take();
  const std::string_view timeout_text = arguments.take();
  const auto all = arguments.all();
  const MigrateOptions options = take_migrate_options(arguments);
  if (arguments.failed()) return reply_error(context, arguments.error());
  if (options.first_key && !key_word.empty()) {
    return reply_error(
        context, "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string");
  }
  const auto timeout = protocol::parse_integer(timeout_text);
  const auto database = protocol::parse_integer(database_text);
  if (!timeout || !database) return reply_error(context, kNotAnInteger);
  constexpr std::int64_t kTimeoutMsDefault = 1000;
  constexpr std::int64_t kTimeoutMsMax = 24LL * 3600 * 1000;
  target.timeout =
      std::chrono::milliseconds{*timeout <= 0 ? kTimeoutMsDefault : std::min(*timeout, kTimeoutMsMax)};
  target.database = *database;
  target.user = options.user;
  target.password = options.password;
  target.replace = options.replace;
  target.asking = context.server.in_cluster_mode();

  auto keys =
      read_keys(context, options.first_key ? all.subspan(*options.first_key) : all.subspan(kKeyWord, 1));
  if (!keys) return keys.error();
  if (!*keys) return {};
  if ((*keys)->empty()) {
    context.reply.simple_string("NOKEY");
    return {};
  }
  return begin_round(context, std::move(target), std::move(**keys), 1);
}

// Of the keys that the target has taken, those whose values are still the same.
struct Arrived {
  std::vector<const MigratedKey*> same;
  std::vector<MigratedKey> again;  // what has to be sent once more, if there is anything; and what is there
};

engine::Result<Arrived> compare(CommandContext& context, const Migration& migration,
                                const MigrationOutcome& outcome) {
  Arrived arrived;
  bool any_changed = false;
  for (std::size_t index = 0; index < outcome.accepted.size(); ++index) {
    const MigratedKey& key = migration.keys()[index];
    if (!outcome.accepted[index]) continue;
    const auto found = context.keyspace.find(key.name);
    if (!found) return found.error();
    if (!*found) continue;  // deleted since: the target has what it was
    auto payload = dumped(context.keyspace, **found);
    if (!payload) return payload.error();
    if (*payload == key.payload) {
      arrived.same.push_back(&key);
      arrived.again.push_back(key);
      arrived.again.back().is_there = true;
    } else {
      any_changed = true;
      arrived.again.push_back(
          {key.name, std::move(*payload), ttl_ms(**found, context.keyspace.now_ms()), true, false});
    }
  }
  if (!any_changed) arrived.again.clear();
  return arrived;
}

engine::Status reply_outcome(CommandContext& context, const MigrationOutcome& outcome, bool all_the_same) {
  if (!outcome.failure.empty()) return reply_error(context, outcome.failure);
  if (!outcome.error.empty()) {
    return reply_error(context, fmt::format("ERR Target instance replied with error: {}", outcome.error));
  }
  if (!all_the_same) return reply_error(context, "IOERR values change faster than they can be migrated");
  return reply_ok(context);
}

// The target has replied. Whatever a client has written meanwhile is sent after the rest; only then keys go,
// and only those whose last value the target has.
engine::Status end_migration(CommandContext& context, Arguments arguments) {
  const std::shared_ptr<Migration> migration = context.session.migration;
  const auto result = migration->result();
  if (!result) {
    wait_for<MigrationOutcome>(context, migration);
    return {};
  }
  const MigrationOutcome& outcome = **result;
  arguments = Arguments(arguments.all(), kFirstOption);
  Arrived arrived;
  if (!take_migrate_options(arguments).copy) {
    auto compared = compare(context, *migration, outcome);
    if (!compared) return compared.error();
    arrived = std::move(*compared);
  }
  const bool all_the_same = arrived.again.empty();
  if (!all_the_same && outcome.failure.empty() && migration->round() < kRoundsMax) {
    return begin_round(context, migration->target(), std::move(arrived.again), migration->round() + 1);
  }
  for (const MigratedKey* key : arrived.same) {
    context.keyspace.erase(key->name);
    context.notify(KeyEventClass::generic, "del", key->name);
  }
  context.session.migration.reset();
  return reply_outcome(context, outcome, all_the_same);
}

// MIGRATE host port key | "" database timeout [COPY] [REPLACE] [AUTH password | AUTH2 user password]
// [KEYS key ...] -> OK when the other server has the keys, and this one, without COPY, not any more; NOKEY if
// none of them is there. The handler runs again when the other server has replied.
engine::Status migrate(CommandContext& context, Arguments arguments) {
  return context.session.migration ? end_migration(context, arguments) : begin_migration(context, arguments);
}

constexpr ArgumentSpec kKeySelectors[] = {
    {.name = "key", .type = key},
    {.name = "empty-string", .type = pure_token, .token = "\"\""},
};
constexpr ArgumentSpec kUserAndPassword[] = {{.name = "username"}, {.name = "password"}};
constexpr ArgumentSpec kAuthentications[] = {
    {.name = "auth", .token = "AUTH"},
    {.name = "auth2", .type = block, .token = "AUTH2", .children = kUserAndPassword},
};
constexpr ArgumentSpec kMigrateArguments[] = {
    {.name = "host"},
    {.name = "port", .type = integer},
    {.name = "key-selector", .type = oneof, .children = kKeySelectors},
    {.name = "destination-db", .type = integer},
    {.name = "timeout", .type = integer},
    {.name = "copy", .type = pure_token, .token = "COPY", .optional = true},
    {.name = "replace", .type = pure_token, .token = "REPLACE", .optional = true},
    {.name = "authentication", .type = oneof, .optional = true, .children = kAuthentications},
    {.name = "keys", .type = key, .token = "KEYS", .optional = true, .multiple = true},
};

constexpr CommandSpec kMigrateCommands[] = {
    {.name = "migrate",
     .arity = at_least(6),
     .flags = write | movablekeys | no_multi,
     .keys = kOneKey,
     .more_keys = kFurtherKeys,
     .categories = AclCategory::keyspace | AclCategory::dangerous,
     .group = "generic",
     .since = "2.6.0",
     .complexity = "O(N), N being the bytes of the values",
     .summary = "Moves keys to another server.",
     .tips = "nondeterministic_output",
     .arguments = kMigrateArguments,
     .handler = migrate,
     .positions_of = migrate_key_positions},
};

}  // namespace

std::span<const CommandSpec> migrate_commands() { return kMigrateCommands; }

}  // namespace shale::server
