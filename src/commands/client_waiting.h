// The subcommands of CLIENT that make clients wait, and end their waiting; their rows are in client.cpp.
#pragma once

#include "src/command/arguments.h"
#include "src/command/context.h"

namespace shale::server {

// CLIENT PAUSE timeout [WRITE | ALL] -> OK
engine::Status client_pause(CommandContext& context, Arguments arguments);
// CLIENT UNPAUSE -> OK
engine::Status client_unpause(CommandContext& context, Arguments arguments);
// CLIENT UNBLOCK client-id [TIMEOUT | ERROR] -> 1 if that client waited in a blocking command, otherwise 0
engine::Status client_unblock(CommandContext& context, Arguments arguments);

}  // namespace shale::server
