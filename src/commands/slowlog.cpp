// SLOWLOG: the commands that took long.
#include <algorithm>
#include <limits>

#include "src/command/arguments.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/server.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

void write_entry(const SlowCommand& entry, protocol::ReplyWriter& reply) {
  reply.array(6);
  reply.integer(entry.id);
  reply.integer(entry.unix_seconds);
  reply.integer(entry.duration.count());
  reply.array(entry.words.size());
  for (const std::string& word : entry.words) reply.bulk(word);
  reply.bulk(entry.client_address);
  reply.bulk(entry.client_name);
}

// SLOWLOG GET [count] -> the newest commands, the newest first; -1: all
engine::Status slowlog_get(CommandContext& context, Arguments arguments) {
  constexpr std::string_view kBadCount = "ERR count should be greater than or equal to -1";
  constexpr std::int64_t kDefaultCount = 10;
  if (arguments.remaining() > 1) return reply_subcommand_error(context, arguments);
  const std::int64_t count = arguments.empty() ? kDefaultCount : arguments.take_integer(kBadCount);
  if (arguments.failed() || count < -1) return reply_error(context, kBadCount);
  const auto entries = context.server.metering().slow_log().newest(
      count == -1 ? std::numeric_limits<std::size_t>::max() : static_cast<std::size_t>(count));
  context.reply.array(entries.size());
  for (const SlowCommand& entry : entries) write_entry(entry, context.reply);
  return {};
}

// SLOWLOG LEN -> how many commands there are
engine::Status slowlog_len(CommandContext& context, Arguments) {
  return reply_integer(context, static_cast<std::int64_t>(context.server.metering().slow_log().length()));
}

// SLOWLOG RESET -> OK; the log is empty
engine::Status slowlog_reset(CommandContext& context, Arguments) {
  context.server.metering().slow_log().reset();
  return reply_ok(context);
}

// SLOWLOG HELP -> lines for people
engine::Status slowlog_help(CommandContext& context, Arguments) {
  return reply_help(context, "SLOWLOG",
                    {
                        "GET [<count>]",
                        "    Give the newest <count> slow commands (10 unless told, -1: all): id, Unix time,",
                        "    microseconds, words, the client's address and name.",
                        "LEN",
                        "    Give the number of slow commands that are kept.",
                        "RESET",
                        "    Forget them.",
                    });
}

constexpr CommandFlags kOperator = admin | loading | stale;
constexpr ArgumentSpec kCount[] = {{.name = "count", .type = integer, .optional = true}};

constexpr CommandSpec kSubcommands[] = {
    {.name = "get",
     .arity = at_least(2),
     .flags = kOperator,
     .group = "server",
     .since = "2.2.12",
     .complexity = "O(N), N being the number of entries given",
     .summary = "Gives the newest slow commands.",
     .tips = "request_policy:all_nodes nondeterministic_output",
     .arguments = kCount,
     .handler = slowlog_get},
    {.name = "help",
     .arity = exactly(2),
     .flags = loading | stale,
     .group = "server",
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Explains the subcommands.",
     .handler = slowlog_help},
    {.name = "len",
     .arity = exactly(2),
     .flags = kOperator,
     .group = "server",
     .since = "2.2.12",
     .complexity = "O(1)",
     .summary = "Counts the slow commands that are kept.",
     .tips = "request_policy:all_nodes response_policy:agg_sum nondeterministic_output",
     .handler = slowlog_len},
    {.name = "reset",
     .arity = exactly(2),
     .flags = kOperator,
     .group = "server",
     .since = "2.2.12",
     .complexity = "O(N), N being the number of entries",
     .summary = "Forgets the slow commands.",
     .tips = "request_policy:all_nodes response_policy:all_succeeded",
     .handler = slowlog_reset},
};
static_assert(sorted_and_unique(kSubcommands));

constexpr CommandSpec kSlowlogCommands[] = {
    {.name = "slowlog",
     .arity = at_least(2),
     .group = "server",
     .since = "2.2.12",
     .complexity = "Depends on the subcommand",
     .summary = "The commands that took long.",
     .subcommands = kSubcommands},
};

}  // namespace

std::span<const CommandSpec> slowlog_commands() { return kSlowlogCommands; }

}  // namespace shale::server
