// ACL: users and what they may do. The rules themselves: src/acl/.
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "src/acl/categories.h"
#include "src/acl/password.h"
#include "src/admission.h"
#include "src/command/arguments.h"
#include "src/command/table.h"
#include "src/commands/acl_users.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/server.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

constexpr std::size_t kQuotedBytesMax = 128;

// ACL CAT [category] -> all categories, or the commands of one
engine::Status acl_cat(CommandContext& context, Arguments arguments) {
  if (arguments.remaining() > 1) return reply_subcommand_error(context, arguments);
  if (arguments.empty()) {
    context.reply.array(acl::category_names().size());
    for (const std::string_view name : acl::category_names()) context.reply.bulk(name);
    return {};
  }
  const std::string_view name = arguments.take();
  const auto category = acl::find_category(name);
  if (!category) {
    context.reply.error("ERR", fmt::format("Unknown category '{}'", name.substr(0, kQuotedBytesMax)));
    return {};
  }
  const auto written = context.reply.begin_array();
  std::size_t count = 0;
  const auto add = [&](const CommandSpec& command) {
    if (!acl::categories_of(command).has(*category)) return;
    context.reply.bulk(full_name(command));
    ++count;
  };
  for (const CommandSpec* command : all_commands()) {
    add(*command);
    for (const CommandSpec& subcommand : command->subcommands) add(subcommand);
  }
  context.reply.finish(written, count);
  return {};
}

// ACL DRYRUN user command [argument ...] -> OK, or why the user may not run it
engine::Status acl_dryrun(CommandContext& context, Arguments arguments) {
  const std::string_view name = arguments.take();
  const auto user = context.server.users().find(name);
  if (user == nullptr) {
    context.reply.error("ERR", fmt::format("User '{}' not found", name));
    return {};
  }
  const auto words = arguments.rest();
  const ResolvedCommand command = resolve_command(words);
  if (command.spec == nullptr) {
    context.reply.error("ERR", fmt::format("Command '{}' not found", words[0]));
    return {};
  }
  if (!command.spec->arity.accepts(words.size())) {
    context.reply.error("ERR",
                        fmt::format("wrong number of arguments for '{}' command", full_name(*command.spec)));
    return {};
  }
  const acl::Verdict verdict = context.server.users().rules_of(*user)->check(command, words);
  if (verdict.allowed()) return reply_ok(context);
  return reply_bulk(
      context, acl::describe_denial(verdict.denial, name, full_name(*command.spec), words[verdict.word]));
}

// ACL GENPASS [bits] -> so many random bits as hexadecimal digits, 256 if not said
engine::Status acl_genpass(CommandContext& context, Arguments arguments) {
  constexpr std::int64_t kBitsMax = 4096;
  constexpr std::int64_t kBitsPerDigit = 4;
  if (arguments.remaining() > 1) return reply_subcommand_error(context, arguments);
  const std::int64_t bits = arguments.empty() ? 256 : arguments.take_integer();
  if (arguments.failed()) return reply_error(context, arguments.error());
  if (bits <= 0 || bits > kBitsMax) {
    return reply_error(
        context,
        "ERR ACL GENPASS argument must be the number of bits for the output password, a positive "
        "number up to 4096");
  }
  const std::string digits =
      acl::random_digits(static_cast<std::size_t>((bits + kBitsPerDigit - 1) / kBitsPerDigit));
  if (digits.empty()) return reply_error(context, "ERR the system has no random numbers");
  return reply_bulk(context, digits);
}

void reply_log_entry(CommandContext& context, const acl::LogEntry& entry) {
  constexpr double kMsPerSecond = 1000;
  protocol::ReplyWriter& reply = context.reply;
  reply.map(10);
  reply.bulk("count");
  reply.integer(entry.count);
  reply.bulk("reason");
  reply.bulk(acl::name_of(entry.reason));
  reply.bulk("context");
  reply.bulk(acl::name_of(entry.context));
  reply.bulk("object");
  reply.bulk(entry.object);
  reply.bulk("username");
  reply.bulk(entry.username);
  reply.bulk("age-seconds");
  reply.number(static_cast<double>(context.keyspace.now_ms() - entry.updated_at_ms) / kMsPerSecond);
  reply.bulk("client-info");
  reply.bulk(entry.client);
  reply.bulk("entry-id");
  reply.integer(entry.id);
  reply.bulk("timestamp-created");
  reply.integer(entry.created_at_ms);
  reply.bulk("timestamp-last-updated");
  reply.integer(entry.updated_at_ms);
}

