// Scripts and functions as far as there are none: what a client asks before it brings its own (SCRIPT EXISTS,
// FUNCTION LIST), and what clears them (test suites and job queues do so at their start). EVAL and LOAD are
// unknown commands.
#include <fmt/format.h>

#include "src/command/arguments.h"
#include "src/command/table.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

// FUNCTION FLUSH, SCRIPT FLUSH [ASYNC | SYNC] -> OK: there is nothing to forget
engine::Status flush(CommandContext& context, Arguments arguments) {
  const bool known = arguments.empty() || arguments.take_word("ASYNC") || arguments.take_word("SYNC");
  if (known && arguments.empty()) return reply_ok(context);
  return reply_error(context, full_name(context.command) == "script|flush"
                                  ? "ERR SCRIPT FLUSH only support SYNC|ASYNC option"
                                  : "ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
}

// SCRIPT EXISTS sha1 [sha1 ...] -> 0 for each
engine::Status script_exists(CommandContext& context, Arguments arguments) {
  context.reply.array(arguments.remaining());
  for (std::size_t left = arguments.remaining(); left > 0; --left) context.reply.integer(0);
  return {};
}

// FUNCTION LIST [LIBRARYNAME pattern] [WITHCODE] -> none
engine::Status function_list(CommandContext& context, Arguments arguments) {
  while (!arguments.empty()) {
    if (arguments.take_word("WITHCODE")) continue;
    if (!arguments.take_word("LIBRARYNAME")) {
      return reply_error(context, fmt::format("ERR Unknown argument {}", arguments.take()));
    }
    if (arguments.empty()) return reply_error(context, "ERR library name argument was not given");
    arguments.take();
  }
  context.reply.array(0);
  return {};
}

constexpr ArgumentSpec kFlushModes[] = {
    {.name = "async", .type = pure_token, .token = "ASYNC"},
    {.name = "sync", .type = pure_token, .token = "SYNC"},
};
constexpr ArgumentSpec kFlushMode[] = {
    {.name = "flush-type", .type = oneof, .optional = true, .children = kFlushModes}};
constexpr ArgumentSpec kSha1s[] = {{.name = "sha1", .multiple = true}};
constexpr ArgumentSpec kListing[] = {
    {.name = "library-name-pattern", .token = "LIBRARYNAME", .optional = true},
    {.name = "withcode", .type = pure_token, .token = "WITHCODE", .optional = true},
};

constexpr CommandSpec kFunctionSubcommands[] = {
    {.name = "flush",
     .arity = at_least(2),
     .flags = write | noscript,
     .group = "scripting",
     .since = "7.0.0",
     .complexity = "O(1)",
     .summary = "Forgets all functions: there are none.",
     .tips = "request_policy:all_shards response_policy:all_succeeded",
     .arguments = kFlushMode,
     .handler = flush},
    {.name = "list",
     .arity = at_least(2),
     .flags = noscript,
     .group = "scripting",
     .since = "7.0.0",
     .complexity = "O(1)",
     .summary = "Gives the libraries of functions: there are none.",
     .tips = "nondeterministic_output_order",
     .arguments = kListing,
     .handler = function_list},
};
static_assert(sorted_and_unique(kFunctionSubcommands));

constexpr CommandSpec kScriptSubcommands[] = {
    {.name = "exists",
     .arity = at_least(3),
     .flags = noscript,
     .group = "scripting",
     .since = "2.6.0",
     .complexity = "O(N) for N checksums",
     .summary = "Whether scripts are known: none is.",
     .tips = "request_policy:all_shards response_policy:agg_logical_and",
     .arguments = kSha1s,
     .handler = script_exists},
    {.name = "flush",
     .arity = at_least(2),
     .flags = noscript,
     .group = "scripting",
     .since = "2.6.0",
     .complexity = "O(1)",
     .summary = "Forgets all scripts: there are none.",
     .tips = "request_policy:all_nodes response_policy:all_succeeded",
     .arguments = kFlushMode,
     .handler = flush},
};
static_assert(sorted_and_unique(kScriptSubcommands));

constexpr CommandSpec kScriptingCommands[] = {
    {.name = "function",
     .arity = at_least(2),
     .group = "scripting",
     .since = "7.0.0",
     .complexity = "Depends on the subcommand",
     .summary = "Functions, of which there are none.",
     .subcommands = kFunctionSubcommands},
    {.name = "script",
     .arity = at_least(2),
     .group = "scripting",
     .since = "2.6.0",
     .complexity = "Depends on the subcommand",
     .summary = "Scripts, of which there are none.",
     .subcommands = kScriptSubcommands},
};
static_assert(sorted_and_unique(kScriptingCommands));

}  // namespace

std::span<const CommandSpec> scripting_commands() { return kScriptingCommands; }

}  // namespace shale::server
