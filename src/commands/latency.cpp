// LATENCY: what took long, by kind of event, and how long each command takes.
#include <fmt/format.h>

#include <chrono>

#include "src/command/arguments.h"
#include "src/command/table.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/metering/latency_report.h"
#include "src/server.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

// LATENCY LATEST -> of each kind of event its name, its newest time and milliseconds, the most milliseconds
engine::Status latency_latest(CommandContext& context, Arguments) {
  const auto events = context.server.metering().latency().events();
  context.reply.array(events.size());
  for (const auto& [name, event] : events) {
    context.reply.array(4);
    context.reply.bulk(name);
    context.reply.integer(event.samples.back().unix_seconds);
    context.reply.integer(event.samples.back().ms);
    context.reply.integer(event.longest_ms);
  }
  return {};
}

// LATENCY HISTORY event -> pairs of Unix time and milliseconds
engine::Status latency_history(CommandContext& context, Arguments arguments) {
  const auto samples = context.server.metering().latency().history(arguments.take());
  context.reply.array(samples.size());
  for (const LatencySample& sample : samples) {
    context.reply.array(2);
    context.reply.integer(sample.unix_seconds);
    context.reply.integer(sample.ms);
  }
  return {};
}

// LATENCY RESET [event ...] -> how many kinds of events have been forgotten
engine::Status latency_reset(CommandContext& context, Arguments arguments) {
  LatencyMonitor& monitor = context.server.metering().latency();
  if (arguments.empty()) return reply_integer(context, static_cast<std::int64_t>(monitor.reset()));
  std::int64_t count = 0;
  for (const std::string_view event : arguments.rest()) count += monitor.reset(event) ? 1 : 0;
  return reply_integer(context, count);
}

// LATENCY GRAPH event -> a graph of letters
engine::Status latency_graph(CommandContext& context, Arguments arguments) {
  const std::string_view name = arguments.take();
  const auto events = context.server.metering().latency().events();
  const auto found = events.find(name);
  if (found == events.end()) {
    return reply_error(context, fmt::format("ERR No samples available for event '{}'", name));
  }
  const std::int64_t now = context.server.store().clock().unix_ms() / 1000;
  context.reply.verbatim("txt",
                         draw_latency_graph(name, found->second.samples, found->second.longest_ms, now));
  return {};
}

// LATENCY DOCTOR -> what the events come to, for people
engine::Status latency_doctor(CommandContext& context, Arguments) {
  const Config& config = context.server.config();
  context.reply.verbatim(
      "txt", diagnose_latency(context.server.metering().latency().events(),
                              std::chrono::milliseconds{config.number(Option::latency_monitor_threshold)},
                              std::chrono::microseconds{config.number(Option::slowlog_log_slower_than)}));
  return {};
}

// Doubling from a microsecond on: how many calls took no longer.
void write_distribution(const LatencySummary& summary, protocol::ReplyWriter& reply) {
  constexpr std::uint64_t kShortestNs = 1024;
  constexpr std::uint64_t kNsPerUs = 1000;
  reply.map(2);
  reply.bulk("calls");
  reply.integer(summary.total());
  reply.bulk("histogram_usec");
  const auto written = reply.begin_map();
  std::size_t steps = 0;
  std::int64_t counted = 0;
  for (std::uint64_t ns = kShortestNs; ns <= LatencySteps::kLongestNs && counted < summary.total(); ns *= 2) {
    const std::int64_t below = summary.below(ns);
    if (below == counted) continue;
    counted = below;
    reply.integer(static_cast<std::int64_t>(ns / kNsPerUs));
    reply.integer(counted);
    ++steps;
  }
  reply.finish(written, steps);
}

// LATENCY HISTOGRAM [command ...] -> a map from commands that have run to their distributions; of a command
// with subcommands, those of the subcommands
engine::Status latency_histogram(CommandContext& context, Arguments arguments) {
  const CommandStats& stats = context.server.metering().commands();
  const auto written = context.reply.begin_map();
  std::size_t count = 0;
  const auto write = [&](CommandId id) {
    const auto summary = stats.latencies(id);
    if (summary->total() == 0) return;
    context.reply.bulk(full_name(command_by_id(id)));
    write_distribution(*summary, context.reply);
    ++count;
  };
  if (arguments.empty()) {
    for (std::size_t id = 0; id < command_id_count(); ++id) write(static_cast<CommandId>(id));
  }
  for (const std::string_view name : arguments.rest()) {
    const CommandSpec* command = find_by_full_name(name);
    if (command == nullptr) continue;
    const CommandId first = command_id(*command);
    for (std::size_t offset = 0; offset <= command->subcommands.size(); ++offset) {
      write(static_cast<CommandId>(first + offset));
    }
  }
  context.reply.finish(written, count);
  return {};
}

