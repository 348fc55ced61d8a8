// STATS: how the data is laid out and what it costs, for people and for programs.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "src/command/arguments.h"
#include "src/command/table.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/server.h"
#include "src/stats/render.h"
#include "src/stats/sections.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

struct Choice {                           // what is asked for
  std::shared_ptr<cluster::Shard> shard;  // null: all
  std::size_t count = 10;
};

struct Section {
  std::string_view name;
  std::size_t arguments_min;
  std::size_t arguments_max;
  void (*take)(Server& server, Arguments& arguments, Choice& choice);
  Figures (*describe)(Server& server, const Choice& choice);
};

// The shard whose id is next; `arguments` fails if there is none of that id.
void take_shard(Server& server, Arguments& arguments, Choice& choice) {
  const std::int64_t id = arguments.take_integer("ERR Invalid shard ID");
  if (arguments.failed()) return;
  if (id >= 0 && id <= UINT32_MAX) {
    choice.shard = server.store().layout()->find(cluster::ShardId{static_cast<std::uint32_t>(id)});
  }
  if (!choice.shard) arguments.fail("ERR No such shard ID");
}

void take_count(Server&, Arguments& arguments, Choice& choice) {
  const std::int64_t count = arguments.take_integer();
  if (count < 1) return arguments.fail("ERR count should be greater than 0");
  choice.count = static_cast<std::size_t>(count);
}

constexpr Section kSections[] = {
    {"btree", 0, 1, take_shard,
     [](Server& server, const Choice& choice) {
       return choice.shard ? describe_tree(server, *choice.shard) : describe_btree(server);
     }},
    {"history", 0, 0, nullptr, [](Server& server, const Choice&) { return describe_history(server); }},
    {"hotkeys", 0, 1, take_count,
     [](Server& server, const Choice& choice) { return describe_hot_keys(server, choice.count); }},
    {"log", 0, 0, nullptr, [](Server& server, const Choice&) { return describe_log(server); }},
    {"lsm", 0, 1, take_shard,
     [](Server& server, const Choice& choice) {
       return choice.shard ? describe_tree(server, *choice.shard) : describe_lsm(server);
     }},
    {"memory", 0, 0, nullptr, [](Server& server, const Choice&) { return describe_memory(server); }},
    {"ranges", 0, 0, nullptr, [](Server& server, const Choice&) { return describe_ranges(server); }},
    {"ring", 0, 0, nullptr, [](Server& server, const Choice&) { return describe_ring(server); }},
    {"shard", 1, 1, take_shard,
     [](Server& server, const Choice& choice) { return describe_shard(server, *choice.shard); }},
    {"shards", 0, 0, nullptr, [](Server& server, const Choice&) { return describe_shards(server); }},
};

const Section* find_section(std::string_view name) {
  const auto* found = std::ranges::find_if(
      kSections, [name](const Section& section) { return equals_ignoring_case(name, section.name); });
  return found == std::end(kSections) ? nullptr : found;
}

// Replies with `show(context, figures)`, or with what is wrong with the arguments after the section's name.
engine::Status reply_section(CommandContext& context, const Section& section, Arguments arguments,
                             void (*show)(CommandContext& context, const Figures& figures)) {
  if (arguments.remaining() < section.arguments_min || arguments.remaining() > section.arguments_max) {
    return reply_arity_error(context);
  }
  Choice choice;
  if (!arguments.empty()) section.take(context.server, arguments, choice);
  if (arguments.failed()) return reply_error(context, arguments.error());
  show(context, section.describe(context.server, choice));
  return {};
}

// STATS -> a screen for people. redis-cli shows the lines of an array, but not those of a bulk string, as
// lines; to clients of RESP3 it is verbatim text.
engine::Status stats(CommandContext& context, Arguments) {
  const std::string screen = to_screen(describe_overview(context.server));
  if (context.reply.version() == protocol::Version::resp3) {
    context.reply.verbatim("txt", screen);
    return {};
  }
  context.reply.array(static_cast<std::size_t>(std::ranges::count(screen, '\n')));
  for (std::size_t begin = 0; begin < screen.size();) {
    const std::size_t end = screen.find('\n', begin);
    context.reply.simple_string(std::string_view(screen).substr(begin, end - begin));
    begin = end + 1;
  }
  return {};
}