// ACL LOG [count | RESET] -> the last refusals, the newest first; OK
engine::Status acl_log(CommandContext& context, Arguments arguments) {
  constexpr std::int64_t kCountIfNotSaid = 10;
  if (arguments.remaining() > 1) return reply_subcommand_error(context, arguments);
  if (arguments.take_word("RESET")) {
    context.server.acl_log().clear();
    return reply_ok(context);
  }
  const std::int64_t count = arguments.empty() ? kCountIfNotSaid : arguments.take_integer();
  if (arguments.failed()) return reply_error(context, arguments.error());
  const auto entries =
      context.server.acl_log().newest(static_cast<std::size_t>(std::max<std::int64_t>(count, 0)));
  context.reply.array(entries.size());
  for (const acl::LogEntry& entry : entries) reply_log_entry(context, entry);
  return {};
}

// ACL WHOAMI -> the name of the user that the client is
engine::Status acl_whoami(CommandContext& context, Arguments) {
  return reply_bulk(context, context.session.identity.user().name());
}

// ACL HELP -> lines for people
engine::Status acl_help(CommandContext& context, Arguments) {
  return reply_help(context, "ACL",
                    {
                        "CAT [<category>]",
                        "    Give the categories of commands, or the commands of one.",
                        "DELUSER <username> [<username> ...]",
                        "    Remove users, and disconnect their clients.",
                        "DRYRUN <username> <command> [<arg> ...]",
                        "    Say whether the user may run the command, and do not run it.",
                        "GETUSER <username>",
                        "    Give the rules of a user.",
                        "GENPASS [<bits>]",
                        "    Give a random password of 256 bits, or as many as said.",
                        "LIST",
                        "    Give all users as lines of an ACL file.",
                        "LOAD",
                        "    Take the users from the ACL file.",
                        "LOG [<count> | RESET]",
                        "    Give the last refusals, or forget them.",
                        "SAVE",
                        "    Write the users to the ACL file.",
                        "SETUSER <username> [<rule> ...]",
                        "    Make a user, or change its rules.",
                        "USERS",
                        "    Give the names of all users.",
                        "WHOAMI",
                        "    Give the name of this connection's user.",
                    });
}

constexpr CommandFlags kOwn = noscript | loading | stale;
constexpr CommandFlags kOperator = admin | kOwn;
constexpr std::string_view kAllNodes = "request_policy:all_nodes response_policy:all_succeeded";
constexpr std::string_view kPerUser = "O(N), N being the number of users";
constexpr std::string_view kPerRule = "O(N), N being the number of rules";

constexpr ArgumentSpec kCategory[] = {{.name = "category", .optional = true}};
constexpr ArgumentSpec kUsername[] = {{.name = "username"}};
constexpr ArgumentSpec kUsernames[] = {{.name = "username", .multiple = true}};
constexpr ArgumentSpec kDryrunArguments[] = {
    {.name = "username"}, {.name = "command"}, {.name = "arg", .optional = true, .multiple = true}};
constexpr ArgumentSpec kBits[] = {{.name = "bits", .type = integer, .optional = true}};
constexpr ArgumentSpec kLogForms[] = {{.name = "count", .type = integer},
                                      {.name = "reset", .type = pure_token, .token = "RESET"}};
constexpr ArgumentSpec kLogArguments[] = {
    {.name = "operation", .type = oneof, .optional = true, .children = kLogForms}};
constexpr ArgumentSpec kSetuserArguments[] = {{.name = "username"},
                                              {.name = "rule", .optional = true, .multiple = true}};

