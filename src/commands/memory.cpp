// MEMORY: what values take, and what the process takes.
#include <fmt/format.h>

#include <algorithm>

#include "cluster/position.h"
#include "src/command/arguments.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/memory_report.h"
#include "src/server.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

// What a record costs beside its bytes: its share of an index, lengths, a checksum's share.
constexpr std::size_t kRecordOverheadBytes = 32;

// MEMORY USAGE key [SAMPLES count] -> bytes that key and value take where they are stored, or null
engine::Status memory_usage(CommandContext& context, Arguments arguments) {
  const BytesView name = arguments.take();
  while (!arguments.empty() && !arguments.failed()) {
    if (!arguments.take_word("SAMPLES", 1) || arguments.take_integer() < 0) arguments.fail(kSyntaxError);
  }
  if (arguments.failed()) return reply_error(context, arguments.error());
  const auto found = context.keyspace.look(name);
  if (!found) return found.error();
  if (!*found) return reply_null(context);
  Bytes header;
  append_value_header((*found)->type, (*found)->expires_at_ms, header);
  const std::size_t position_bytes = context.server.store().placement().prefix_bytes() + name.size();
  return reply_integer(context, static_cast<std::int64_t>(position_bytes + header.size() + (*found)->size() +
                                                          kRecordOverheadBytes));
}

// Pairs of a name and a number.
class NumberPairs {
 public:
  explicit NumberPairs(protocol::ReplyWriter& reply) : reply_(reply), written_(reply.begin_map(20)) {}

  void bytes(std::string_view name, std::uint64_t value) { integer(name, static_cast<std::int64_t>(value)); }
  void integer(std::string_view name, std::int64_t value) {
    reply_.bulk(name);
    reply_.integer(value);
    ++pairs_;
  }
  void ratio(std::string_view name, double value) {
    reply_.bulk(name);
    reply_.number(value);
    ++pairs_;
  }
  void finish() { reply_.finish(written_, pairs_); }

 private:
  protocol::ReplyWriter& reply_;
  protocol::ReplyWriter::Deferred written_;
  std::size_t pairs_ = 0;
};

// MEMORY STATS -> a map of figures, in bytes, with Redis's names
engine::Status memory_stats(CommandContext& context, Arguments) {
  const MemoryReport report = report_memory(context.server);
  const AllocatorFigures& allocator = report.allocator;
  const std::uint64_t keys = static_cast<std::uint64_t>(std::max<std::int64_t>(report.keys, 0));
  const std::uint64_t since_startup = report.used - std::min(report.used, report.startup);
  NumberPairs figures(context.reply);
  figures.bytes("peak.allocated", report.peak);
  figures.bytes("total.allocated", report.used);
  figures.bytes("startup.allocated", report.startup);
  figures.bytes("replication.backlog", 0);
  figures.bytes("clients.slaves", 0);
  figures.bytes("clients.normal", report.clients);
  figures.bytes("cluster.links", 0);
  figures.bytes("aof.buffer", 0);
  figures.bytes("lua.caches", 0);
  figures.bytes("functions.caches", 0);
  figures.bytes("overhead.total", report.overhead());
  figures.integer("keys.count", report.keys);
  figures.bytes("keys.bytes-per-key", keys == 0 ? 0 : since_startup / keys);
  figures.bytes("dataset.bytes", report.dataset);
  figures.ratio("dataset.percentage", share_of(report.dataset, since_startup) * 100);
  figures.ratio("peak.percentage", share_of(report.used, report.peak) * 100);
  figures.bytes("allocator.allocated", allocator.allocated);
  figures.bytes("allocator.active", allocator.active);
  figures.bytes("allocator.resident", allocator.resident);
  figures.ratio("allocator-fragmentation.ratio", share_of(allocator.active, allocator.allocated));
  figures.integer("allocator-fragmentation.bytes", difference(allocator.active, allocator.allocated));
  figures.ratio("allocator-rss.ratio", share_of(allocator.resident, allocator.active));
  figures.integer("allocator-rss.bytes", difference(allocator.resident, allocator.active));
  figures.ratio("rss-overhead.ratio", share_of(report.resident, allocator.resident));
  figures.integer("rss-overhead.bytes", difference(report.resident, allocator.resident));
  figures.ratio("fragmentation", share_of(report.resident, report.used));
  figures.integer("fragmentation.bytes", difference(report.resident, report.used));
  figures.finish();
  return {};
}

