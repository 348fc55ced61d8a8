// What a client and the server agree on: who it is, which protocol, which database.
#include <fmt/format.h>

#include <limits>
#include <optional>

#include "src/admission.h"
#include "src/client_transaction.h"
#include "src/command/arguments.h"
#include "src/commands/authentication.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/config.h"
#include "src/pubsub/subscriptions.h"
#include "src/server.h"
#include "src/tracking/session_tracking.h"
#include "src/version.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

// AUTH [username] password -> OK
engine::Status auth(CommandContext& context, Arguments arguments) {
  if (arguments.remaining() > 2) return reply_error(context, kSyntaxError);
  const bool user_given = arguments.remaining() == 2;
  const std::string_view user = user_given ? arguments.take() : acl::kDefaultUser;
  if (!user_given && context.server.users().default_is_open()) {
    return reply_error(context,
                       "ERR AUTH <password> called without any password configured for the default user. Are "
                       "you sure your configuration is correct?");
  }
  if (!log_in(context.server, context.session, user, arguments.take(), arguments.all().front())) {
    return reply_error(context, kWrongPassword);
  }
  return reply_ok(context);
}

// ECHO message -> the same bytes
engine::Status echo(CommandContext& context, Arguments arguments) {
  return reply_bulk(context, arguments.take());
}

struct HelloOptions {
  std::optional<protocol::Version> version;
  bool with_password = false;
  std::string_view user;
  std::string_view password;
  std::optional<std::string_view> client_name;
};

// False, with the error in the reply, if there is one.
bool take_hello_options(CommandContext& context, Arguments& arguments, HelloOptions& options) {
  if (arguments.empty()) return true;
  const std::int64_t version =
      arguments.take_integer("ERR Protocol version is not an integer or out of range");
  if (!arguments.failed() && (version < 2 || version > 3)) {
    arguments.fail("NOPROTO unsupported protocol version");
  }
  options.version = version == 3 ? protocol::Version::resp3 : protocol::Version::resp2;
  while (!arguments.empty() && !arguments.failed()) {
    if (arguments.take_word("AUTH", 2)) {
      options.with_password = true;
      options.user = arguments.take();
      options.password = arguments.take();
    } else if (arguments.take_word("SETNAME", 1)) {
      options.client_name = arguments.take();
      if (!is_client_attribute(*options.client_name)) arguments.fail(kBadClientName);
    } else {
      context.reply.error("ERR", fmt::format("Syntax error in HELLO option '{}'", arguments.take()));
      return false;
    }
  }
  if (arguments.failed()) reply_error(context, arguments.error()).value();
  return !arguments.failed();
}

void reply_greeting(CommandContext& context) {
  protocol::ReplyWriter& reply = context.reply;
  reply.map(7);
  reply.bulk("server");
  reply.bulk("redis");
  reply.bulk("version");
  reply.bulk(kRedisVersion);
  reply.bulk("proto");
  reply.integer(static_cast<int>(context.session.protocol_version));
  reply.bulk("id");
  reply.integer(static_cast<std::int64_t>(context.session.id));
  reply.bulk("mode");
  reply.bulk(context.server.in_cluster_mode() ? "cluster" : "standalone");
  reply.bulk("role");
  reply.bulk("master");
  reply.bulk("modules");
  reply.array(0);
}

// HELLO [protover [AUTH username password] [SETNAME clientname]] -> a map of what the server is. On an error
// nothing has changed.
engine::Status hello(CommandContext& context, Arguments arguments) {
  HelloOptions options;
  if (!take_hello_options(context, arguments, options)) return {};
  const bool in_transaction = context.session.transaction && context.session.transaction->is_open();
  if (in_transaction && (options.with_password || options.client_name)) {
    return reply_error(context, "ERR HELLO with AUTH or SETNAME is not allowed inside a transaction");
  }
  if (options.with_password &&
      !log_in(context.server, context.session, options.user, options.password, arguments.all().front())) {
    return reply_error(context, kWrongPassword);
  }
  if (!is_authenticated(context.server, context.session)) {
    return reply_error(
        context,
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
        "<proto> AUTH <user> <pass> option can be used to authenticate the client and select the "
        "RESP protocol version at the same time");
  }
  if (options.client_name) set_client_name(context.session, *options.client_name);
  if (options.version) set_protocol(context, *options.version);
  reply_greeting(context);
  return {};
}

// PING [message] -> PONG, or the message
engine::Status ping(CommandContext& context, Arguments arguments) {
  if (arguments.remaining() > 1) return reply_arity_error(context);
  if (context.session.is_subscribed() && context.reply.version() == protocol::Version::resp2) {
    // Looks like a message, which is all that such a client expects.
    context.reply.array(2);
    context.reply.bulk("pong");
    return reply_bulk(context, arguments.empty() ? "" : arguments.take());
  }
  if (!arguments.empty()) return reply_bulk(context, arguments.take());
  context.reply.simple_string("PONG");
  return {};
}

