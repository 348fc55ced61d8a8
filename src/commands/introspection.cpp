// COMMAND: what the server says of its commands. All of it is read from the command table.
#include <vector>

#include "src/acl/categories.h"
#include "src/command/arguments.h"
#include "src/command/documentation.h"
#include "src/command/table.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/glob.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

// COMMAND -> what COMMAND INFO says, of all commands
engine::Status command(CommandContext& context, Arguments) {
  context.reply.array(all_commands().size());
  for (const CommandSpec* row : all_commands()) write_command_info(*row, context.reply);
  return {};
}

// COMMAND COUNT -> how many commands there are, subcommands not counted
engine::Status command_count(CommandContext& context, Arguments) {
  return reply_integer(context, static_cast<std::int64_t>(all_commands().size()));
}

// COMMAND INFO [name ...] -> for each its arity, flags, keys, categories, ..., or null if there is no such
// command
engine::Status command_info(CommandContext& context, Arguments arguments) {
  if (arguments.empty()) return command(context, arguments);
  context.reply.array(arguments.remaining());
  for (const std::string_view name : arguments.rest()) {
    if (const CommandSpec* row = find_by_full_name(name)) {
      write_command_info(*row, context.reply);
    } else {
      context.reply.null();
    }
  }
  return {};
}

// COMMAND DOCS [name ...] -> a map from names to descriptions; unknown names are left out
engine::Status command_docs(CommandContext& context, Arguments arguments) {
  std::vector<const CommandSpec*> rows;
  for (const std::string_view name : arguments.rest()) {
    if (const CommandSpec* row = find_by_full_name(name)) rows.push_back(row);
  }
  if (arguments.empty()) rows.assign(all_commands().begin(), all_commands().end());
  context.reply.map(rows.size());
  for (const CommandSpec* row : rows) write_command_docs(*row, context.reply);
  return {};
}

// Names of all commands, and of subcommands as "config|get", for which `wanted` holds.
template <class Wanted>
engine::Status reply_names(CommandContext& context, Wanted wanted) {
  const auto written = context.reply.begin_array(all_commands().size());
  std::size_t count = 0;
  const auto add = [&](const CommandSpec& row) {
    const std::string name = full_name(row);
    if (!wanted(row, name)) return;
    context.reply.bulk(name);
    ++count;
  };
  for (const CommandSpec* row : all_commands()) {
    add(*row);
    for (const CommandSpec& subcommand : row->subcommands) add(subcommand);
  }
  context.reply.finish(written, count);
  return {};
}

bool is_in_category(const CommandSpec& row, std::string_view name) {
  const auto category = acl::find_category(name);
  return category && acl::categories_of(row).has(*category);
}

// COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN pattern] -> names of commands and
// subcommands
engine::Status command_list(CommandContext& context, Arguments arguments) {
  if (arguments.empty()) {
    return reply_names(context, [](const CommandSpec&, std::string_view) { return true; });
  }
  if (arguments.remaining() != 3 || !arguments.take_word("FILTERBY")) {
    return reply_error(context, kSyntaxError);
  }
  const std::string_view kind = arguments.take();
  const std::string_view wanted = arguments.take();
  if (equals_ignoring_case(kind, "MODULE")) {
    return reply_names(context, [](const CommandSpec&, std::string_view) { return false; });
  }
  if (equals_ignoring_case(kind, "ACLCAT")) {
    return reply_names(context,
                       [&](const CommandSpec& row, std::string_view) { return is_in_category(row, wanted); });
  }
  if (equals_ignoring_case(kind, "PATTERN")) {
    return reply_names(
        context, [&](const CommandSpec&, std::string_view name) { return glob_matches(wanted, name, true); });
  }
  return reply_error(context, kSyntaxError);
}

// The row whose keys the words name, or null after the error has been replied.
const CommandSpec* row_with_keys(CommandContext& context, std::span<const std::string_view> words) {
  const CommandSpec* row = resolve_command(words).spec;
  if (row == nullptr) {
    context.reply.error("ERR", "Invalid command specified");
  } else if (row->keys.first == 0) {
    context.reply.error("ERR", "The command has no key arguments");
  } else if (!row->arity.accepts(words.size())) {
    context.reply.error("ERR", "Invalid number of arguments specified for command");
  } else {
    return row;
  }
  return nullptr;
}

// COMMAND GETKEYS name [argument ...] -> which of the arguments are keys
engine::Status command_getkeys(CommandContext& context, Arguments arguments) {
  const auto words = arguments.rest();
  const CommandSpec* row = row_with_keys(context, words);
  if (row == nullptr) return {};
  const auto written = context.reply.begin_array(1);
  std::size_t count = 0;
  for_each_key(*row, words, [&](std::size_t index) {
    context.reply.bulk(words[index]);
    ++count;
  });
  context.reply.finish(written, count);
  return {};
}

