// SPLIT, MERGE, REBALANCE and ENGINE: how the data lies, changed by hand.
#include <algorithm>
#include <memory>

#include "cluster/kinship.h"
#include "cluster/position.h"
#include "cluster/rebalance.h"
#include "cluster/reshaper.h"
#include "src/command/arguments.h"
#include "src/command/table.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/commands/reshape.h"
#include "src/server.h"
#include "src/stats/render.h"
#include "src/stats/reshape_figures.h"
#include "src/stats/snapshot.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

// SPLIT shard [AT key] [DRYRUN] -> a map: what has been split where, or would be
engine::Status split(CommandContext& context, Arguments arguments) {
  cluster::Store& store = context.server.store();
  cluster::ReshapeRequest request;
  request.kind = cluster::ReshapeKind::split;
  request.shard = take_shard_id(arguments);
  if (arguments.take_word("AT", 1)) {
    request.cut.emplace();
    request.cause = "SPLIT AT";
    store.placement().append(store.database_id(context.session.database), arguments.take(), *request.cut);
  }
  const bool dry_run = arguments.take_word("DRYRUN");
  if (!arguments.empty()) arguments.fail(kSyntaxError);
  if (arguments.failed()) return reply_error(context, arguments.error());
  if (!dry_run) return reshape(context, std::move(request));
  const auto plan = store.reshaper().plan_split(request.shard, request.cut);
  if (!plan) return reply_refusal(context, plan.error());
  write_reply(describe_plan(store.placement(), request.shard, *plan), context.reply);
  return {};
}

// MERGE shard shard [DRYRUN] -> a map: what has been merged, or would be
engine::Status merge(CommandContext& context, Arguments arguments) {
  cluster::ReshapeRequest request;
  request.kind = cluster::ReshapeKind::merge;
  request.cause = "MERGE";
  request.shard = take_shard_id(arguments);
  request.other = take_shard_id(arguments);
  const bool dry_run = arguments.take_word("DRYRUN");
  if (!arguments.empty()) arguments.fail(kSyntaxError);
  if (arguments.failed()) return reply_error(context, arguments.error());
  if (!dry_run) return reshape(context, std::move(request));
  const auto plan = context.server.store().reshaper().plan_merge(request.shard, request.other);
  if (!plan) return reply_refusal(context, plan.error());
  write_reply(describe_plan(*plan), context.reply);
  return {};
}

std::vector<cluster::ShardSize> shard_sizes(cluster::Store& store) {
  std::vector<cluster::ShardSize> sizes;
  for (const ShardSnapshot& shard : take_snapshots(store))
    sizes.push_back({shard.id, shard.keys, shard.engine.disk_bytes});
  return sizes;
}

// REBALANCE [DRYRUN] -> a map: what is split and merged to make the shards more even; it has begun, or would
engine::Status rebalance(CommandContext& context, Arguments arguments) {
  const bool dry_run = arguments.take_word("DRYRUN");
  if (!arguments.empty()) arguments.fail(kSyntaxError);
  if (arguments.failed()) return reply_error(context, arguments.error());
  cluster::Store& store = context.server.store();
  const auto before = shard_sizes(store);
  const auto plan = cluster::plan_rebalance(before, cluster::neighbours(store.layout()->map()),
                                            context.server.splitter().limits().shards_max);
  if (!dry_run) context.server.splitter().enqueue(cluster::requests_of(plan, "REBALANCE"));
  write_reply(describe_rebalance(before, plan), context.reply);
  return {};
}

// ENGINE shard lsm|btree -> OK: the move has begun; STATS SHARD shows how far it is
engine::Status engine_command(CommandContext& context, Arguments arguments) {
  cluster::Store& store = context.server.store();
  cluster::ReshapeRequest request;
  request.kind = cluster::ReshapeKind::move;
  request.cause = "ENGINE";
  request.shard = take_shard_id(arguments);
  if (arguments.take_word("BTREE")) {
    request.engine = cluster::EngineKind::btree;
  } else if (!arguments.take_word("LSM")) {
    arguments.fail(kSyntaxError);
  }
  if (arguments.failed()) return reply_error(context, arguments.error());
  const auto shard = store.layout()->find(request.shard);
  if (!shard) return reply_error(context, "ERR No such shard ID");
  {
    const std::lock_guard lock{shard->mutex};
    if (shard->kind == request.engine) return reply_ok(context);
  }
  if (!store.reshaper().begin(std::move(request)))
    return reply_refusal(context, {engine::ErrorKind::busy, {}});
  return reply_ok(context);
}

constexpr ArgumentSpec kSplitArguments[] = {
    {.name = "shard-id", .type = integer},
    {.name = "key", .token = "AT", .optional = true},
    {.name = "dryrun", .type = pure_token, .token = "DRYRUN", .optional = true},
};
constexpr ArgumentSpec kMergeArguments[] = {
    {.name = "shard-id", .type = integer},
    {.name = "other-shard-id", .type = integer},
    {.name = "dryrun", .type = pure_token, .token = "DRYRUN", .optional = true},
};
constexpr ArgumentSpec kRebalanceArguments[] = {
    {.name = "dryrun", .type = pure_token, .token = "DRYRUN", .optional = true},
};
constexpr ArgumentSpec kEngineNames[] = {
    {.name = "lsm", .type = pure_token, .token = "LSM"},
    {.name = "btree", .type = pure_token, .token = "BTREE"},
};
constexpr ArgumentSpec kEngineArguments[] = {
    {.name = "shard-id", .type = integer},
    {.name = "engine", .type = oneof, .children = kEngineNames},
};

constexpr CommandSpec kShardingCommands[] = {
    {.name = "engine",
     .arity = exactly(3),
     .flags = admin | no_multi,
     .categories = AclCategory::dangerous,
     .group = "server",
     .since = "0.3.0",
     .complexity = "O(N), N being the number of keys of the shard, in the background",
     .summary = "Moves a shard to another storage engine while it serves.",
     .arguments = kEngineArguments,
     .handler = engine_command},
    {.name = "merge",
     .arity = at_least(3),
     .flags = admin | blocking | no_multi,
     .categories = AclCategory::dangerous,
     .group = "server",
     .since = "0.3.0",
     .complexity = "O(N), N being the number of tables, or of keys where shards are copied",
     .summary = "Makes one shard of two.",
     .arguments = kMergeArguments,
     .handler = merge},
    {.name = "rebalance",
     .arity = at_least(1),
     .flags = admin | no_multi,
     .categories = AclCategory::dangerous,
     .group = "server",
     .since = "0.4.0",
     .complexity = "O(N), N being the number of shards; what it begins is done in the background",
     .summary = "Splits large shards and merges small ones, or says which it would.",
     .arguments = kRebalanceArguments,
     .handler = rebalance},
    {.name = "split",
     .arity = at_least(2),
     .flags = admin | blocking | no_multi,
     .categories = AclCategory::dangerous,
     .group = "server",
     .since = "0.3.0",
     .complexity = "O(N), N being the number of tables, or of the leaves of a B+ tree",
     .summary = "Splits a shard in two.",
     .arguments = kSplitArguments,
     .handler = split},
};
static_assert(sorted_and_unique(kShardingCommands));

}  // namespace

std::span<const CommandSpec> sharding_commands() { return kShardingCommands; }

}  // namespace shale::server
