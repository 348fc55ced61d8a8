// CLIENT: the connections, seen and changed by one of them.
#include <fmt/format.h>

#include <atomic>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "src/admission.h"
#include "src/client_description.h"
#include "src/command/arguments.h"
#include "src/commands/authentication.h"
#include "src/commands/client_tracking.h"
#include "src/commands/client_waiting.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/server.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

// Redis's classes of clients. There are no masters and no replicas here.
enum class ClientType : std::uint8_t { normal, master, replica, pubsub };

std::optional<ClientType> parse_client_type(std::string_view text) {
  if (equals_ignoring_case(text, "normal")) return ClientType::normal;
  if (equals_ignoring_case(text, "master")) return ClientType::master;
  if (equals_ignoring_case(text, "replica") || equals_ignoring_case(text, "slave"))
    return ClientType::replica;
  if (equals_ignoring_case(text, "pubsub")) return ClientType::pubsub;
  return std::nullopt;
}

ClientType type_of(const Session& session) {
  return session.is_subscribed() ? ClientType::pubsub : ClientType::normal;
}

engine::Status reply_unknown_type(CommandContext& context, std::string_view type) {
  return reply_error(context, fmt::format("ERR Unknown client type '{}'", type));
}

// CLIENT ID -> the connection's number
engine::Status client_id(CommandContext& context, Arguments) {
  return reply_integer(context, static_cast<std::int64_t>(context.session.id));
}

// CLIENT INFO -> the connection's line of CLIENT LIST
engine::Status client_info(CommandContext& context, Arguments) {
  context.session.last_command.store(&context.command, std::memory_order_relaxed);
  context.reply.verbatim("txt", describe_own_client(context.session, context.keyspace.now_ms()) + "\n");
  return {};
}

// What CLIENT LIST shows: false, with the error in the reply, if the arguments are wrong.
bool take_listed_clients(CommandContext& context, Arguments& arguments,
                         std::vector<std::shared_ptr<Session>>& listed) {
  const ClientRegistry& clients = context.server.clients();
  if (arguments.empty()) {
    listed = clients.list();
    return true;
  }
  if (arguments.remaining() == 2 && arguments.take_word("TYPE")) {
    const std::string_view text = arguments.take();
    const auto type = parse_client_type(text);
    if (!type) {
      reply_unknown_type(context, text).value();
      return false;
    }
    listed = clients.list();
    std::erase_if(listed, [&](const auto& session) { return type_of(*session) != *type; });
    return true;
  }
  if (!arguments.take_word("ID", 1)) {
    reply_error(context, kSyntaxError).value();
    return false;
  }
  while (!arguments.empty()) {
    const std::int64_t id = arguments.take_integer("ERR Invalid client ID");
    if (auto session = clients.find(static_cast<std::uint64_t>(id))) listed.push_back(std::move(session));
  }
  if (arguments.failed()) reply_error(context, arguments.error()).value();
  return !arguments.failed();
}

// CLIENT LIST [TYPE type | ID id [id ...]] -> a line for each client
engine::Status client_list(CommandContext& context, Arguments arguments) {
  std::vector<std::shared_ptr<Session>> listed;
  if (!take_listed_clients(context, arguments, listed)) return {};
  context.session.last_command.store(&context.command, std::memory_order_relaxed);
  std::string lines;
  for (const auto& session : listed) {
    const bool is_own = session.get() == &context.session;
    lines += (is_own ? describe_own_client : describe_client)(*session, context.keyspace.now_ms());
    lines += '\n';
  }
  context.reply.verbatim("txt", lines);
  return {};
}

// Which clients CLIENT KILL means; all that are given must fit.
struct KillFilter {
  std::optional<std::string_view> address;
  std::optional<std::string_view> local_address;
  std::optional<ClientType> type;
  std::optional<std::uint64_t> id;
  std::optional<std::string_view> user;
  std::optional<std::int64_t> age_seconds_min;
  bool skip_self = true;

