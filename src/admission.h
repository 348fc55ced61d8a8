// Whether a request may run at all: is there such a command, does it take so many words, may this client run
// it. Decided before anything of the request runs, and in one place for all who ask: the dispatcher before it
// executes a request, and whoever queues requests to execute them later.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "src/command/table.h"
#include "src/session.h"

namespace shale::server {

class Server;

// Whether the client has said who it is, or need not.
bool is_authenticated(const Server& server, const Session& session);

// Whether the request `words`, which resolved to `command`, may run for this client. Asked for every request,
// perhaps more than once: cheap, and without effect. On the connection's thread.
bool may_run(const Server& server, Session& session, const ResolvedCommand& command,
             std::span<const std::string_view> words);

// Why it may not, as the error to reply, with its code. Asked once for each request that is refused, because
// refusals are counted. On the connection's thread.
std::string refusal_of(Server& server, Session& session, const ResolvedCommand& command,
                       std::span<const std::string_view> words);

}  // namespace shale::server