// STATS BTREE [id] | HISTORY | HOTKEYS [n] | LOG | LSM [id] | MEMORY | RANGES | RING | SHARD id | SHARDS -> a
// map
engine::Status stats_section(CommandContext& context, Arguments arguments) {
  return reply_section(context, *find_section(context.command.name), arguments,
                       [](CommandContext& own, const Figures& figures) { write_reply(figures, own.reply); });
}

// STATS JSON [section [argument]] -> the same map as JSON; without a section, what STATS shows
engine::Status stats_json(CommandContext& context, Arguments arguments) {
  if (arguments.empty()) return reply_bulk(context, to_json(describe_overview(context.server)));
  const std::string_view name = arguments.take();
  const Section* section = find_section(name);
  if (section == nullptr) {
    const std::string_view asked_for[] = {arguments.all().front(), name};
    return reply_error(context, unknown_command_error(asked_for));
  }
  return reply_section(context, *section, arguments,
                       [](CommandContext& own, const Figures& figures) { own.reply.bulk(to_json(figures)); });
}

// STATS HELP -> lines for people
engine::Status stats_help(CommandContext& context, Arguments) {
  return reply_help(
      context, "STATS",
      {
          "(no subcommand)",
          "    Show everything at a glance.",
          "BTREE [<shard-id>]",
          "    The B+ trees and their page file: nodes, pool, checkpoints.",
          "HISTORY",
          "    The last thousand splits, merges, moves and changes of the ring, and of trees' shapes.",
          "HOTKEYS [<count>]",
          "    The keys that are accessed most of late. 10 by default.",
          "JSON [<section> [<shard-id> | <count>]]",
          "    Show a section, which is one of the other subcommands, or all at a glance, as JSON.",
          "LOG",
          "    The write-ahead log.",
          "LSM [<shard-id>]",
          "    The LSM trees: levels, amplification, caches, compaction.",
          "MEMORY",
          "    How the memory budget is divided and used.",
          "RANGES",
          "    Which shard has the keys from where to where, in order.",
          "RING",
          "    How the hash ring is divided among the shards.",
          "SHARD <shard-id>",
          "    One shard, and its tree.",
          "SHARDS",
          "    All shards.",
      });
}

constexpr CommandFlags kReport = loading | stale;
constexpr std::string_view kPerTable = "O(N), N being the number of tables";
constexpr std::string_view kTips = "nondeterministic_output";

constexpr ArgumentSpec kShardId[] = {{.name = "shard-id", .type = integer}};
constexpr ArgumentSpec kOptionalShardId[] = {{.name = "shard-id", .type = integer, .optional = true}};
constexpr ArgumentSpec kOptionalCount[] = {{.name = "count", .type = integer, .optional = true}};
constexpr ArgumentSpec kJsonArguments[] = {
    {.name = "section", .optional = true},
    {.name = "shard-id-or-count", .type = integer, .optional = true},
};