// COMMAND GETKEYSANDFLAGS name [argument ...] -> pairs of a key and what the command does with it
engine::Status command_getkeysandflags(CommandContext& context, Arguments arguments) {
  const auto words = arguments.rest();
  const CommandSpec* row = row_with_keys(context, words);
  if (row == nullptr) return {};
  const auto written = context.reply.begin_array(1);
  std::size_t count = 0;
  for_each_key(*row, words, [&](std::size_t index, KeyFlags flags) {
    const auto names = key_flag_names(flags);
    context.reply.array(2);
    context.reply.bulk(words[index]);
    context.reply.set(names.size());
    for (const std::string_view flag : names) context.reply.simple_string(flag);
    ++count;
  });
  context.reply.finish(written, count);
  return {};
}

// COMMAND HELP -> lines for people
engine::Status command_help(CommandContext& context, Arguments) {
  return reply_help(context, "COMMAND",
                    {
                        "(no subcommand)",
                        "    Give the details of all commands.",
                        "COUNT",
                        "    Give the number of commands.",
                        "LIST [FILTERBY (MODULE <name>|ACLCAT <category>|PATTERN <pattern>)]",
                        "    Give the names of commands and subcommands.",
                        "INFO [<command-name> ...]",
                        "    Give arity, flags, keys and categories of these commands, or of all.",
                        "DOCS [<command-name> ...]",
                        "    Give the documentation of these commands, or of all.",
                        "GETKEYS <full-command>",
                        "    Give the keys in a full command.",
                        "GETKEYSANDFLAGS <full-command>",
                        "    Give the keys in a full command, and what it does with them.",
                    });
}

constexpr CommandFlags kAlways = loading | stale;
constexpr std::string_view kAnyOrder = "nondeterministic_output_order";

constexpr ArgumentSpec kNames[] = {{.name = "command-name", .optional = true, .multiple = true}};
constexpr ArgumentSpec kFilters[] = {
    {.name = "module-name", .token = "MODULE"},
    {.name = "category", .token = "ACLCAT"},
    {.name = "pattern", .type = pattern, .token = "PATTERN"},
};
constexpr ArgumentSpec kListArguments[] = {
    {.name = "filterby", .type = oneof, .token = "FILTERBY", .optional = true, .children = kFilters},
};
constexpr ArgumentSpec kFullCommand[] = {
    {.name = "command"},
    {.name = "arg", .optional = true, .multiple = true},
};

constexpr CommandSpec kSubcommands[] = {
    {.name = "count",
     .arity = exactly(2),
     .flags = kAlways,
     .categories = AclCategory::connection,
     .group = "server",
     .since = "2.8.13",
     .complexity = "O(1)",
     .summary = "Counts the commands.",
     .handler = command_count},
    {.name = "docs",
     .arity = at_least(2),
     .flags = kAlways,
     .categories = AclCategory::connection,
     .group = "server",
     .since = "7.0.0",
     .complexity = "O(N), N being the number of commands asked for",
     .summary = "Describes commands for people.",
     .tips = kAnyOrder,
     .arguments = kNames,
     .handler = command_docs},
    {.name = "getkeys",
     .arity = at_least(3),
     .flags = kAlways,
     .categories = AclCategory::connection,
     .group = "server",
     .since = "2.8.13",
     .complexity = "O(N), N being the number of arguments",
     .summary = "Picks the keys out of a full command.",
     .arguments = kFullCommand,
     .handler = command_getkeys},
    {.name = "getkeysandflags",
     .arity = at_least(3),
     .flags = kAlways,
     .categories = AclCategory::connection,
     .group = "server",
     .since = "7.0.0",
     .complexity = "O(N), N being the number of arguments",
     .summary = "Picks the keys out of a full command, and says what it does with them.",
     .arguments = kFullCommand,
     .handler = command_getkeysandflags},
    {.name = "help",
     .arity = exactly(2),
     .flags = kAlways,
     .categories = AclCategory::connection,
     .group = "server",
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "Explains the subcommands.",
     .handler = command_help},
    {.name = "info",
     .arity = at_least(2),
     .flags = kAlways,
     .categories = AclCategory::connection,
     .group = "server",
     .since = "2.8.13",
     .complexity = "O(N), N being the number of commands asked for",
     .summary = "Describes commands for programs.",
     .tips = kAnyOrder,
     .arguments = kNames,
     .handler = command_info},
    {.name = "list",
     .arity = at_least(2),
     .flags = kAlways,
     .categories = AclCategory::connection,
     .group = "server",
     .since = "7.0.0",
     .complexity = "O(N), N being the number of commands",
     .summary = "Names the commands.",
     .tips = kAnyOrder,
     .arguments = kListArguments,
     .handler = command_list},
};
static_assert(sorted_and_unique(kSubcommands));

constexpr CommandSpec kIntrospectionCommands[] = {
    {.name = "command",
     .arity = at_least(1),
     .flags = kAlways,
     .categories = AclCategory::connection,
     .group = "server",
     .since = "2.8.13",
     .complexity = "O(N), N being the number of commands",
     .summary = "Describes all commands for programs.",
     .tips = kAnyOrder,
     .handler = command,
     .subcommands = kSubcommands},
};

}  // namespace

std::span<const CommandSpec> introspection_commands() { return kIntrospectionCommands; }

}  // namespace shale::server
