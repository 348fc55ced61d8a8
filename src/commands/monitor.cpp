// MONITOR: the stream of all commands.
#include "src/command/arguments.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/server.h"

namespace shale::server {
namespace {

using enum CommandFlag;

// MONITOR -> OK, then a line for every command that is executed, until RESET or the end of the connection
engine::Status monitor(CommandContext& context, Arguments) {
  if (context.behind_commit) {
    return reply_error(context, "ERR MONITOR isn't allowed for DENY BLOCKING client");
  }
  context.server.monitors().add(context.session);
  return reply_ok(context);
}

constexpr CommandSpec kMonitorCommands[] = {
    {.name = "monitor",
     .arity = exactly(1),
     .flags = admin | noscript | loading | stale,
     .group = "server",
     .since = "1.0.0",
     .complexity = "Costs every command of every client",
     .summary = "Shows every command that is executed.",
     .handler = monitor},
};

}  // namespace

std::span<const CommandSpec> monitor_commands() { return kMonitorCommands; }

}  // namespace shale::server
