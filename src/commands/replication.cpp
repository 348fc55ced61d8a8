// Replication, of which there is none: this server is a master without replicas, and says so.
#include <fmt/format.h>

#include <charconv>

#include "src/command/arguments.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/server.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

// ROLE -> master, no replication offset, no replicas
engine::Status role(CommandContext& context, Arguments) {
  context.reply.array(3);
  context.reply.bulk("master");
  context.reply.integer(0);
  context.reply.array(0);
  return {};
}

bool is_port(std::string_view text) {
  constexpr int kPortMax = 65535;
  int port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size() && port >= 0 && port <= kPortMax;
}

// REPLICAOF NO ONE -> OK: it is a master. REPLICAOF host port -> an error
engine::Status replicaof(CommandContext& context, Arguments arguments) {
  if (context.server.in_cluster_mode()) {
    return reply_error(context, "ERR REPLICAOF not allowed in cluster mode.");
  }
  const std::string_view host = arguments.take();
  const std::string_view port = arguments.take();
  if (equals_ignoring_case(host, "NO") && equals_ignoring_case(port, "ONE")) return reply_ok(context);
  if (!is_port(port)) return reply_error(context, "ERR Invalid master port");
  return reply_error(context, "ERR replication is not available: this server is always a master");
}

// FAILOVER [TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds] -> an error: nobody is there to take over
engine::Status failover(CommandContext& context, Arguments arguments) {
  if (context.server.in_cluster_mode()) {
    return reply_error(context,
                       "ERR FAILOVER not allowed in cluster mode. Use CLUSTER FAILOVER command instead.");
  }
  bool aborts = false;
  while (!arguments.empty() && !arguments.failed()) {
    if (arguments.take_word("ABORT")) {
      aborts = true;
    } else if (arguments.take_word("TIMEOUT", 1)) {
      if (arguments.take_integer() <= 0 && !arguments.failed()) {
        arguments.fail("ERR FAILOVER timeout must be greater than 0");
      }
    } else if (arguments.take_word("TO", 2)) {
      arguments.take();
      arguments.take_integer();
    } else if (!arguments.take_word("FORCE")) {
      arguments.fail(kSyntaxError);
    }
  }
  if (arguments.failed()) return reply_error(context, arguments.error());
  return reply_error(context,
                     aborts ? "ERR No failover in progress." : "ERR FAILOVER requires connected replicas.");
}

constexpr CommandFlags kOperator = admin | noscript | stale;
constexpr ArgumentSpec kHostAndPort[] = {{.name = "host"}, {.name = "port", .type = integer}};
constexpr ArgumentSpec kTarget[] = {
    {.name = "host"},
    {.name = "port", .type = integer},
    {.name = "force", .type = pure_token, .token = "FORCE", .optional = true},
};
constexpr ArgumentSpec kFailoverArguments[] = {
    {.name = "target", .type = block, .token = "TO", .optional = true, .children = kTarget},
    {.name = "abort", .type = pure_token, .token = "ABORT", .optional = true},
    {.name = "milliseconds", .type = integer, .token = "TIMEOUT", .optional = true},
};

constexpr CommandSpec kReplicationCommands[] = {
    {.name = "failover",
     .arity = at_least(1),
     .flags = kOperator,
     .group = "server",
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Refused: there are no replicas.",
     .arguments = kFailoverArguments,
     .handler = failover},
    {.name = "replicaof",
     .arity = exactly(3),
     .flags = kOperator | no_async_loading,
     .group = "server",
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "Makes the server a master, which it is; anything else is refused.",
     .arguments = kHostAndPort,
     .handler = replicaof},
    {.name = "role",
     .arity = exactly(1),
     .flags = noscript | loading | stale | fast,
     .categories = AclCategory::admin | AclCategory::dangerous,
     .group = "server",
     .since = "2.8.12",
     .complexity = "O(1)",
     .summary = "Gives the role in replication.",
     .handler = role},
    {.name = "slaveof",
     .arity = exactly(3),
     .flags = kOperator | no_async_loading,
     .group = "server",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Makes the server a master, which it is; anything else is refused.",
     .deprecated_since = "5.0.0",
     .replaced_by = "`REPLICAOF`",
     .arguments = kHostAndPort,
     .handler = replicaof},
};
static_assert(sorted_and_unique(kReplicationCommands));

}  // namespace

std::span<const CommandSpec> replication_commands() { return kReplicationCommands; }

}  // namespace shale::server