constexpr CommandSpec kSubcommands[] = {
    {.name = "cat",
     .arity = at_least(2),
     .flags = kOwn,
     .group = "server",
     .since = "6.0.0",
     .complexity = "O(1)",
     .summary = "Gives the categories of commands, or the commands of one.",
     .arguments = kCategory,
     .handler = acl_cat},
    {.name = "deluser",
     .arity = at_least(3),
     .flags = kOperator,
     .group = "server",
     .since = "6.0.0",
     .complexity = "O(1)",
     .summary = "Removes users, and disconnects their clients.",
     .tips = kAllNodes,
     .arguments = kUsernames,
     .handler = acl_deluser},
    {.name = "dryrun",
     .arity = at_least(4),
     .flags = kOperator,
     .group = "server",
     .since = "7.0.0",
     .complexity = "O(1)",
     .summary = "Says whether a user may run a command, and does not run it.",
     .arguments = kDryrunArguments,
     .handler = acl_dryrun},
    {.name = "genpass",
     .arity = at_least(2),
     .flags = kOwn,
     .group = "server",
     .since = "6.0.0",
     .complexity = "O(1)",
     .summary = "Gives a random password.",
     .arguments = kBits,
     .handler = acl_genpass},
    {.name = "getuser",
     .arity = exactly(3),
     .flags = kOperator,
     .group = "server",
     .since = "6.0.0",
     .complexity = kPerRule,
     .summary = "Gives the rules of a user.",
     .arguments = kUsername,
     .handler = acl_getuser},
    {.name = "help",
     .arity = exactly(2),
     .flags = loading | stale,
     .group = "server",
     .since = "6.0.0",
     .complexity = "O(1)",
     .summary = "Explains the subcommands.",
     .handler = acl_help},
    {.name = "list",
     .arity = exactly(2),
     .flags = kOperator,
     .group = "server",
     .since = "6.0.0",
     .complexity = kPerUser,
     .summary = "Gives all users as lines of an ACL file.",
     .handler = acl_list},
    {.name = "load",
     .arity = exactly(2),
     .flags = kOperator,
     .group = "server",
     .since = "6.0.0",
     .complexity = kPerUser,
     .summary = "Takes the users from the ACL file.",
     .handler = acl_load},
    {.name = "log",
     .arity = at_least(2),
     .flags = kOperator,
     .group = "server",
     .since = "6.0.0",
     .complexity = "O(N), N being the number of entries",
     .summary = "Gives the last refusals, or forgets them.",
     .arguments = kLogArguments,
     .handler = acl_log},
    {.name = "save",
     .arity = exactly(2),
     .flags = kOperator,
     .group = "server",
     .since = "6.0.0",
     .complexity = kPerUser,
     .summary = "Writes the users to the ACL file.",
     .tips = kAllNodes,
     .handler = acl_save},
    {.name = "setuser",
     .arity = at_least(3),
     .flags = kOperator,
     .group = "server",
     .since = "6.0.0",
     .complexity = kPerRule,
     .summary = "Makes a user, or changes its rules.",
     .tips = kAllNodes,
     .arguments = kSetuserArguments,
     .handler = acl_setuser},
    {.name = "users",
     .arity = exactly(2),
     .flags = kOperator,
     .group = "server",
     .since = "6.0.0",
     .complexity = kPerUser,
     .summary = "Gives the names of all users.",
     .handler = acl_users},
    {.name = "whoami",
     .arity = exactly(2),
     .flags = kOwn,
     .group = "server",
     .since = "6.0.0",
     .complexity = "O(1)",
     .summary = "Gives the name of the user that the connection is.",
     .handler = acl_whoami},
};
static_assert(sorted_and_unique(kSubcommands));

constexpr CommandSpec kAclCommands[] = {
    {.name = "acl",
     .arity = at_least(2),
     .group = "server",
     .since = "6.0.0",
     .complexity = "Depends on the subcommand",
     .summary = "Users, and what they may do.",
     .subcommands = kSubcommands},
};

}  // namespace

std::span<const CommandSpec> acl_commands() { return kAclCommands; }

}  // namespace shale::server
