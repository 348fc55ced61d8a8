#include "src/tracking/session_tracking.h"

#include <mutex>
#include <utility>

#include "src/server.h"

namespace shale::server {
namespace {

std::shared_ptr<TrackedClient> exchange_tracked(Session& session, std::shared_ptr<TrackedClient> tracked) {
  const std::lock_guard lock{session.shown_mutex};
  return std::exchange(session.tracked, std::move(tracked));
}

}  // namespace

void begin_tracking(Server& server, Session& session, TrackingOptions options, unsigned listener_thread) {
  std::shared_ptr<TrackedClient> tracked = session.tracked;
  if (!tracked) {
    tracked = std::make_shared<TrackedClient>(session.id, session.subscriber.thread, options.broadcast);
    exchange_tracked(session, tracked);
    server.tracking().begin(tracked);
  }
  server.tracking().add_prefixes(tracked, options.prefixes);
  std::vector<std::string> prefixes = tracked->options().prefixes;
  prefixes.insert(prefixes.end(), options.prefixes.begin(), options.prefixes.end());
  options.prefixes = std::move(prefixes);
  tracked->set_options(std::move(options), listener_thread);
}

void end_tracking(Server& server, Session& session) {
  session.caching_given = false;
  if (const auto tracked = exchange_tracked(session, nullptr)) server.tracking().end(tracked);
}

}  // namespace shale::server
