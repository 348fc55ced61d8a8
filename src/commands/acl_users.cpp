#include "src/commands/acl_users.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "src/acl/file.h"
#include "src/admission.h"
#include "src/commands/reply.h"
#include "src/server.h"

namespace shale::server {
namespace {

constexpr std::string_view kNoAclFile =
    "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL "
    "SETUSER "
    "command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to "
    "store users "
    "in the Redis configuration.";

bool channels_by_default(CommandContext& context) {
  return context.server.config().text(Option::acl_pubsub_default) == "allchannels";
}

// Clients of users that are gone are disconnected; those of a user who has lost channels, if they listen to
// any.
void disconnect_users(CommandContext& context, const std::vector<std::string>& names,
                      bool only_subscribers = false) {
  if (names.empty()) return;
  ClientRegistry& clients = context.server.clients();
  for (const auto& session : clients.list()) {
    if (only_subscribers && !session->is_subscribed()) continue;
    if (std::ranges::find(names, shown_user(*session)) == names.end()) continue;
    if (session->id == context.session.id) {
      context.session.close_after_reply = true;
    } else {
      clients.kill(session->id);
    }
  }
}

// Of users as they were, those that are still there and may not use all channels any more that they could.
std::vector<std::string> those_who_lose_channels(const acl::Users& users,
                                                 const std::vector<acl::Users::Named>& before) {
  std::vector<std::string> names;
  for (const acl::Users::Named& user : before) {
    const auto found = users.find(user.name);
    if (found != nullptr && !users.rules_of(*found)->covers_channels_of(*user.rules))
      names.push_back(user.name);
  }
  return names;
}

void reply_selector(CommandContext& context, const acl::Selector& selector) {
  context.reply.bulk("commands");
  context.reply.bulk(selector.commands().describe());
  context.reply.bulk("keys");
  context.reply.bulk(selector.describe_keys());
  context.reply.bulk("channels");
  context.reply.bulk(selector.describe_channels());
}

// Runs `make()`'s job on a background thread, and the command's handler again when it is done. The job, once
// it is; until then nullptr, and the handler returns without a reply.
template <class Make>
std::shared_ptr<acl::FileJob> finished_job(CommandContext& context, Make make) {
  std::shared_ptr<acl::FileJob>& job = context.session.acl_file_job;
  if (job != nullptr && job->done()) return std::exchange(job, nullptr);
  job = make();
  context.suspend =
      Suspension{.begin =
                     [job, &background = context.server.background()](std::function<void()> resume) {
                       background.submit(engine::Priority::client_read, [job, resume] {
                         job->run();
                         resume();
                       });
                     },
                 .timeout = {}};
  return nullptr;
}

}  // namespace

// ACL SETUSER name [rule ...] -> OK; on an error nothing has changed
engine::Status acl_setuser(CommandContext& context, Arguments arguments) {
  const std::string_view name = arguments.take();
  bool loses_channels = false;
  const auto compare = [&](const acl::UserRules& before, const acl::UserRules& after) {
    loses_channels = !after.covers_channels_of(before);
  };
  if (const auto error =
          context.server.users().set(name, arguments.rest(), channels_by_default(context), compare)) {
    context.reply.error("ERR", *error);
    return {};
  }
  if (loses_channels) disconnect_users(context, {std::string{name}}, true);
  return reply_ok(context);
}

// ACL DELUSER name [name ...] -> how many users there were; their clients are disconnected
engine::Status acl_deluser(CommandContext& context, Arguments arguments) {
  if (std::ranges::find(arguments.rest(), acl::kDefaultUser) != arguments.rest().end()) {
    return reply_error(context, "ERR The 'default' user cannot be removed");
  }
  std::vector<std::string> gone;
  for (const std::string_view name : arguments.rest()) {
    if (context.server.users().remove(name)) gone.emplace_back(name);
  }
  disconnect_users(context, gone);
  return reply_integer(context, std::ssize(gone));
}

// ACL GETUSER name -> a map of all that holds for the user, or null
engine::Status acl_getuser(CommandContext& context, Arguments arguments) {
  const auto user = context.server.users().find(arguments.take());
  if (user == nullptr) return reply_null(context);
  const auto rules = context.server.users().rules_of(*user);
  protocol::ReplyWriter& reply = context.reply;
  reply.map(6);
  reply.bulk("flags");
  const auto flags = rules->flags();
  reply.set(flags.size());
  for (const std::string_view flag : flags) reply.bulk(flag);
  reply.bulk("passwords");
  reply.array(rules->password_hashes().size());
  for (const std::string& hash : rules->password_hashes()) reply.bulk(hash);
  reply_selector(context, rules->selectors().front());
  reply.bulk("selectors");
  reply.array(rules->selectors().size() - 1);
  for (const acl::Selector& selector : rules->selectors().subspan(1)) {
    reply.map(3);
    reply_selector(context, selector);
  }
  return {};
}

// ACL LIST -> every user as in an ACL file
engine::Status acl_list(CommandContext& context, Arguments) {
  const auto users = context.server.users().list();
  context.reply.array(users.size());
  for (const auto& [name, rules] : users)
    context.reply.bulk(fmt::format("user {} {}", name, rules->describe()));
  return {};
}

// ACL USERS -> their names
engine::Status acl_users(CommandContext& context, Arguments) {
  const auto users = context.server.users().list();
  context.reply.array(users.size());
  for (const auto& user : users) context.reply.bulk(user.name);
  return {};
}

// ACL LOAD -> OK; users are those of the ACL file, or as they were if anything is wrong with it
engine::Status acl_load(CommandContext& context, Arguments) {
  const std::string path = context.server.config().text(Option::aclfile);
  if (path.empty()) return reply_error(context, kNoAclFile);
  const auto job = finished_job(context, [&] { return std::make_shared<acl::FileJob>(path); });
  if (job == nullptr) return {};
  std::string errors = job->error();
  if (errors.empty()) {
    auto definitions = acl::parse_file(job->contents(), path, channels_by_default(context), errors);
    if (definitions) {
      acl::Users& users = context.server.users();
      const auto before = users.list();
      disconnect_users(context, users.replace_all(std::move(*definitions), channels_by_default(context)));
      disconnect_users(context, those_who_lose_channels(users, before), true);
      return reply_ok(context);
    }
  }
  context.reply.error("ERR", errors);
  return {};
}

// ACL SAVE -> OK; the ACL file holds the users as they are
engine::Status acl_save(CommandContext& context, Arguments) {
  const std::string path = context.server.config().text(Option::aclfile);
  if (path.empty()) return reply_error(context, kNoAclFile);
  const auto job = finished_job(context, [&] {
    return std::make_shared<acl::FileJob>(path, acl::describe_users(context.server.users()));
  });
  if (job == nullptr) return {};
  if (job->error().empty()) return reply_ok(context);
  spdlog::error("cannot write the ACL file {}: {}", path, job->error());
  return reply_error(
      context,
      "ERR There was an error trying to save the ACLs. Please check the server logs for more information");
}

}  // namespace shale::server
