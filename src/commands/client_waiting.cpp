#include "src/commands/client_waiting.h"

#include <chrono>

#include "cluster/expirer.h"
#include "src/commands/reply.h"
#include "src/commands/timeout_argument.h"
#include "src/server.h"

namespace shale::server {

engine::Status client_pause(CommandContext& context, Arguments arguments) {
  if (arguments.remaining() > 2) return reply_subcommand_error(context, arguments);
  const std::chrono::milliseconds duration = take_timeout(arguments, context.keyspace.now_ms());
  auto of = ClientPause::Of::everything;
  if (arguments.take_word("WRITE")) {
    of = ClientPause::Of::writes;
  } else if (!arguments.empty() && !arguments.take_word("ALL")) {
    return reply_error(context, "ERR CLIENT PAUSE mode must be WRITE or ALL");
  }
  if (arguments.failed()) return reply_error(context, arguments.error());
  const auto end = context.server.pause().begin(of, std::chrono::steady_clock::now(), duration);
  context.server.store().expirer().pause_until(end);  // no data changes, also not by expiry
  return reply_ok(context);
}

engine::Status client_unpause(CommandContext& context, Arguments) {
  context.server.pause().end();
  context.server.store().expirer().pause_until({});
  context.server.clients().resume_postponed();
  return reply_ok(context);
}

engine::Status client_unblock(CommandContext& context, Arguments arguments) {
  if (arguments.remaining() > 2) return reply_subcommand_error(context, arguments);
  const auto id = static_cast<std::uint64_t>(arguments.take_integer());
  const bool fails = arguments.take_word("ERROR");
  if (!fails && !arguments.empty() && !arguments.take_word("TIMEOUT")) {
    return reply_error(context, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
  }
  if (arguments.failed()) return reply_error(context, arguments.error());
  const bool unblocked = context.server.clients().unblock(id, fails ? WaitEnd::error : WaitEnd::timeout);
  return reply_integer(context, unblocked ? 1 : 0);
}

}  // namespace shale::server
