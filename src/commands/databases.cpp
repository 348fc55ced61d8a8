// Databases as a whole: how many keys, and no keys at all.
#include <utility>

#include "src/command/arguments.h"
#include "src/commands/database_argument.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/server.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

// DBSIZE -> keys of the database, expired ones included until the expirer has come by
engine::Status dbsize(CommandContext& context, Arguments) {
  const auto count = context.keyspace.key_count();
  if (!count) return count.error();
  return reply_integer(context, *count);
}

// [ASYNC | SYNC]: taken, and the same. Readers see nothing of the old keys at once either way.
void take_flush_mode(Arguments& arguments) {
  if (arguments.empty() || arguments.take_word("ASYNC") || arguments.take_word("SYNC")) {
    if (arguments.empty()) return;
  }
  arguments.fail(kSyntaxError);
}

engine::Status flush(CommandContext& context, Arguments& arguments, unsigned first_database, unsigned count) {
  take_flush_mode(arguments);
  if (arguments.failed()) return reply_error(context, arguments.error());
  if (auto emptied = context.keyspace.empty(first_database, count); !emptied) return emptied;
  return reply_ok(context);
}

// FLUSHDB [ASYNC | SYNC] -> OK
engine::Status flushdb(CommandContext& context, Arguments arguments) {
  return flush(context, arguments, context.keyspace.database(), 1);
}

// FLUSHALL [ASYNC | SYNC] -> OK
engine::Status flushall(CommandContext& context, Arguments arguments) {
  return flush(context, arguments, 0, cluster::kDatabaseCount);
}

// Keys of `database` that are watched, are not there, and are there in the one that takes its place.
engine::Status note_appearing(CommandContext& context, unsigned database, unsigned successor) {
  for (Bytes& name : context.server.watches().watched_absent(database)) {
    const auto found = context.keyspace.find_elsewhere(successor, name);
    if (!found) return found.error();
    if (*found) context.appeared_keys.push_back({database, std::move(name)});
  }
  return {};
}

// SWAPDB index1 index2 -> OK; who has selected one of them has the other's keys
engine::Status swapdb(CommandContext& context, Arguments arguments) {
  const auto first = parse_int(arguments.take());
  const auto second = parse_int(arguments.take());
  if (!first) return reply_error(context, "ERR invalid first DB index");
  if (!second) return reply_error(context, "ERR invalid second DB index");
  const std::int64_t count = context.server.config().number(Option::databases);
  const auto exists = [count](std::int64_t number) { return number >= 0 && number < count; };
  if (!exists(*first) || !exists(*second)) return reply_error(context, kDatabaseOutOfRange);
  if (*first == *second) return reply_ok(context);
  const auto a = static_cast<unsigned>(*first);
  const auto b = static_cast<unsigned>(*second);
  if (auto noted = note_appearing(context, a, b); !noted) return noted;
  if (auto noted = note_appearing(context, b, a); !noted) return noted;
  context.keyspace.swap(a, b);
  return reply_ok(context);
}

constexpr ArgumentSpec kSwapArguments[] = {
    {.name = "index1", .type = integer},
    {.name = "index2", .type = integer},
};
constexpr ArgumentSpec kFlushModes[] = {
    {.name = "async", .type = pure_token, .token = "ASYNC"},
    {.name = "sync", .type = pure_token, .token = "SYNC"},
};
constexpr ArgumentSpec kFlushArguments[] = {
    {.name = "flush-type", .type = oneof, .optional = true, .children = kFlushModes},
};
constexpr std::string_view kFlushTips = "request_policy:all_shards response_policy:all_succeeded";

constexpr CommandSpec kDatabaseCommands[] = {
    {.name = "dbsize",
     .arity = exactly(1),
     .flags = readonly | fast,
     .categories = AclCategory::keyspace,
     .group = "server",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Counts the keys of the database.",
     .tips = "request_policy:all_shards response_policy:agg_sum",
     .handler = dbsize,
     .in_transaction = InTransaction::all_keys},
    {.name = "flushall",
     .arity = at_least(1),
     .flags = write,
     .categories = AclCategory::keyspace | AclCategory::dangerous,
     .group = "server",
     .since = "1.0.0",
     .complexity = "O(1); the space comes back in the background",
     .summary = "Deletes all keys of all databases.",
     .tips = kFlushTips,
     .arguments = kFlushArguments,
     .handler = flushall,
     .in_transaction = InTransaction::all_keys},
    {.name = "flushdb",
     .arity = at_least(1),
     .flags = write,
     .categories = AclCategory::keyspace | AclCategory::dangerous,
     .group = "server",
     .since = "1.0.0",
     .complexity = "O(1); the space comes back in the background",
     .summary = "Deletes all keys of the database.",
     .tips = kFlushTips,
     .arguments = kFlushArguments,
     .handler = flushdb,
     .in_transaction = InTransaction::all_keys},
    {.name = "swapdb",
     .arity = exactly(3),
     .flags = write | fast,
     .categories = AclCategory::keyspace | AclCategory::dangerous,
     .group = "server",
     .since = "4.0.0",
     .complexity = "O(1)",
     .summary = "Exchanges two databases, at once for all clients.",
     .arguments = kSwapArguments,
     .handler = swapdb,
     .in_transaction = InTransaction::all_keys},
};
static_assert(sorted_and_unique(kDatabaseCommands));

}  // namespace

std::span<const CommandSpec> database_commands() { return kDatabaseCommands; }

}  // namespace shale::server
