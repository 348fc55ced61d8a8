// What the commands that change the layout have in common.
#pragma once

#include "cluster/reshaper.h"
#include "engine/result.h"
#include "src/command/arguments.h"
#include "src/command/context.h"

namespace shale::server {

cluster::ShardId take_shard_id(Arguments& arguments);

// Replies that another change is going on, or why the change cannot be; other errors are the dispatcher's.
engine::Status reply_refusal(CommandContext& context, const engine::Error& error);

// Begins the change, and replies with what it was when it has been made: the handler runs twice.
engine::Status reshape(CommandContext& context, cluster::ReshapeRequest request);

}  // namespace shale::server
