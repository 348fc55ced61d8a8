#include "src/admission.h"

#include "src/server.h"

namespace shale::server {

bool is_authenticated(const Server& server, const Session& session) {
  return session.authenticated || !server.config().password_required();
}

bool may_run(const Server& server, Session& session, const ResolvedCommand& command,
             std::span<const std::string_view> words) {
  return command.spec != nullptr && command.spec->arity.accepts(words.size()) &&
         (is_authenticated(server, session) || command.spec->flags.has(CommandFlag::no_auth));
}

std::string refusal_of(Server&, Session&, const ResolvedCommand& command,
                       std::span<const std::string_view> words) {
  if (command.spec == nullptr) return unknown_command_error(words);
  if (!command.spec->arity.accepts(words.size())) return wrong_arity_error(*command.spec);
  return "NOAUTH Authentication required.";
}

}  // namespace shale::server
