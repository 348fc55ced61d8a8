// MODULE: there are none, and none can be loaded.
#include "src/command/arguments.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"

namespace shale::server {
namespace {

using enum CommandFlag;

// MODULE LIST -> none
engine::Status module_list(CommandContext& context, Arguments) {
  context.reply.array(0);
  return {};
}

// MODULE LOAD, LOADEX, UNLOAD -> an error
engine::Status module_refused(CommandContext& context, Arguments) {
  return reply_error(context, "ERR MODULE command not allowed. Modules are not available.");
}

// MODULE HELP -> lines for people
engine::Status module_help(CommandContext& context, Arguments) {
  return reply_help(context, "MODULE",
                    {
                        "LIST",
                        "    Give the modules that are loaded: there are none.",
                    });
}

constexpr CommandFlags kLoads = admin | noscript | no_async_loading;
constexpr std::string_view kRefused = "Refused: modules are not available.";
constexpr ArgumentSpec kPath[] = {{.name = "path"}, {.name = "arg", .optional = true, .multiple = true}};
constexpr ArgumentSpec kName[] = {{.name = "name"}};

constexpr CommandSpec kSubcommands[] = {
    {.name = "help",
     .arity = exactly(2),
     .flags = loading | stale,
     .group = "server",
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "Explains the subcommands.",
     .handler = module_help},
    {.name = "list",
     .arity = exactly(2),
     .flags = admin | noscript,
     .group = "server",
     .since = "4.0.0",
     .complexity = "O(1)",
     .summary = "Gives the modules that are loaded: there are none.",
     .tips = "nondeterministic_output_order",
     .handler = module_list},
    {.name = "load",
     .arity = at_least(3),
     .flags = kLoads,
     .group = "server",
     .since = "4.0.0",
     .complexity = "O(1)",
     .summary = kRefused,
     .arguments = kPath,
     .handler = module_refused},
    {.name = "loadex",
     .arity = at_least(3),
     .flags = kLoads,
     .group = "server",
     .since = "7.0.0",
     .complexity = "O(1)",
     .summary = kRefused,
     .arguments = kPath,
     .handler = module_refused},
    {.name = "unload",
     .arity = exactly(3),
     .flags = kLoads,
     .group = "server",
     .since = "4.0.0",
     .complexity = "O(1)",
     .summary = kRefused,
     .arguments = kName,
     .handler = module_refused},
};
static_assert(sorted_and_unique(kSubcommands));

constexpr CommandSpec kModuleCommands[] = {
    {.name = "module",
     .arity = at_least(2),
     .group = "server",
     .since = "4.0.0",
     .complexity = "Depends on the subcommand",
     .summary = "Modules, of which there are none.",
     .subcommands = kSubcommands},
};

}  // namespace

std::span<const CommandSpec> module_commands() { return kModuleCommands; }

}  // namespace shale::server