// LATENCY HELP -> lines for people
engine::Status latency_help(CommandContext& context, Arguments) {
  return reply_help(context, "LATENCY",
                    {
                        "DOCTOR",
                        "    Explain the events that have been seen.",
                        "GRAPH <event>",
                        "    Draw the newest events of a kind.",
                        "HISTORY <event>",
                        "    Give times and milliseconds of a kind's newest events.",
                        "LATEST",
                        "    Give the newest event of each kind.",
                        "RESET [<event> ...]",
                        "    Forget events of these kinds, or of all.",
                        "HISTOGRAM [<command> ...]",
                        "    Give how many calls of these commands, or of all, took how many microseconds.",
                    });
}

constexpr CommandFlags kOperator = admin | noscript | loading | stale;
constexpr std::string_view kPerNode =
    "nondeterministic_output request_policy:all_nodes response_policy:special";
constexpr ArgumentSpec kEvent[] = {{.name = "event"}};
constexpr ArgumentSpec kEvents[] = {{.name = "event", .optional = true, .multiple = true}};
constexpr ArgumentSpec kCommandNames[] = {{.name = "command", .optional = true, .multiple = true}};

constexpr CommandSpec kSubcommands[] = {
    {.name = "doctor",
     .arity = exactly(2),
     .flags = kOperator,
     .group = "server",
     .since = "2.8.13",
     .complexity = "O(1)",
     .summary = "Explains the events that took long.",
     .tips = kPerNode,
     .handler = latency_doctor},
    {.name = "graph",
     .arity = exactly(3),
     .flags = kOperator,
     .group = "server",
     .since = "2.8.13",
     .complexity = "O(1)",
     .summary = "Draws the newest events of a kind.",
     .tips = kPerNode,
     .arguments = kEvent,
     .handler = latency_graph},
    {.name = "help",
     .arity = exactly(2),
     .flags = loading | stale,
     .group = "server",
     .since = "2.8.13",
     .complexity = "O(1)",
     .summary = "Explains the subcommands.",
     .handler = latency_help},
    {.name = "histogram",
     .arity = at_least(2),
     .flags = kOperator,
     .group = "server",
     .since = "7.0.0",
     .complexity = "O(N), N being the number of commands asked for",
     .summary = "Gives how many calls of commands took how long.",
     .tips = kPerNode,
     .arguments = kCommandNames,
     .handler = latency_histogram},
    {.name = "history",
     .arity = exactly(3),
     .flags = kOperator,
     .group = "server",
     .since = "2.8.13",
     .complexity = "O(1)",
     .summary = "Gives the newest events of a kind.",
     .tips = kPerNode,
     .arguments = kEvent,
     .handler = latency_history},
    {.name = "latest",
     .arity = exactly(2),
     .flags = kOperator,
     .group = "server",
     .since = "2.8.13",
     .complexity = "O(1)",
     .summary = "Gives the newest event of each kind.",
     .tips = kPerNode,
     .handler = latency_latest},
    {.name = "reset",
     .arity = at_least(2),
     .flags = kOperator,
     .group = "server",
     .since = "2.8.13",
     .complexity = "O(1)",
     .summary = "Forgets events that took long.",
     .tips = "request_policy:all_nodes response_policy:all_succeeded",
     .arguments = kEvents,
     .handler = latency_reset},
};
static_assert(sorted_and_unique(kSubcommands));

constexpr CommandSpec kLatencyCommands[] = {
    {.name = "latency",
     .arity = at_least(2),
     .group = "server",
     .since = "2.8.13",
     .complexity = "Depends on the subcommand",
     .summary = "What took long.",
     .subcommands = kSubcommands},
};

}  // namespace

std::span<const CommandSpec> latency_commands() { return kLatencyCommands; }

}  // namespace shale::server
