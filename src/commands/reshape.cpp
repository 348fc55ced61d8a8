#include "src/commands/reshape.h"

#include <memory>

#include "src/commands/reply.h"
#include "src/commands/wait_for_job.h"
#include "src/server.h"
#include "src/stats/render.h"
#include "src/stats/reshape_figures.h"

namespace shale::server {
namespace {

constexpr std::string_view kInvalidShard = "ERR Invalid shard ID";
constexpr std::string_view kBusy = "BUSY another shard is being split, merged or moved: see STATS";

}  // namespace

cluster::ShardId take_shard_id(Arguments& arguments) {
  const std::int64_t id = arguments.take_integer(kInvalidShard);
  if (id < 0 || id > UINT32_MAX) arguments.fail(kInvalidShard);
  return cluster::ShardId{static_cast<std::uint32_t>(id)};
}

engine::Status reply_refusal(CommandContext& context, const engine::Error& error) {
  if (error.kind == engine::ErrorKind::busy) return reply_error(context, kBusy);
  if (error.kind == engine::ErrorKind::unsupported) return reply_error(context, "ERR " + error.message);
  return error;
}

engine::Status reshape(CommandContext& context, cluster::ReshapeRequest request) {
  std::shared_ptr<cluster::ReshapeJob>& job = context.session.reshape_job;
  if (!job) {
    job = context.server.store().reshaper().begin(std::move(request));
    if (!job) return reply_error(context, kBusy);
  }
  const auto result = job->result();
  if (!result) {
    wait_for<cluster::ReshapeEvent>(context, job);
    return {};
  }
  job.reset();
  if (!*result) return reply_refusal(context, result->error());
  write_reply(describe_event(context.server.store().placement(), **result), context.reply);
  return {};
}

}  // namespace shale::server
