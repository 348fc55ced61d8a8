// Whether a request may run at all: is there such a command, does it take so many words, may this client run
// it. Decided before anything of the request runs, and in one place for all who ask: the dispatcher before it
// executes a request, and whoever queues requests to execute them later.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "src/command/table.h"
#include "src/session.h"

namespace shale::server {

class Server;

// Whether the client has said who it is, or need not: the default user may have no password.
bool is_authenticated(const Server& server, const Session& session);

// Whether the request `words`, which resolved to `command`, may run for this client. Asked for every request,
// perhaps more than once: cheap, and without effect. On the connection's thread.
bool may_run(const Server& server, Session& session, const ResolvedCommand& command,
             std::span<const std::string_view> words);

// Why it may not, as the error to reply, with its code. Asked once for each request that is refused, because
// refusals are counted. On the connection's thread.
std::string refusal_of(Server& server, Session& session, const ResolvedCommand& command,
                       std::span<const std::string_view> words);

// For requests that were admitted when they were queued, and are about to be executed (EXEC): what has
// changed since then is why they may not run any more, as the error to reply. nullopt if they may. Without
// effect: EXEC may begin again.
std::optional<std::string> refusal_at_exec(const Server& server, Session& session,
                                           const ResolvedCommand& command,
                                           std::span<const std::string_view> words);
// The same request was refused by an EXEC that has happened: remembers it for ACL LOG.
void log_refusal_at_exec(Server& server, Session& session, const ResolvedCommand& command,
                         std::span<const std::string_view> words);

// The user of the session as the ACL log and CLIENT LIST show it; any thread.
std::string shown_user(const Session& session);
// AUTH and HELLO: the client becomes that user if the password is right. If it is not, the ACL log says so;
// `object` is the word that asked. On the connection's thread.
bool log_in(Server& server, Session& session, std::string_view user, std::string_view password,
            std::string_view object);
// As a client that has just connected, and after RESET. On the connection's thread.
void become_default_user(Server& server, Session& session);

}  // namespace shale::server