// QUIT -> OK, then the connection is closed
engine::Status quit(CommandContext& context, Arguments) {
  context.session.close_after_reply = true;
  return reply_ok(context);
}

// RESET -> RESET; the connection is as if it were new, but for what CLIENT SETINFO has said
engine::Status reset(CommandContext& context, Arguments) {
  Session& session = context.session;
  if (session.transaction) session.transaction->discard();
  session.database.store(0, std::memory_order_relaxed);
  become_default_user(context.server, session);
  session.no_evict = false;
  session.no_touch = false;
  session.reply_mode = ReplyMode::on;
  session.subscriptions.reset();
  context.server.monitors().remove(session);
  end_tracking(context.server, session);
  set_client_name(session, {});
  set_protocol(context, protocol::Version::resp2);
  context.reply.simple_string("RESET");
  return {};
}

// SELECT index -> OK
engine::Status select(CommandContext& context, Arguments arguments) {
  const std::int64_t index = arguments.take_integer();
  if (arguments.failed()) return reply_error(context, arguments.error());
  if (index < std::numeric_limits<int>::min() || index > std::numeric_limits<int>::max()) {
    return reply_error(context, "ERR value is out of range, value must between -2147483648 and 2147483647");
  }
  if (index < 0 || index >= context.server.config().number(Option::databases)) {
    return reply_error(context, "ERR DB index is out of range");
  }
  if (index != 0 && context.server.in_cluster_mode()) {
    return reply_error(context, "ERR SELECT is not allowed in cluster mode");
  }
  context.session.database.store(static_cast<unsigned>(index), std::memory_order_relaxed);
  return reply_ok(context);
}

constexpr CommandFlags kGreeting = noscript | loading | stale | fast | no_auth | allow_busy;

constexpr ArgumentSpec kAuthArguments[] = {{.name = "username", .optional = true}, {.name = "password"}};
constexpr ArgumentSpec kMessage[] = {{.name = "message"}};
constexpr ArgumentSpec kOptionalMessage[] = {{.name = "message", .optional = true}};
constexpr ArgumentSpec kIndex[] = {{.name = "index", .type = integer}};
constexpr ArgumentSpec kHelloAuth[] = {{.name = "username"}, {.name = "password"}};
constexpr ArgumentSpec kHelloBlock[] = {
    {.name = "protover", .type = integer},
    {.name = "auth", .type = block, .token = "AUTH", .optional = true, .children = kHelloAuth},
    {.name = "clientname", .token = "SETNAME", .optional = true},
};
constexpr ArgumentSpec kHelloArguments[] = {
    {.name = "arguments", .type = block, .optional = true, .children = kHelloBlock},
};

constexpr CommandSpec kConnectionCommands[] = {
    {.name = "auth",
     .arity = at_least(2),
     .flags = kGreeting,
     .categories = AclCategory::connection,
     .group = "connection",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Says who the client is.",
     .arguments = kAuthArguments,
     .handler = auth},
    {.name = "echo",
     .arity = exactly(2),
     .flags = loading | stale | fast,
     .categories = AclCategory::connection,
     .group = "connection",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Gives back what it is given.",
     .arguments = kMessage,
     .handler = echo},
    {.name = "hello",
     .arity = at_least(1),
     .flags = kGreeting,
     .categories = AclCategory::connection,
     .group = "connection",
     .since = "6.0.0",
     .complexity = "O(1)",
     .summary = "Agrees on a protocol version, and on who the client is.",
     .arguments = kHelloArguments,
     .handler = hello,
     .in_transaction = InTransaction::in_order},
    {.name = "ping",
     .arity = at_least(1),
     .flags = fast,
     .categories = AclCategory::connection,
     .group = "connection",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Answers, to show that the server lives.",
     .tips = "request_policy:all_shards response_policy:all_succeeded",
     .arguments = kOptionalMessage,
     .handler = ping},
    {.name = "quit",
     .arity = at_least(1),
     .flags = kGreeting,
     .categories = AclCategory::connection,
     .group = "connection",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Closes the connection.",
     .deprecated_since = "7.2.0",
     .replaced_by = "just closing the connection",
     .handler = quit,
     .in_transaction = InTransaction::at_once},
    {.name = "reset",
     .arity = exactly(1),
     .flags = kGreeting,
     .categories = AclCategory::connection,
     .group = "connection",
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Makes the connection as it was when it was new.",
     .handler = reset,
     .in_transaction = InTransaction::at_once},
    {.name = "select",
     .arity = exactly(2),
     .flags = loading | stale | fast,
     .categories = AclCategory::connection,
     .group = "connection",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Chooses the database of the connection.",
     .arguments = kIndex,
     .handler = select,
     .in_transaction = InTransaction::in_order},
};
static_assert(sorted_and_unique(kConnectionCommands));

}  // namespace

std::span<const CommandSpec> connection_commands() { return kConnectionCommands; }

}  // namespace shale::server
