// RING: the hash ring grown and shrunk by hand, and whom it gives a key to.
#include "cluster/ring.h"

#include <algorithm>
#include <vector>

#include "cluster/position.h"
#include "src/command/arguments.h"
#include "src/command/table.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/commands/reshape.h"
#include "src/server.h"
#include "src/stats/render.h"
#include "src/stats/reshape_figures.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

engine::Status reply_plan(CommandContext& context, const engine::Result<cluster::RingPlan>& plan) {
  if (!plan) return reply_refusal(context, plan.error());
  write_reply(describe_plan(*plan), context.reply);
  return {};
}

// RING ADD [DRYRUN] -> a map: the shard that has joined the ring, or would, and what has moved to it
engine::Status ring_add(CommandContext& context, Arguments arguments) {
  const bool dry_run = arguments.take_word("DRYRUN");
  if (!arguments.empty()) arguments.fail(kSyntaxError);
  if (arguments.failed()) return reply_error(context, arguments.error());
  if (dry_run) return reply_plan(context, context.server.store().reshaper().plan_ring_growth());
  cluster::ReshapeRequest request;
  request.kind = cluster::ReshapeKind::grow;
  request.cause = "RING ADD";
  return reshape(context, std::move(request));
}

// RING REMOVE shard [DRYRUN] -> a map: the shard that has left the ring, or would, and what has moved
engine::Status ring_remove(CommandContext& context, Arguments arguments) {
  cluster::ReshapeRequest request;
  request.kind = cluster::ReshapeKind::shrink;
  request.cause = "RING REMOVE";
  request.shard = take_shard_id(arguments);
  const bool dry_run = arguments.take_word("DRYRUN");
  if (!arguments.empty()) arguments.fail(kSyntaxError);
  if (arguments.failed()) return reply_error(context, arguments.error());
  if (!dry_run) return reshape(context, std::move(request));
  return reply_plan(context, context.server.store().reshaper().plan_ring_shrinkage(request.shard));
}

// RING NODES key [n] -> the ids of the first n shards clockwise from the key, its owner first; all without n
engine::Status ring_nodes(CommandContext& context, Arguments arguments) {
  cluster::Store& store = context.server.store();
  const auto layout = store.layout();
  const std::string_view key = arguments.take();
  std::size_t count = layout->shards().size();
  if (!arguments.empty()) {
    const std::int64_t asked = arguments.take_integer();
    if (asked < 1) arguments.fail("ERR count should be greater than 0");
    count = std::min(count, static_cast<std::size_t>(asked));
  }
  if (!arguments.empty()) arguments.fail(kSyntaxError);
  if (arguments.failed()) return reply_error(context, arguments.error());
  const cluster::Placement placement = store.placement();
  if (!placement.is_ring())
    return reply_error(context, "ERR keys are placed by range here: there is no ring");
  engine::Bytes position;
  placement.append(store.database_id(context.session.database), key, position);
  const auto shards = cluster::shards_clockwise(layout->map(), position, count);
  context.reply.array(shards.size());
  for (const cluster::ShardId shard : shards) context.reply.integer(static_cast<std::uint32_t>(shard));
  return {};
}

// RING HELP -> lines for people
engine::Status ring_help(CommandContext& context, Arguments) {
  return reply_help(context, "RING",
                    {
                        "ADD [DRYRUN]",
                        "    Add a shard to the ring, or say what would move to it.",
                        "NODES <key> [<count>]",
                        "    The shards clockwise from a key, its owner first.",
                        "REMOVE <shard-id> [DRYRUN]",
                        "    Take a shard from the ring, or say what would move where.",
                    });
}

constexpr std::string_view kPerKey =
    "O(N), N being the number of keys of the shards that give or get some, which are copied";

constexpr ArgumentSpec kDryRun{.name = "dryrun", .type = pure_token, .token = "DRYRUN", .optional = true};
constexpr ArgumentSpec kAddArguments[] = {kDryRun};
constexpr ArgumentSpec kRemoveArguments[] = {{.name = "shard-id", .type = integer}, kDryRun};
constexpr ArgumentSpec kNodesArguments[] = {
    {.name = "key"},
    {.name = "count", .type = integer, .optional = true},
};

constexpr CommandSpec kSubcommands[] = {
    {.name = "add",
     .arity = at_least(2),
     .flags = admin | blocking | no_multi,
     .categories = AclCategory::dangerous,
     .group = "server",
     .since = "0.5.0",
     .complexity = kPerKey,
     .summary = "Adds a shard to the ring, to which its part of the keys moves.",
     .arguments = kAddArguments,
     .handler = ring_add},
    {.name = "help",
     .arity = exactly(2),
     .flags = loading | stale,
     .group = "server",
     .since = "0.5.0",
     .complexity = "O(1)",
     .summary = "Explains the subcommands.",
     .handler = ring_help},
    {.name = "nodes",
     .arity = at_least(3),
     .flags = fast,
     .group = "server",
     .since = "0.5.0",
     .complexity = "O(N), N being the number of ranges of the ring that are passed",
     .summary = "Tells the shards clockwise from a key.",
     .arguments = kNodesArguments,
     .handler = ring_nodes},
    {.name = "remove",
     .arity = at_least(3),
     .flags = admin | blocking | no_multi,
     .categories = AclCategory::dangerous,
     .group = "server",
     .since = "0.5.0",
     .complexity = kPerKey,
     .summary = "Takes a shard from the ring; its keys move to the next ones.",
     .arguments = kRemoveArguments,
     .handler = ring_remove},
};
static_assert(sorted_and_unique(kSubcommands));

constexpr CommandSpec kRingCommands[] = {
    {.name = "ring",
     .arity = at_least(2),
     .group = "server",
     .since = "0.5.0",
     .complexity = "Depends on the subcommand",
     .summary = "The hash ring.",
     .subcommands = kSubcommands},
};

}  // namespace

std::span<const CommandSpec> ring_commands() { return kRingCommands; }

}  // namespace shale::server
