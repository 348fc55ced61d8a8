// The server itself: what it says of itself, its clock, its end.
#include "src/server.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <string>

#include "cluster/expirer.h"
#include "src/command/arguments.h"
#include "src/commands/debug_protocol.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/info.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

// INFO [section [section ...]] -> lines "field:value" in sections
engine::Status info(CommandContext& context, Arguments arguments) {
  context.reply.verbatim("txt", describe_server(context.server, arguments.rest()));
  return {};
}

// TIME -> Unix seconds, and the microseconds in the current second
engine::Status time(CommandContext& context, Arguments) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const std::int64_t microseconds = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  context.reply.array(2);
  context.reply.bulk(fmt::format_int(microseconds / 1'000'000).c_str());
  context.reply.bulk(fmt::format_int(microseconds % 1'000'000).c_str());
  return {};
}

// As C's strtod reads a number at the beginning of a text; what is none counts as 0.
double leading_number(std::string_view text) { return std::strtod(std::string(text).c_str(), nullptr); }

// DEBUG SLEEP seconds -> OK, but only then; nobody else waits
engine::Status debug_sleep(CommandContext& context, std::string_view seconds_text) {
  constexpr double kSecondsMax = 24 * 60 * 60;
  const double seconds = leading_number(seconds_text);
  if (seconds > 0) {
    context.delay = std::chrono::milliseconds(std::llround(std::min(seconds, kSecondsMax) * 1000));
  }
  return reply_ok(context);
}

// DEBUG SET-ACTIVE-EXPIRE 0 | 1 -> OK. With 0 keys that have expired stay on disk, unseen as ever.
engine::Status debug_set_active_expire(CommandContext& context, std::string_view active_text) {
  context.server.store().expirer().set_active(leading_number(active_text) != 0);
  return reply_ok(context);
}

// DEBUG LOG message -> OK; the log has it
engine::Status debug_log(CommandContext& context, std::string_view message) {
  constexpr std::size_t kLoggedBytesMax = 4096;
  spdlog::warn("DEBUG LOG: {}", message.substr(0, kLoggedBytesMax));
  return reply_ok(context);
}

// DEBUG SLEEP seconds | SET-ACTIVE-EXPIRE 0 | 1 | PROTOCOL type | ERROR text | LOG message | HELP
engine::Status debug(CommandContext& context, Arguments arguments) {
  if (arguments.remaining() == 2 && arguments.take_word("SLEEP"))
    return debug_sleep(context, arguments.take());
  if (arguments.remaining() == 2 && arguments.take_word("SET-ACTIVE-EXPIRE"))
    return debug_set_active_expire(context, arguments.take());
  if (arguments.remaining() == 2 && arguments.take_word("PROTOCOL"))
    return debug_protocol(context, arguments.take());
  if (arguments.remaining() == 2 && arguments.take_word("ERROR"))
    return reply_error(context, arguments.take());
  if (arguments.remaining() == 2 && arguments.take_word("LOG")) return debug_log(context, arguments.take());
  if (arguments.remaining() == 1 && arguments.take_word("HELP")) {
    return reply_help(context, "DEBUG",
                      {
                          "ERROR <text>",
                          "    Reply the error <text>.",
                          "LOG <message>",
                          "    Write <message> into the server's log.",
                          "PROTOCOL <type>",
                          "    Reply a value of <type>: string, integer, double, bignum, null, array, set,",
                          "    map, attrib, push, verbatim, true or false.",
                          "SET-ACTIVE-EXPIRE <0|1>",
                          "    With 0, keys that have expired are not erased until they are written over.",
                          "SLEEP <seconds>",
                          "    Reply only after <seconds>, which may have a fraction. Others do not wait.",
                      });
  }
  constexpr std::size_t kQuotedBytesMax = 128;
  return reply_error(
      context, fmt::format("ERR unknown subcommand or wrong number of arguments for '{}'. Try DEBUG HELP.",
                           arguments.take().substr(0, kQuotedBytesMax)));
}

struct ShutdownOptions {
  bool save = false;
  bool nosave = false;
  bool now_or_force = false;
  bool abort = false;

  bool contradict() const { return (save && nosave) || (abort && (save || nosave || now_or_force)); }
};

// SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT] -> no reply: the connection is closed. Every acknowledged
// write is kept, whatever is asked for.
engine::Status shutdown(CommandContext& context, Arguments arguments) {
  ShutdownOptions options;
  while (!arguments.empty() && !arguments.failed()) {
    if (arguments.take_word("NOSAVE")) {
      options.nosave = true;
    } else if (arguments.take_word("SAVE")) {
      options.save = true;
    } else if (arguments.take_word("NOW") || arguments.take_word("FORCE")) {
      options.now_or_force = true;
    } else if (arguments.take_word("ABORT")) {
      options.abort = true;
    } else {
      arguments.fail(kSyntaxError);
    }
  }
  if (arguments.failed() || options.contradict()) return reply_error(context, kSyntaxError);
  if (options.abort) return reply_error(context, "ERR No shutdown in progress.");
  context.session.close_after_reply = true;
  context.server.request_shutdown();
  return {};
}

constexpr CommandFlags kOperator = admin | noscript | loading | stale;

constexpr ArgumentSpec kSections[] = {{.name = "section", .optional = true, .multiple = true}};
constexpr ArgumentSpec kDebugArguments[] = {
    {.name = "subcommand"},
    {.name = "arg", .optional = true, .multiple = true},
};
constexpr ArgumentSpec kSaveOrNot[] = {
    {.name = "nosave", .type = pure_token, .token = "NOSAVE"},
    {.name = "save", .type = pure_token, .token = "SAVE"},
};
constexpr ArgumentSpec kShutdownArguments[] = {
    {.name = "save-selector", .type = oneof, .optional = true, .children = kSaveOrNot},
    {.name = "now", .type = pure_token, .token = "NOW", .optional = true},
    {.name = "force", .type = pure_token, .token = "FORCE", .optional = true},
    {.name = "abort", .type = pure_token, .token = "ABORT", .optional = true},
};

constexpr CommandSpec kServerCommands[] = {
    {.name = "debug",
     .arity = at_least(2),
     .flags = kOperator,
     .group = "server",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Helps to test clients: delays a reply, replies of every type.",
     .arguments = kDebugArguments,
     .handler = debug},
    {.name = "info",
     .arity = at_least(1),
     .flags = loading | stale,
     .categories = AclCategory::dangerous,
     .group = "server",
     .since = "1.0.0",
     .complexity = "O(N), N being the number of shards",
     .summary = "Tells how the server is doing.",
     .tips = "nondeterministic_output request_policy:all_shards response_policy:special",
     .arguments = kSections,
     .handler = info},
    {.name = "shutdown",
     .arity = at_least(1),
     .flags = kOperator | no_multi | allow_busy,
     .group = "server",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Stops the server; nothing that was acknowledged is lost.",
     .arguments = kShutdownArguments,
     .handler = shutdown},
    {.name = "time",
     .arity = exactly(1),
     .flags = loading | stale | fast,
     .group = "server",
     .since = "2.6.0",
     .complexity = "O(1)",
     .summary = "Gives the server's time.",
     .tips = "nondeterministic_output",
     .handler = time},
};
static_assert(sorted_and_unique(kServerCommands));

}  // namespace

std::span<const CommandSpec> server_commands() { return kServerCommands; }

}  // namespace shale::server