// MEMORY DOCTOR -> what may be wrong, for people
engine::Status memory_doctor(CommandContext& context, Arguments) {
  context.reply.verbatim(
      "txt", diagnose_memory(report_memory(context.server), context.server.memory_budget().total));
  return {};
}

// MEMORY MALLOC-STATS -> the allocator's own report, for people
engine::Status memory_malloc_stats(CommandContext& context, Arguments) {
  const std::string report = allocator_report();
  context.reply.verbatim("txt", report.empty() ? "Stats not supported for the current allocator" : report);
  return {};
}

// MEMORY PURGE -> OK, when unused pages have been given back to the system; that waits for the system, so it
// runs in the background
engine::Status memory_purge(CommandContext& context, Arguments) {
  engine::Background& background = context.server.background();
  background.submit(engine::Priority::client_read, [] { purge_allocator(); });
  return reply_ok(context);
}

// MEMORY HELP -> lines for people
engine::Status memory_help(CommandContext& context, Arguments) {
  return reply_help(context, "MEMORY",
                    {
                        "DOCTOR",
                        "    Explain what may be wrong with the memory.",
                        "MALLOC-STATS",
                        "    Give what the allocator reports of itself.",
                        "PURGE",
                        "    Let the allocator give unused pages back to the system.",
                        "STATS",
                        "    Give figures on the memory of the process.",
                        "USAGE <key> [SAMPLES <count>]",
                        "    Estimate the bytes that <key> and its value take where they are stored. Nothing",
                        "    is sampled: <count> is taken and has no effect.",
                    });
}

constexpr std::string_view kPerShard =
    "nondeterministic_output request_policy:all_shards response_policy:special";
constexpr ArgumentSpec kUsageArguments[] = {
    {.name = "key", .type = key},
    {.name = "count", .type = integer, .token = "SAMPLES", .optional = true},
};

constexpr CommandSpec kSubcommands[] = {
    {.name = "doctor",
     .arity = exactly(2),
     .group = "server",
     .since = "4.0.0",
     .complexity = "O(N), N being the number of shards",
     .summary = "Explains what may be wrong with the memory.",
     .tips = kPerShard,
     .handler = memory_doctor},
    {.name = "help",
     .arity = exactly(2),
     .flags = loading | stale,
     .group = "server",
     .since = "4.0.0",
     .complexity = "O(1)",
     .summary = "Explains the subcommands.",
     .handler = memory_help},
    {.name = "malloc-stats",
     .arity = exactly(2),
     .group = "server",
     .since = "4.0.0",
     .complexity = "Depends on how much has been allocated",
     .summary = "Gives the allocator's own report.",
     .tips = kPerShard,
     .handler = memory_malloc_stats},
    {.name = "purge",
     .arity = exactly(2),
     .group = "server",
     .since = "4.0.0",
     .complexity = "Depends on how much has been freed",
     .summary = "Gives unused memory back to the system.",
     .tips = "request_policy:all_shards response_policy:all_succeeded",
     .handler = memory_purge},
    {.name = "stats",
     .arity = exactly(2),
     .group = "server",
     .since = "4.0.0",
     .complexity = "O(N), N being the number of shards",
     .summary = "Gives figures on the memory of the process.",
     .tips = kPerShard,
     .handler = memory_stats},
    {.name = "usage",
     .arity = at_least(3),
     .flags = readonly,
     .keys = one_key(2, KeyFlag::ro),
     .group = "server",
     .since = "4.0.0",
     .complexity = "O(1)",
     .summary = "Estimates the bytes that a key and its value take.",
     .arguments = kUsageArguments,
     .handler = memory_usage,
     .key_use = KeyUse::look},
};
static_assert(sorted_and_unique(kSubcommands));

constexpr CommandSpec kMemoryCommands[] = {
    {.name = "memory",
     .arity = at_least(2),
     .group = "server",
     .since = "4.0.0",
     .complexity = "Depends on the subcommand",
     .summary = "What values and the process take.",
     .subcommands = kSubcommands},
};

}  // namespace

std::span<const CommandSpec> memory_commands() { return kMemoryCommands; }

}  // namespace shale::server
