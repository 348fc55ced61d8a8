// CLIENT TRACKING and its relatives: clients that cache what they have read, and are told when it changes.
#include "src/commands/client_tracking.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "src/command/arguments.h"
#include "src/commands/reply.h"
#include "src/server.h"
#include "src/tracking/session_tracking.h"

namespace shale::server {
namespace {

// What CLIENT TRACKING has been given.
struct Request {
  TrackingOptions options;
  unsigned listener_thread = 0;
};

void take_redirection(CommandContext& context, Arguments& arguments, Request& request) {
  if (request.options.redirect != 0) {
    return arguments.fail("ERR A client can only redirect to a single other client");
  }
  const std::int64_t id = arguments.take_integer();
  if (arguments.failed()) return;
  // Whether the client exists from now on shows when there is something to tell.
  const auto listener = context.server.clients().find(static_cast<std::uint64_t>(id));
  if (!listener) return arguments.fail("ERR The client ID you want redirect to does not exist");
  request.options.redirect = listener->id;
  request.listener_thread = listener->subscriber.thread;
}

Request take_request(CommandContext& context, Arguments& arguments) {
  Request request{.options = {}, .listener_thread = context.session.subscriber.thread};
  TrackingOptions& options = request.options;
  while (!arguments.empty() && !arguments.failed()) {
    if (arguments.take_word("REDIRECT", 1)) {
      take_redirection(context, arguments, request);
    } else if (arguments.take_word("BCAST")) {
      options.broadcast = true;
    } else if (arguments.take_word("OPTIN")) {
      options.opt_in = true;
    } else if (arguments.take_word("OPTOUT")) {
      options.opt_out = true;
    } else if (arguments.take_word("NOLOOP")) {
      options.no_loop = true;
    } else if (arguments.take_word("PREFIX", 1)) {
      options.prefixes.emplace_back(arguments.take());
    } else {
      arguments.fail(kSyntaxError);
    }
  }
  return request;
}

bool overlap(std::string_view one, std::string_view other) {
  return one.starts_with(other) || other.starts_with(one);
}

// The error, with its code; empty if there is none.
std::string overlapping_prefixes(const std::vector<std::string>& given, const TrackedClient* now) {
  constexpr std::string_view kEnd = "Prefixes for a single client must not overlap.";
  for (std::size_t at = 0; at < given.size(); ++at) {
    if (now != nullptr) {
      for (const std::string& existing : now->options().prefixes) {
        if (!overlap(given[at], existing)) continue;
        return fmt::format("ERR Prefix '{}' overlaps with an existing prefix '{}'. {}", given[at], existing,
                           kEnd);
      }
    }
    for (std::size_t other = at + 1; other < given.size(); ++other) {
      if (!overlap(given[at], given[other])) continue;
      return fmt::format("ERR Prefix '{}' overlaps with another provided prefix '{}'. {}", given[at],
                         given[other], kEnd);
    }
  }
  return {};
}

// Why the options cannot be; empty if they can.
std::string contradiction(const TrackingOptions& options, const TrackedClient* now) {
  constexpr std::string_view kFirstDisable =
      "before disabling tracking for this client, and then re-enabling it with a different mode.";
  if (!options.broadcast && !options.prefixes.empty()) {
    return "ERR PREFIX option requires BCAST mode to be enabled";
  }
  if (now != nullptr && now->broadcasts() != options.broadcast) {
    return fmt::format("ERR You can't switch BCAST mode on/off {}", kFirstDisable);
  }
  if (options.broadcast && (options.opt_in || options.opt_out)) {
    return "ERR OPTIN and OPTOUT are not compatible with BCAST";
  }
  if (options.opt_in && options.opt_out) return "ERR You can't specify both OPTIN mode and OPTOUT mode";
  const bool switches = now != nullptr && ((options.opt_in && now->options().opt_out) ||
                                           (options.opt_out && now->options().opt_in));
  if (switches) return fmt::format("ERR You can't switch OPTIN/OPTOUT mode {}", kFirstDisable);
  return options.broadcast ? overlapping_prefixes(options.prefixes, now) : "";
}

}  // namespace

engine::Status client_tracking(CommandContext& context, Arguments arguments) {
  Session& session = context.session;
  const bool on = arguments.take_word("ON");
  const bool off = !on && arguments.take_word("OFF");
  if (!on && !off) arguments.fail(kSyntaxError);
  Request request = take_request(context, arguments);
  if (arguments.failed()) return reply_error(context, arguments.error());
  if (off) {
    end_tracking(context.server, session);
    return reply_ok(context);
  }
  TrackingOptions& options = request.options;
  const TrackedClient* now = session.tracked.get();
  if (const std::string error = contradiction(options, now); !error.empty())
    return reply_error(context, error);
  // Broadcasting without prefixes means all keys.
  const bool has_prefixes = !options.prefixes.empty() || (now != nullptr && !now->options().prefixes.empty());
  if (options.broadcast && !has_prefixes) options.prefixes.emplace_back();
  begin_tracking(context.server, session, std::move(options), request.listener_thread);
  return reply_ok(context);
}

engine::Status client_caching(CommandContext& context, Arguments arguments) {
  Session& session = context.session;
  if (!session.tracked) {
    return reply_error(
        context,
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or "
        "OPTOUT mode enabled");
  }
  const TrackingOptions& options = session.tracked->options();
  if (arguments.take_word("YES")) {
    if (!options.opt_in) {
      return reply_error(context,
                         "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
    }
  } else if (arguments.take_word("NO")) {
    if (!options.opt_out) {
      return reply_error(context,
                         "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
    }
  } else {
    return reply_error(context, kSyntaxError);
  }
  session.caching_given = true;
  return reply_ok(context);
}

engine::Status client_getredir(CommandContext& context, Arguments) {
  const auto& tracked = context.session.tracked;
  return reply_integer(context, tracked ? static_cast<std::int64_t>(tracked->redirect()) : -1);
}

engine::Status client_trackinginfo(CommandContext& context, Arguments) {
  const Session& session = context.session;
  const TrackedClient* tracked = session.tracked.get();
  const TrackingOptions options = tracked == nullptr ? TrackingOptions{} : tracked->options();
  std::vector<std::string_view> flags{tracked == nullptr ? "off" : "on"};
  if (options.broadcast) flags.emplace_back("bcast");
  if (options.opt_in) flags.emplace_back("optin");
  if (options.opt_in && session.caching_given) flags.emplace_back("caching-yes");
  if (options.opt_out) flags.emplace_back("optout");
  if (options.opt_out && session.caching_given) flags.emplace_back("caching-no");
  if (options.no_loop) flags.emplace_back("noloop");
  if (tracked != nullptr && tracked->redirection_is_broken()) flags.emplace_back("broken_redirect");

  protocol::ReplyWriter& reply = context.reply;
  reply.map(3);
  reply.bulk("flags");
  reply.set(flags.size());
  for (const std::string_view flag : flags) reply.bulk(flag);
  reply.bulk("redirect");
  reply.integer(tracked == nullptr ? -1 : static_cast<std::int64_t>(options.redirect));
  reply.bulk("prefixes");
  reply.array(options.prefixes.size());
  for (const std::string& prefix : options.prefixes) reply.bulk(prefix);
  return {};
}

}  // namespace shale::server