constexpr CommandSpec kSubcommands[] = {
    {.name = "btree",
     .arity = at_least(2),
     .flags = kReport,
     .categories = AclCategory::dangerous,
     .group = "server",
     .since = "0.2.0",
     .complexity = "O(N), N being the number of shards",
     .summary = "Tells how B+ trees are laid out and what they cost.",
     .tips = kTips,
     .arguments = kOptionalShardId,
     .handler = stats_section},
    {.name = "help",
     .arity = exactly(2),
     .flags = kReport,
     .group = "server",
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Explains the subcommands.",
     .handler = stats_help},
    {.name = "history",
     .arity = exactly(2),
     .flags = kReport,
     .categories = AclCategory::dangerous,
     .group = "server",
     .since = "0.3.0",
     .complexity = "O(N), N being the number of changes",
     .summary = "Tells how the layout and the shapes of trees have changed.",
     .tips = kTips,
     .handler = stats_section},
    {.name = "hotkeys",
     .arity = at_least(2),
     .flags = kReport,
     .categories = AclCategory::dangerous,
     .group = "server",
     .since = "0.3.0",
     .complexity = "O(N), N being the number of shards",
     .summary = "Tells which keys are accessed most of late.",
     .tips = kTips,
     .arguments = kOptionalCount,
     .handler = stats_section},
    {.name = "json",
     .arity = at_least(2),
     .flags = kReport,
     .categories = AclCategory::dangerous,
     .group = "server",
     .since = "0.1.0",
     .complexity = kPerTable,
     .summary = "Tells what the other subcommands tell, as JSON.",
     .tips = kTips,
     .arguments = kJsonArguments,
     .handler = stats_json},
    {.name = "log",
     .arity = exactly(2),
     .flags = kReport,
     .categories = AclCategory::dangerous,
     .group = "server",
     .since = "0.1.0",
     .complexity = "O(1)",
     .summary = "Tells how the write-ahead log is doing.",
     .tips = kTips,
     .handler = stats_section},
    {.name = "lsm",
     .arity = at_least(2),
     .flags = kReport,
     .categories = AclCategory::dangerous,
     .group = "server",
     .since = "0.1.0",
     .complexity = kPerTable,
     .summary = "Tells how the LSM trees are doing, and what they cost.",
     .tips = kTips,
     .arguments = kOptionalShardId,
     .handler = stats_section},
    {.name = "memory",
     .arity = exactly(2),
     .flags = kReport,
     .categories = AclCategory::dangerous,
     .group = "server",
     .since = "0.1.0",
     .complexity = kPerTable,
     .summary = "Tells how the memory budget is divided and used.",
     .tips = kTips,
     .handler = stats_section},
    {.name = "ranges",
     .arity = exactly(2),
     .flags = kReport,
     .categories = AclCategory::dangerous,
     .group = "server",
     .since = "0.3.0",
     .complexity = "O(N), N being the number of ranges and of tables",
     .summary = "Tells which shard has the keys from where to where.",
     .tips = kTips,
     .handler = stats_section},
    {.name = "ring",
     .arity = exactly(2),
     .flags = kReport,
     .categories = AclCategory::dangerous,
     .group = "server",
     .since = "0.1.0",
     .complexity = "O(N), N being the number of ranges",
     .summary = "Tells how the hash ring is divided among the shards.",
     .tips = kTips,
     .handler = stats_section},
    {.name = "shard",
     .arity = exactly(3),
     .flags = kReport,
     .categories = AclCategory::dangerous,
     .group = "server",
     .since = "0.1.0",
     .complexity = kPerTable,
     .summary = "Tells how one shard is doing.",
     .tips = kTips,
     .arguments = kShardId,
     .handler = stats_section},
    {.name = "shards",
     .arity = exactly(2),
     .flags = kReport,
     .categories = AclCategory::dangerous,
     .group = "server",
     .since = "0.1.0",
     .complexity = kPerTable,
     .summary = "Tells how the shards are doing.",
     .tips = kTips,
     .handler = stats_section},
};
static_assert(sorted_and_unique(kSubcommands));

constexpr CommandSpec kStatsCommands[] = {
    {.name = "stats",
     .arity = at_least(1),
     .flags = kReport,
     .categories = AclCategory::dangerous,
     .group = "server",
     .since = "0.1.0",
     .complexity = kPerTable,
     .summary = "Tells how the data is laid out and what it costs.",
     .tips = kTips,
     .handler = stats,
     .subcommands = kSubcommands},
};

}  // namespace

std::span<const CommandSpec> stats_commands() { return kStatsCommands; }

}  // namespace shale::server
