// BGSAVE, SAVE and LASTSAVE: backups of the whole store (docs/backup.md).
#include <memory>

#include "cluster/backups.h"
#include "src/command/arguments.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/commands/wait_for_job.h"
#include "src/server.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

constexpr std::string_view kInProgress = "ERR Background save already in progress";

// BGSAVE [SCHEDULE] -> that it has been started. Nothing else keeps it from starting, so that SCHEDULE
// changes nothing.
engine::Status bgsave(CommandContext& context, Arguments arguments) {
  arguments.take_word("SCHEDULE");
  if (!arguments.empty()) arguments.fail(kSyntaxError);
  if (arguments.failed()) return reply_error(context, arguments.error());
  if (!context.server.store().backups().begin()) return reply_error(context, kInProgress);
  context.reply.simple_string(context.behind_commit ? "Background saving scheduled"
                                                    : "Background saving started");
  return {};
}

// SAVE -> OK, when it is done; others do not wait. The handler runs twice.
engine::Status save(CommandContext& context, Arguments) {
  std::shared_ptr<cluster::BackupJob>& job = context.session.backup_job;
  if (!job) {
    job = context.server.store().backups().begin();
    if (!job) return reply_error(context, kInProgress);
  }
  const auto result = job->result();
  if (!result) {
    wait_for(context, job);
    return {};
  }
  job.reset();
  if (!*result) return reply_error(context, "ERR " + result->error().message);
  return reply_ok(context);
}

// LASTSAVE -> Unix seconds of the newest backup; of the start if there is none
engine::Status lastsave(CommandContext& context, Arguments) {
  return reply_integer(context, context.server.last_save_s());
}

constexpr ArgumentSpec kBgsaveArguments[] = {
    {.name = "schedule", .type = pure_token, .token = "SCHEDULE", .optional = true},
};

constexpr CommandSpec kBackupCommands[] = {
    {.name = "bgsave",
     .arity = at_least(1),
     .flags = admin | noscript | no_async_loading,
     .group = "server",
     .since = "1.0.0",
     .complexity = "O(1); the backup is O(N), N being the number of files, and of bytes that are copied",
     .summary = "Makes a backup in the background.",
     .arguments = kBgsaveArguments,
     .handler = bgsave},
    {.name = "lastsave",
     .arity = exactly(1),
     .flags = loading | stale | fast,
     .categories = AclCategory::admin | AclCategory::dangerous,
     .group = "server",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Gives the time of the newest backup.",
     .tips = "nondeterministic_output",
     .handler = lastsave},
    {.name = "save",
     .arity = exactly(1),
     .flags = admin | noscript | no_async_loading | no_multi,
     .group = "server",
     .since = "1.0.0",
     .complexity = "O(N), N being the number of files, and of bytes that are copied",
     .summary = "Makes a backup, and replies when it is done.",
     .handler = save},
};
static_assert(sorted_and_unique(kBackupCommands));

}  // namespace

std::span<const CommandSpec> backup_commands() { return kBackupCommands; }

}  // namespace shale::server
