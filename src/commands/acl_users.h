// The subcommands of ACL that show and change users; acl.cpp has their rows.
#pragma once

#include "src/command/arguments.h"
#include "src/command/context.h"

namespace shale::server {

engine::Status acl_deluser(CommandContext& context, Arguments arguments);
engine::Status acl_getuser(CommandContext& context, Arguments arguments);
engine::Status acl_list(CommandContext& context, Arguments arguments);
engine::Status acl_load(CommandContext& context, Arguments arguments);
engine::Status acl_save(CommandContext& context, Arguments arguments);
engine::Status acl_setuser(CommandContext& context, Arguments arguments);
engine::Status acl_users(CommandContext& context, Arguments arguments);

}  // namespace shale::server
