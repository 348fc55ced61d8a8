// WAIT and WAITAOF: until one's own writes are safe.
#include <chrono>
#include <optional>

#include "src/command/arguments.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/commands/timeout_argument.h"
#include "src/server.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

// None: for ever.
std::optional<std::chrono::milliseconds> patience(std::chrono::milliseconds timeout) {
  return timeout.count() > 0 ? std::optional{timeout} : std::nullopt;
}

// WAIT numreplicas timeout -> how many replicas have this client's writes: none, as there are none. Waits
// until the timeout if more are asked for.
engine::Status wait(CommandContext& context, Arguments arguments) {
  const std::int64_t replicas = arguments.take_integer();
  const auto timeout = take_timeout(arguments, context.keyspace.now_ms());
  if (arguments.failed()) return reply_error(context, arguments.error());
  if (replicas <= 0 || context.timed_out) return reply_integer(context, 0);
  context.suspend = Suspension{.begin = [](const std::function<void()>&) {}, .timeout = patience(timeout)};
  return {};
}

engine::Status reply_acknowledgements(CommandContext& context, bool synced) {
  context.reply.array(2);
  context.reply.integer(synced);
  context.reply.integer(0);
  return {};
}

// WAITAOF numlocal numreplicas timeout -> an array: 1 if this client's writes are on disk, else 0; and how
// many replicas have them on disk, of which there are none
engine::Status waitaof(CommandContext& context, Arguments arguments) {
  const std::int64_t local = arguments.take_integer();
  if (local < 0 || local > 1) arguments.fail("ERR value is out of range, value must between 0 and 1");
  const std::int64_t replicas = arguments.take_integer();
  if (replicas < 0) arguments.fail("ERR value is out of range, must be positive");
  const auto timeout = take_timeout(arguments, context.keyspace.now_ms());
  if (arguments.failed()) return reply_error(context, arguments.error());

  engine::Log& log = context.server.store().log();
  const engine::Lsn written = context.session.last_write_lsn;
  const bool synced = log.synced_lsn() >= written;
  if ((replicas == 0 && synced >= (local == 1)) || context.timed_out)
    return reply_acknowledgements(context, synced);
  if (auto health = log.health(); !health) return health;
  context.suspend = Suspension{
      .begin =
          [&log, written, replicas](std::function<void()> resume) {
            // Replicas that do not exist are waited for until the timeout.
            if (replicas > 0) return;
            log.when_synced(written, [resume = std::move(resume)](const engine::Status&) { resume(); });
          },
      .timeout = patience(timeout)};
  return {};
}

constexpr ArgumentSpec kWaitArguments[] = {
    {.name = "numreplicas", .type = integer},
    {.name = "timeout", .type = integer},
};
constexpr ArgumentSpec kWaitaofArguments[] = {
    {.name = "numlocal", .type = integer},
    {.name = "numreplicas", .type = integer},
    {.name = "timeout", .type = integer},
};

constexpr CommandSpec kDurabilityCommands[] = {
    {.name = "wait",
     .arity = exactly(3),
     .flags = blocking,
     .categories = AclCategory::connection,
     .group = "generic",
     .since = "3.0.0",
     .complexity = "O(1)",
     .summary = "Waits until replicas have the connection's writes.",
     .tips = "request_policy:all_shards response_policy:agg_min",
     .arguments = kWaitArguments,
     .handler = wait},
    {.name = "waitaof",
     .arity = exactly(4),
     .flags = blocking,
     .categories = AclCategory::connection,
     .group = "generic",
     .since = "7.2.0",
     .complexity = "O(1)",
     .summary = "Waits until the connection's writes are on disk.",
     .tips = "request_policy:all_shards response_policy:agg_min",
     .arguments = kWaitaofArguments,
     .handler = waitaof},
};
static_assert(sorted_and_unique(kDurabilityCommands));

}  // namespace

std::span<const CommandSpec> durability_commands() { return kDurabilityCommands; }

}  // namespace shale::server
