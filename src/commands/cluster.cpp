// Redis Cluster's commands, for clients that try whether they talk to a cluster.
#include "src/command/arguments.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

// CLUSTER, READONLY, READWRITE, ASKING -> the error that tells clients that this is no cluster
engine::Status no_cluster(CommandContext& context, Arguments) {
  return reply_error(context, "ERR This instance has cluster support disabled");
}

constexpr ArgumentSpec kSubcommand[] = {
    {.name = "subcommand"},
    {.name = "arg", .optional = true, .multiple = true},
};

constexpr CommandSpec kClusterCommands[] = {
    {.name = "asking",
     .arity = exactly(1),
     .flags = fast,
     .categories = AclCategory::connection,
     .group = "cluster",
     .since = "3.0.0",
     .complexity = "O(1)",
     .summary = "Refused: this server is no Redis Cluster.",
     .handler = no_cluster},
    {.name = "cluster",
     .arity = at_least(2),
     .group = "cluster",
     .since = "3.0.0",
     .complexity = "O(1)",
     .summary = "Refused: this server is no Redis Cluster.",
     .arguments = kSubcommand,
     .handler = no_cluster},
    {.name = "readonly",
     .arity = exactly(1),
     .flags = loading | stale | fast,
     .categories = AclCategory::connection,
     .group = "cluster",
     .since = "3.0.0",
     .complexity = "O(1)",
     .summary = "Refused: this server is no Redis Cluster.",
     .handler = no_cluster},
    {.name = "readwrite",
     .arity = exactly(1),
     .flags = loading | stale | fast,
     .categories = AclCategory::connection,
     .group = "cluster",
     .since = "3.0.0",
     .complexity = "O(1)",
     .summary = "Refused: this server is no Redis Cluster.",
     .handler = no_cluster},
};
static_assert(sorted_and_unique(kClusterCommands));

}  // namespace

std::span<const CommandSpec> cluster_commands() { return kClusterCommands; }

}  // namespace shale::server