  bool fits(const Session& session, std::int64_t now_ms) const {
    return (!address || session.address == *address) &&
           (!local_address || session.local_address == *local_address) &&
           (!type || *type == type_of(session)) && (!id || session.id == *id) &&
           (!user || shown_user(session) == *user) &&
           (!age_seconds_min || (now_ms - session.connected_at_ms) / 1000 >= *age_seconds_min);
  }
};

std::int64_t take_positive(Arguments& arguments, std::string_view not_integer,
                           std::string_view not_positive) {
  const std::int64_t value = arguments.take_integer(not_integer);
  if (value < 1) arguments.fail(not_positive);
  return value;
}

// Takes one option and its value. False, with the error in the reply, if they are wrong.
bool take_kill_option(CommandContext& context, Arguments& arguments, KillFilter& filter) {
  if (arguments.take_word("ID", 1)) {
    constexpr std::string_view kNotPositive = "ERR client-id should be greater than 0";
    filter.id = static_cast<std::uint64_t>(take_positive(arguments, kNotPositive, kNotPositive));
  } else if (arguments.take_word("TYPE", 1)) {
    const std::string_view text = arguments.take();
    filter.type = parse_client_type(text);
    if (!filter.type) {
      reply_unknown_type(context, text).value();
      return false;
    }
  } else if (arguments.take_word("ADDR", 1)) {
    filter.address = arguments.take();
  } else if (arguments.take_word("LADDR", 1)) {
    filter.local_address = arguments.take();
  } else if (arguments.take_word("USER", 1)) {
    const std::string_view user = arguments.take();
    if (context.server.users().find(user) == nullptr) {
      reply_error(context, fmt::format("ERR No such user '{}'", user)).value();
      return false;
    }
    filter.user = user;
  } else if (arguments.take_word("MAXAGE", 1)) {
    filter.age_seconds_min = take_positive(arguments, "ERR maxage is not an integer or out of range",
                                           "ERR maxage should be greater than 0");
  } else if (arguments.take_word("SKIPME", 1)) {
    filter.skip_self = arguments.take_word("YES");
    if (!filter.skip_self && !arguments.take_word("NO")) arguments.fail(kSyntaxError);
  } else {
    arguments.fail(kSyntaxError);
  }
  if (arguments.failed()) reply_error(context, arguments.error()).value();
  return !arguments.failed();
}

std::int64_t kill_clients(CommandContext& context, const KillFilter& filter) {
  ClientRegistry& clients = context.server.clients();
  std::int64_t killed = 0;
  for (const auto& session : clients.list()) {
    if (!filter.fits(*session, context.keyspace.now_ms())) continue;
    if (session->id != context.session.id) {
      killed += clients.kill(session->id);
    } else if (!filter.skip_self) {
      context.session.close_after_reply = true;
      ++killed;
    }
  }
  return killed;
}

// CLIENT KILL ip:port -> OK, or an error if there is no such client
// CLIENT KILL option value [option value ...] -> how many clients were disconnected
engine::Status client_kill(CommandContext& context, Arguments arguments) {
  KillFilter filter;
  if (arguments.remaining() == 1) {
    filter.address = arguments.take();
    filter.skip_self = false;
    if (kill_clients(context, filter) == 0) return reply_error(context, "ERR No such client");
    return reply_ok(context);
  }
  while (!arguments.empty()) {
    if (!take_kill_option(context, arguments, filter)) return {};
  }
  return reply_integer(context, kill_clients(context, filter));
}

// CLIENT GETNAME -> the connection's name, or null
engine::Status client_getname(CommandContext& context, Arguments) {
  const std::lock_guard lock(context.session.shown_mutex);
  return context.session.name.empty() ? reply_null(context) : reply_bulk(context, context.session.name);
}

