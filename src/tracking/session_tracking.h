// CLIENT TRACKING as a state of a session. On the client's thread.
#pragma once

#include "src/tracking/tracked_client.h"

namespace shale::server {

class Server;
struct Session;

// From now on the client is told as `options` say, whose prefixes add to those that it has; `listener_thread`
// is the one of the client that is told: itself, or the one it redirects to.
void begin_tracking(Server& server, Session& session, TrackingOptions options, unsigned listener_thread);
// Does nothing if tracking is off.
void end_tracking(Server& server, Session& session);

}  // namespace shale::server
