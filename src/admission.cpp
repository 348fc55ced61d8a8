#include "src/admission.h"

#include <fmt/format.h>

#include <mutex>

#include "src/client_description.h"
#include "src/server.h"

namespace shale::server {
namespace {

// What the user's rules say of a request that is a command and has the words for it.
acl::Verdict verdict_on(const Server& server, Session& session, const ResolvedCommand& command,
                        std::span<const std::string_view> words) {
  const acl::UserRules* rules = session.identity.rules(server.users());
  if (rules == nullptr || rules->unrestricted()) return {};
  return rules->check(command, words);
}

acl::Reason reason_of(acl::Denial denial) {
  switch (denial) {
    case acl::Denial::key: return acl::Reason::key;
    case acl::Denial::channel: return acl::Reason::channel;
    default: return acl::Reason::command;
  }
}

void log_refusal(Server& server, Session& session, acl::Reason reason, acl::LogContext context,
                 std::string_view object, std::string_view user) {
  const std::int64_t now_ms = server.store().clock().unix_ms();
  acl::LogEntry entry;
  entry.reason = reason;
  entry.context = context;
  entry.object = object.substr(0, acl::Log::kNameBytesMax);
  entry.username = user.substr(0, acl::Log::kNameBytesMax);
  entry.client = describe_own_client(session, now_ms);
  server.acl_log().add(std::move(entry), now_ms,
                       static_cast<std::size_t>(server.config().number(Option::acllog_max_len)));
}

void log_denial(Server& server, Session& session, acl::Verdict verdict, acl::LogContext context,
                const CommandSpec& command, std::span<const std::string_view> words) {
  const std::string object =
      verdict.denial == acl::Denial::command ? full_name(command) : std::string{words[verdict.word]};
  session.last_command.store(&command, std::memory_order_relaxed);  // as Redis shows it
  log_refusal(server, session, reason_of(verdict.denial), context, object, session.identity.user().name());
}

std::string_view reason_at_exec(acl::Denial denial) {
  switch (denial) {
    case acl::Denial::key: return "no permission to touch the specified keys";
    case acl::Denial::channel:
      return "no permission to access one of the channels used as arguments to the command";
    default: return "no permission to execute the command or subcommand";
  }
}

void set_identity(Session& session, std::shared_ptr<acl::User> user) {
  {
    const std::lock_guard lock{session.shown_mutex};
    session.user = user->name();
  }
  session.identity.become(std::move(user));
}

// A client that has subscribed and speaks RESP2 could not tell messages from replies.
bool is_allowed_between_messages(const CommandSpec& command) {
  if (command.group == "pubsub") return command.name.ends_with("subscribe");
  return command.name == "ping" || command.name == "quit" || command.name == "reset";
}

bool is_confined(const Session& session, const CommandSpec& command) {
  return session.protocol_version == protocol::Version::resp2 && session.is_subscribed() &&
         !is_allowed_between_messages(command);
}

// What monitors do with keys would be shown to monitors.
bool is_of_monitor(const Session& session, const CommandSpec& command) {
  return session.is_monitor.load(std::memory_order_relaxed) &&
         (command.flags.has(CommandFlag::write) || command.flags.has(CommandFlag::readonly) ||
          command.name == "publish" || command.name == "spublish");
}

}  // namespace

bool is_authenticated(const Server& server, const Session& session) {
  return session.authenticated || !server.users().password_required();
}

bool may_run(const Server& server, Session& session, const ResolvedCommand& command,
             std::span<const std::string_view> words) {
  return command.spec != nullptr && command.spec->arity.accepts(words.size()) &&
         (is_authenticated(server, session) || command.spec->flags.has(CommandFlag::no_auth)) &&
         verdict_on(server, session, command, words).allowed() &&
         !(session.listens() &&
           (is_confined(session, *command.spec) || is_of_monitor(session, *command.spec)));
}

std::string refusal_of(Server& server, Session& session, const ResolvedCommand& command,
                       std::span<const std::string_view> words) {
  if (command.spec == nullptr) return unknown_command_error(words);
  if (!command.spec->arity.accepts(words.size())) return wrong_arity_error(*command.spec);
  if (!is_authenticated(server, session) && !command.spec->flags.has(CommandFlag::no_auth)) {
    return "NOAUTH Authentication required.";
  }
  acl::Verdict verdict = verdict_on(server, session, command, words);
  if (verdict.allowed()) {
    if (session.listens() && is_of_monitor(session, *command.spec)) {
      return "ERR Replica can't interact with the keyspace";
    }
    if (session.listens() && is_confined(session, *command.spec)) {
      return fmt::format(
          "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed "
          "in this context",
          full_name(*command.spec));
    }
  }
  // Rules may have changed since it was refused.
  if (verdict.allowed()) verdict.denial = acl::Denial::command;
  const bool in_transaction = session.queued_commands.load(std::memory_order_relaxed) >= 0;
  log_denial(server, session, verdict, in_transaction ? acl::LogContext::multi : acl::LogContext::toplevel,
             *command.spec, words);
  return "NOPERM " +
         acl::describe_denial(verdict.denial, session.identity.user().name(), full_name(*command.spec));
}

std::optional<std::string> refusal_at_exec(const Server& server, Session& session,
                                           const ResolvedCommand& command,
                                           std::span<const std::string_view> words) {
  const acl::Verdict verdict = verdict_on(server, session, command, words);
  if (verdict.allowed()) return std::nullopt;
  return fmt::format(
      "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. "
      "This command is no longer allowed for the following reason: {}",
      reason_at_exec(verdict.denial));
}

void log_refusal_at_exec(Server& server, Session& session, const ResolvedCommand& command,
                         std::span<const std::string_view> words) {
  const acl::Verdict verdict = verdict_on(server, session, command, words);
  if (!verdict.allowed()) log_denial(server, session, verdict, acl::LogContext::multi, *command.spec, words);
}

std::string shown_user(const Session& session) {
  const std::lock_guard lock{session.shown_mutex};
  return session.user;
}

bool log_in(Server& server, Session& session, std::string_view user, std::string_view password,
            std::string_view object) {
  auto found = server.users().log_in(user, password);
  if (found == nullptr) {
    log_refusal(server, session, acl::Reason::auth, acl::LogContext::toplevel, object, user);
    return false;
  }
  session.authenticated = true;
  set_identity(session, std::move(found));
  return true;
}

void become_default_user(Server& server, Session& session) {
  session.authenticated = !server.users().password_required();
  set_identity(session, server.users().default_user());
}

}  // namespace shale::server