// CLIENT SETNAME name -> OK; an empty name removes it
engine::Status client_setname(CommandContext& context, Arguments arguments) {
  const std::string_view name = arguments.take();
  if (!is_client_attribute(name)) return reply_error(context, kBadClientName);
  set_client_name(context.session, name);
  return reply_ok(context);
}

// CLIENT SETINFO LIB-NAME name | LIB-VER version -> OK
engine::Status client_setinfo(CommandContext& context, Arguments arguments) {
  const std::string_view attribute = arguments.take();
  const std::string_view value = arguments.take();
  const bool is_name = equals_ignoring_case(attribute, "LIB-NAME");
  if (!is_name && !equals_ignoring_case(attribute, "LIB-VER")) {
    return reply_error(context, fmt::format("ERR Unrecognized option '{}'", attribute));
  }
  if (!is_client_attribute(value)) {
    return reply_error(
        context, fmt::format("ERR {} cannot contain spaces, newlines or special characters.", attribute));
  }
  const std::lock_guard lock(context.session.shown_mutex);
  (is_name ? context.session.library_name : context.session.library_version) = value;
  return reply_ok(context);
}

// CLIENT REPLY ON -> OK; OFF and SKIP have no reply
engine::Status client_reply(CommandContext& context, Arguments arguments) {
  Session& session = context.session;
  if (arguments.take_word("ON")) {
    session.reply_mode = ReplyMode::on;
    return reply_ok(context);
  }
  if (arguments.take_word("OFF")) {
    session.reply_mode = ReplyMode::off;
  } else if (arguments.take_word("SKIP")) {
    if (session.reply_mode != ReplyMode::off) session.reply_mode = ReplyMode::skip_next;
  } else {
    return reply_error(context, kSyntaxError);
  }
  return {};
}

engine::Status take_switch(CommandContext& context, Arguments& arguments, std::atomic<bool>& on) {
  const bool wanted = arguments.take_word("ON");
  if (!wanted && !arguments.take_word("OFF")) return reply_error(context, kSyntaxError);
  on.store(wanted, std::memory_order_relaxed);
  return reply_ok(context);
}

// CLIENT NO-EVICT ON | OFF -> OK. Clients are never evicted here.
engine::Status client_no_evict(CommandContext& context, Arguments arguments) {
  return take_switch(context, arguments, context.session.no_evict);
}

// CLIENT NO-TOUCH ON | OFF -> OK. Nothing is evicted by its last use here.
engine::Status client_no_touch(CommandContext& context, Arguments arguments) {
  return take_switch(context, arguments, context.session.no_touch);
}

// CLIENT HELP -> lines for people
engine::Status client_help(CommandContext& context, Arguments) {
  return reply_help(context, "CLIENT",
                    {
                        "CACHING (YES|NO)",
                        "    Say whether the keys that the next command reads are tracked.",
                        "GETNAME",
                        "    Give the name of this connection.",
                        "GETREDIR",
                        "    Give the number of the connection that is told what this one tracks.",
                        "ID",
                        "    Give the number of this connection.",
                        "INFO",
                        "    Describe this connection.",
                        "KILL <ip:port>",
                        "    Close the connection from <ip:port>.",
                        "KILL <option> <value> [<option> <value> [...]]",
                        "    Close the connections that fit all options:",
                        "    * ADDR <ip:port> or <unixsocket>:0, the client's end",
                        "    * LADDR <ip:port> or <unixsocket>:0, the server's end",
                        "    * ID <client-id>",
                        "    * MAXAGE <seconds>, connected for at least so long",
                        "    * SKIPME (YES|NO), whether to spare this connection (default: yes)",
                        "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
                        "    * USER <username>",
                        "LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB) | ID <client-id> [...]]",
                        "    Describe the connections.",
                        "NO-EVICT (ON|OFF)",
                        "    Taken; clients are never evicted.",
                        "NO-TOUCH (ON|OFF)",
                        "    Taken; the time of last use is not kept.",
                        "PAUSE <timeout> [WRITE|ALL]",
                        "    Make the commands of all clients wait for <timeout> milliseconds, or those",
                        "    that change data.",
                        "REPLY (ON|OFF|SKIP)",
                        "    Say whether this connection wants replies.",
                        "SETINFO (LIB-NAME|LIB-VER) <text>",
                        "    Name the client library of this connection.",
                        "SETNAME <name>",
                        "    Name this connection.",
                        "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
                        "         [OPTIN] [OPTOUT] [NOLOOP]",
                        "    Be told when keys change that this connection has read, or, with BCAST, that",
                        "    begin with one of the prefixes.",
                        "TRACKINGINFO",
                        "    Say how this connection tracks keys.",
                        "UNBLOCK <client-id> [TIMEOUT|ERROR]",
                        "    End the waiting of a client in a blocking command, as if its time were over or",
                        "    with an error.",
                        "UNPAUSE",
                        "    End what PAUSE has begun.",
                    });
}

