// CONFIG: the options, read and changed while the server runs.
#include "src/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "cluster/expirer.h"
#include "src/command/arguments.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/config_rewrite.h"
#include "src/glob.h"
#include "src/server.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

// The name under which an option is shown if one of `patterns` asks for it: as it was asked for, if it was
// not asked for by a pattern. Else empty.
std::string_view wanted_as(std::string_view option, std::span<const std::string_view> patterns) {
  for (const std::string_view pattern : patterns) {
    const bool literal = pattern.find_first_of("[*?") == std::string_view::npos;
    if (literal && equals_ignoring_case(pattern, option)) return pattern;
    if (!literal && glob_matches(pattern, option, true)) return option;
  }
  return {};
}

// CONFIG GET pattern [pattern ...] -> a map of options and their values
engine::Status config_get(CommandContext& context, Arguments arguments) {
  const auto written = context.reply.begin_map(1);
  std::size_t count = 0;
  for (const auto& [option, value] : context.server.config().show()) {
    const std::string_view name = wanted_as(option, arguments.rest());
    if (name.empty()) continue;
    context.reply.bulk(name);
    context.reply.bulk(value);
    ++count;
  }
  context.reply.finish(written, count);
  return {};
}

// CONFIG SET option value [option value ...] -> OK; on an error nothing has changed
engine::Status config_set(CommandContext& context, Arguments arguments) {
  if (arguments.remaining() % 2 != 0) return reply_arity_error(context);
  if (const auto error = context.server.config().change(arguments.rest()))
    return reply_error(context, *error);
  return reply_ok(context);
}

// CONFIG RESETSTAT -> OK; what INFO counts begins at zero again
engine::Status config_resetstat(CommandContext& context, Arguments) {
  context.server.stats().reset();
  context.server.store().expirer().reset_stats();
  return reply_ok(context);
}

// CONFIG REWRITE -> OK; the configuration file says what is in force
engine::Status config_rewrite(CommandContext& context, Arguments) {
  const std::string& path = context.server.config_file();
  if (path.empty()) return reply_error(context, "ERR The server is running without a config file");
  for (const auto& load : context.keyspace.loads()) {
    const auto* rewrite = dynamic_cast<const ConfigRewrite*>(load.get());
    if (rewrite == nullptr) continue;
    if (rewrite->problem().empty()) return reply_ok(context);
    return reply_error(context, fmt::format("ERR Rewriting config file: {}", rewrite->problem()));
  }
  context.keyspace.reads().missing.push_back(std::make_shared<ConfigRewrite>(path, context.server.config()));
  return engine::Error{engine::ErrorKind::not_resident, {}};
}

// CONFIG HELP -> lines for people
engine::Status config_help(CommandContext& context, Arguments) {
  return reply_help(context, "CONFIG",
                    {
                        "GET <pattern> [<pattern> ...]",
                        "    Give the options that match, with their values.",
                        "SET <option> <value> [<option> <value> ...]",
                        "    Change options; all of them, or none.",
                        "RESETSTAT",
                        "    Let the counts in INFO begin at zero again.",
                        "REWRITE",
                        "    Write the options in force into the configuration file.",
                    });
}

constexpr CommandFlags kOperator = admin | noscript | loading | stale;

constexpr ArgumentSpec kParameter[] = {{.name = "parameter"}};
constexpr ArgumentSpec kGetArguments[] = {
    {.name = "parameter", .type = block, .multiple = true, .children = kParameter},
};
constexpr ArgumentSpec kPair[] = {{.name = "parameter"}, {.name = "value"}};
constexpr ArgumentSpec kSetArguments[] = {
    {.name = "data", .type = block, .multiple = true, .children = kPair},
};
constexpr std::string_view kPerOption = "O(N), N being the number of options";
constexpr std::string_view kAllNodes = "request_policy:all_nodes response_policy:all_succeeded";

constexpr CommandSpec kSubcommands[] = {
    {.name = "get",
     .arity = at_least(3),
     .flags = kOperator,
     .group = "server",
     .since = "2.0.0",
     .complexity = kPerOption,
     .summary = "Gives options and their values.",
     .arguments = kGetArguments,
     .handler = config_get},
    {.name = "help",
     .arity = exactly(2),
     .flags = loading | stale,
     .group = "server",
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "Explains the subcommands.",
     .handler = config_help},
    {.name = "resetstat",
     .arity = exactly(2),
     .flags = kOperator,
     .group = "server",
     .since = "2.0.0",
     .complexity = "O(1)",
     .summary = "Lets the counts in INFO begin at zero again.",
     .handler = config_resetstat},
    {.name = "rewrite",
     .arity = exactly(2),
     .flags = kOperator,
     .group = "server",
     .since = "2.8.0",
     .complexity = kPerOption,
     .summary = "Writes the options in force into the configuration file.",
     .handler = config_rewrite},
    {.name = "set",
     .arity = at_least(4),
     .flags = kOperator,
     .group = "server",
     .since = "2.0.0",
     .complexity = kPerOption,
     .summary = "Changes options while the server runs.",
     .tips = kAllNodes,
     .arguments = kSetArguments,
     .handler = config_set},
};
static_assert(sorted_and_unique(kSubcommands));

constexpr CommandSpec kConfigCommands[] = {
    {.name = "config",
     .arity = at_least(2),
     .group = "server",
     .since = "2.0.0",
     .complexity = "Depends on the subcommand",
     .summary = "The server's options.",
     .subcommands = kSubcommands},
};

}  // namespace

std::span<const CommandSpec> config_commands() { return kConfigCommands; }

}  // namespace shale::server
