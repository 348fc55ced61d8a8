// The subcommands of CLIENT that have to do with tracking; their rows are in client.cpp.
#pragma once

#include "src/command/arguments.h"
#include "src/command/context.h"

namespace shale::server {

// CLIENT TRACKING ON | OFF [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT]
// [NOLOOP] -> OK
engine::Status client_tracking(CommandContext& context, Arguments arguments);
// CLIENT CACHING YES | NO -> OK; says it of the next command
engine::Status client_caching(CommandContext& context, Arguments arguments);
// CLIENT GETREDIR -> the client that is told in this one's place, 0 if none is, -1 if tracking is off
engine::Status client_getredir(CommandContext& context, Arguments arguments);
// CLIENT TRACKINGINFO -> a map of flags, redirect, prefixes
engine::Status client_trackinginfo(CommandContext& context, Arguments arguments);

}  // namespace shale::server