constexpr CommandFlags kOwn = noscript | loading | stale;
constexpr CommandFlags kOthers = admin | kOwn;

constexpr ArgumentSpec kTypes[] = {
    {.name = "normal", .type = pure_token, .token = "NORMAL"},
    {.name = "master", .type = pure_token, .token = "MASTER"},
    {.name = "replica", .type = pure_token, .token = "REPLICA"},
    {.name = "pubsub", .type = pure_token, .token = "PUBSUB"},
};
constexpr ArgumentSpec kIds[] = {{.name = "client-id", .type = integer, .multiple = true}};
constexpr ArgumentSpec kListArguments[] = {
    {.name = "client-type", .type = oneof, .token = "TYPE", .optional = true, .children = kTypes},
    {.name = "id", .type = block, .token = "ID", .optional = true, .children = kIds},
};
constexpr ArgumentSpec kOnOff[] = {
    {.name = "on", .type = pure_token, .token = "ON"},
    {.name = "off", .type = pure_token, .token = "OFF"},
};
constexpr ArgumentSpec kSwitch[] = {{.name = "enabled", .type = oneof, .children = kOnOff}};
constexpr ArgumentSpec kReplyModes[] = {
    {.name = "on", .type = pure_token, .token = "ON"},
    {.name = "off", .type = pure_token, .token = "OFF"},
    {.name = "skip", .type = pure_token, .token = "SKIP"},
};
constexpr ArgumentSpec kReplyArguments[] = {{.name = "action", .type = oneof, .children = kReplyModes}};
constexpr ArgumentSpec kYesNo[] = {
    {.name = "yes", .type = pure_token, .token = "YES"},
    {.name = "no", .type = pure_token, .token = "NO"},
};
constexpr ArgumentSpec kKillFilters[] = {
    {.name = "client-id", .type = integer, .token = "ID", .optional = true},
    {.name = "client-type", .type = oneof, .token = "TYPE", .optional = true, .children = kTypes},
    {.name = "username", .token = "USER", .optional = true},
    {.name = "addr", .token = "ADDR", .optional = true},
    {.name = "laddr", .token = "LADDR", .optional = true},
    {.name = "skipme", .type = oneof, .token = "SKIPME", .optional = true, .children = kYesNo},
    {.name = "maxage", .type = integer, .token = "MAXAGE", .optional = true},
};
constexpr ArgumentSpec kKillForms[] = {
    {.name = "old-format"},
    {.name = "new-format", .type = oneof, .multiple = true, .children = kKillFilters},
};
constexpr ArgumentSpec kKillArguments[] = {{.name = "filter", .type = oneof, .children = kKillForms}};
constexpr ArgumentSpec kNameArgument[] = {{.name = "connection-name"}};
constexpr ArgumentSpec kAttributes[] = {
    {.name = "libname", .token = "LIB-NAME"},
    {.name = "libver", .token = "LIB-VER"},
};
constexpr ArgumentSpec kSetinfoArguments[] = {{.name = "attr", .type = oneof, .children = kAttributes}};

