// MULTI, EXEC, DISCARD, WATCH, UNWATCH: see docs/transactions.md. What EXEC does is the dispatcher's
// (src/dispatcher_transaction.cpp).
#include <vector>

#include "src/client_transaction.h"
#include "src/command/arguments.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/server.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

constexpr std::string_view kWatchTableFull =
    "ERR the watched keys of all clients exceed the memory for them; see option memory";

bool is_open(const CommandContext& context) {
  const auto& transaction = context.session.transaction;
  return transaction && transaction->is_open();
}

// MULTI -> OK; from here on requests are queued
engine::Status multi(CommandContext& context, Arguments) {
  if (is_open(context)) return reply_error(context, "ERR MULTI calls can not be nested");
  transaction_of(context.session, context.server.watches()).open();
  return reply_ok(context);
}

// EXEC -> an array of the replies of what was queued. This is for a client that has not called MULTI.
engine::Status exec(CommandContext& context, Arguments) {
  return reply_error(context, "ERR EXEC without MULTI");
}

// DISCARD -> OK; what was queued is forgotten, and what was watched
engine::Status discard(CommandContext& context, Arguments) {
  if (!is_open(context)) return reply_error(context, "ERR DISCARD without MULTI");
  context.session.transaction->discard();
  return reply_ok(context);
}

// WATCH key [key ...] -> OK; EXEC runs only if none of them changes until then
engine::Status watch(CommandContext& context, Arguments arguments) {
  if (is_open(context)) return reply_error(context, "ERR WATCH inside MULTI is not allowed");
  // What is to fail anyway needs no more reasons.
  if (context.session.watched_key_changed.load(std::memory_order_relaxed)) return reply_ok(context);
  std::vector<WatchedState> states;
  for (const std::string_view name : arguments.rest()) {
    const auto found = context.keyspace.find(name);
    if (!found) return found.error();
    states.push_back(*found ? WatchedState{true, (*found)->expires_at_ms} : WatchedState{});
  }
  ClientTransaction& transaction = transaction_of(context.session, context.server.watches());
  bool all_watched = true;
  for (const WatchedState& state : states) {
    all_watched =
        all_watched && transaction.watches().add(context.keyspace.database(), arguments.take(), state);
  }
  transaction.show_watches();
  return all_watched ? reply_ok(context) : reply_error(context, kWatchTableFull);
}

// UNWATCH -> OK; nothing is watched any more
engine::Status unwatch(CommandContext& context, Arguments) {
  if (context.session.transaction) {
    context.session.transaction->watches().clear();
    context.session.transaction->show_watches();
  }
  return reply_ok(context);
}

constexpr CommandFlags kControl = noscript | loading | stale | fast | allow_busy;

constexpr ArgumentSpec kKeys[] = {{.name = "key", .type = key, .multiple = true}};

constexpr CommandSpec kTransactionCommands[] = {
    {.name = "discard",
     .arity = exactly(1),
     .flags = kControl,
     .group = "transactions",
     .since = "2.0.0",
     .complexity = "O(N), N being the number of commands that are queued",
     .summary = "Gives a transaction up.",
     .handler = discard,
     .in_transaction = InTransaction::at_once},
    {.name = "exec",
     .arity = exactly(1),
     .flags = noscript | loading | stale | skip_slowlog,
     .group = "transactions",
     .since = "1.2.0",
     .complexity = "As the commands that are queued",
     .summary = "Runs all commands of a transaction as one.",
     .handler = exec,
     .in_transaction = InTransaction::exec},
    {.name = "multi",
     .arity = exactly(1),
     .flags = kControl,
     .group = "transactions",
     .since = "1.2.0",
     .complexity = "O(1)",
     .summary = "Begins a transaction.",
     .handler = multi,
     .in_transaction = InTransaction::at_once},
    {.name = "unwatch",
     .arity = exactly(1),
     .flags = kControl,
     .group = "transactions",
     .since = "2.2.0",
     .complexity = "O(N), N being the number of keys that are watched",
     .summary = "Forgets which keys are watched.",
     .handler = unwatch},
    {.name = "watch",
     .arity = at_least(2),
     .flags = kControl,
     .keys = keys_from(1, KeyFlag::ro),
     .group = "transactions",
     .since = "2.2.0",
     .complexity = "O(N), N being the number of keys",
     .summary = "Lets the next transaction run only if none of the keys changes before.",
     .arguments = kKeys,
     .handler = watch,
     .in_transaction = InTransaction::at_once,
     .key_use = KeyUse::look},
};
static_assert(sorted_and_unique(kTransactionCommands));

}  // namespace

std::span<const CommandSpec> transaction_commands() { return kTransactionCommands; }

}  // namespace shale::server