constexpr std::string_view kPerClient = "O(N), N being the number of clients";

constexpr ArgumentSpec kCachingArguments[] = {{.name = "mode", .type = oneof, .children = kYesNo}};
constexpr ArgumentSpec kTrackingArguments[] = {
    {.name = "status", .type = oneof, .children = kOnOff},
    {.name = "client-id", .type = integer, .token = "REDIRECT", .optional = true},
    {.name = "prefix", .token = "PREFIX", .optional = true, .multiple = true},
    {.name = "bcast", .type = pure_token, .token = "BCAST", .optional = true},
    {.name = "optin", .type = pure_token, .token = "OPTIN", .optional = true},
    {.name = "optout", .type = pure_token, .token = "OPTOUT", .optional = true},
    {.name = "noloop", .type = pure_token, .token = "NOLOOP", .optional = true},
};

constexpr ArgumentSpec kPauseModes[] = {
    {.name = "write", .type = pure_token, .token = "WRITE"},
    {.name = "all", .type = pure_token, .token = "ALL"},
};
constexpr ArgumentSpec kPauseArguments[] = {
    {.name = "timeout", .type = integer},
    {.name = "mode", .type = oneof, .optional = true, .children = kPauseModes},
};
constexpr ArgumentSpec kUnblockTypes[] = {
    {.name = "timeout", .type = pure_token, .token = "TIMEOUT"},
    {.name = "error", .type = pure_token, .token = "ERROR"},
};
constexpr ArgumentSpec kUnblockArguments[] = {
    {.name = "client-id", .type = integer},
    {.name = "unblock-type", .type = oneof, .optional = true, .children = kUnblockTypes},
};

constexpr CommandSpec kSubcommands[] = {
    {.name = "caching",
     .arity = exactly(3),
     .flags = kOwn,
     .categories = AclCategory::connection,
     .group = "connection",
     .since = "6.0.0",
     .complexity = "O(1)",
     .summary = "Says whether the keys that the next command reads are tracked.",
     .arguments = kCachingArguments,
     .handler = client_caching,
     .in_transaction = InTransaction::in_order},
    {.name = "getname",
     .arity = exactly(2),
     .flags = kOwn,
     .categories = AclCategory::connection,
     .group = "connection",
     .since = "2.6.9",
     .complexity = "O(1)",
     .summary = "Gives the name of the connection.",
     .handler = client_getname},
    {.name = "getredir",
     .arity = exactly(2),
     .flags = kOwn,
     .categories = AclCategory::connection,
     .group = "connection",
     .since = "6.0.0",
     .complexity = "O(1)",
     .summary = "Gives the number of the connection that is told what this one tracks.",
     .handler = client_getredir},
    {.name = "help",
     .arity = exactly(2),
     .flags = loading | stale,
     .categories = AclCategory::connection,
     .group = "connection",
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "Explains the subcommands.",
     .handler = client_help},
    {.name = "id",
     .arity = exactly(2),
     .flags = kOwn,
     .categories = AclCategory::connection,
     .group = "connection",
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "Gives the number of the connection.",
     .handler = client_id},
    {.name = "info",
     .arity = exactly(2),
     .flags = kOwn,
     .categories = AclCategory::connection,
     .group = "connection",
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Describes the connection.",
     .tips = "nondeterministic_output",
     .handler = client_info},
    {.name = "kill",
     .arity = at_least(3),
     .flags = kOthers,
     .categories = AclCategory::connection,
     .group = "connection",
     .since = "2.4.0",
     .complexity = kPerClient,
     .summary = "Closes connections.",
     .arguments = kKillArguments,
     .handler = client_kill},
    {.name = "list",
     .arity = at_least(2),
     .flags = kOthers,
     .categories = AclCategory::connection,
     .group = "connection",
     .since = "2.4.0",
     .complexity = kPerClient,
     .summary = "Describes the connections.",
     .tips = "nondeterministic_output",
     .arguments = kListArguments,
     .handler = client_list},
    {.name = "no-evict",
     .arity = exactly(3),
     .flags = kOthers,
     .categories = AclCategory::connection,
     .group = "connection",
     .since = "7.0.0",
     .complexity = "O(1)",
     .summary = "Taken; clients are never evicted.",
     .arguments = kSwitch,
     .handler = client_no_evict},
    {.name = "no-touch",
     .arity = exactly(3),
     .flags = kOwn,
     .categories = AclCategory::connection,
     .group = "connection",
     .since = "7.2.0",
     .complexity = "O(1)",
     .summary = "Taken; the time of last use is not kept.",
     .arguments = kSwitch,
     .handler = client_no_touch},
    {.name = "pause",
     .arity = at_least(3),
     .flags = kOthers,
     .categories = AclCategory::connection,
     .group = "connection",
     .since = "3.0.0",
     .complexity = "O(1)",
     .summary = "Makes the commands of all clients wait, or those that change data.",
     .arguments = kPauseArguments,
     .handler = client_pause},
    {.name = "reply",
     .arity = exactly(3),
     .flags = kOwn,
     .categories = AclCategory::connection,
     .group = "connection",
     .since = "3.2.0",
     .complexity = "O(1)",
     .summary = "Says whether the connection wants replies.",
     .arguments = kReplyArguments,
     .handler = client_reply},
    {.name = "setinfo",
     .arity = exactly(4),
     .flags = kOwn,
     .categories = AclCategory::connection,
     .group = "connection",
     .since = "7.2.0",
     .complexity = "O(1)",
     .summary = "Names the client library of the connection.",
     .tips = "request_policy:all_nodes response_policy:all_succeeded",
     .arguments = kSetinfoArguments,
     .handler = client_setinfo},
    {.name = "setname",
     .arity = exactly(3),
     .flags = kOwn,
     .categories = AclCategory::connection,
     .group = "connection",
     .since = "2.6.9",
     .complexity = "O(1)",
     .summary = "Names the connection.",
     .tips = "request_policy:all_nodes response_policy:all_succeeded",
     .arguments = kNameArgument,
     .handler = client_setname},
    {.name = "tracking",
     .arity = at_least(3),
     .flags = kOwn,
     .categories = AclCategory::connection,
     .group = "connection",
     .since = "6.0.0",
     .complexity = "O(1)",
     .summary = "Says whether the connection is told when keys change that it caches.",
     .arguments = kTrackingArguments,
     .handler = client_tracking},
    {.name = "trackinginfo",
     .arity = exactly(2),
     .flags = kOwn,
     .categories = AclCategory::connection,
     .group = "connection",
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Says how the connection tracks keys.",
     .handler = client_trackinginfo},
    {.name = "unblock",
     .arity = at_least(3),
     .flags = kOthers,
     .categories = AclCategory::connection,
     .group = "connection",
     .since = "5.0.0",
     .complexity = "O(log N), N being the number of clients",
     .summary = "Ends the waiting of a client in a blocking command.",
     .arguments = kUnblockArguments,
     .handler = client_unblock},
    {.name = "unpause",
     .arity = exactly(2),
     .flags = kOthers,
     .categories = AclCategory::connection,
     .group = "connection",
     .since = "6.2.0",
     .complexity = "O(N), N being the number of clients",
     .summary = "Ends what CLIENT PAUSE has begun.",
     .handler = client_unpause},
};
static_assert(sorted_and_unique(kSubcommands));

constexpr CommandSpec kClientCommands[] = {
    {.name = "client",
     .arity = at_least(2),
     .group = "connection",
     .since = "2.4.0",
     .complexity = "Depends on the subcommand",
     .summary = "The connections.",
     .subcommands = kSubcommands},
};

}  // namespace

std::span<const CommandSpec> client_commands() { return kClientCommands; }

}  // namespace shale::server
