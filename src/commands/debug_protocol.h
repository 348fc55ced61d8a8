// DEBUG PROTOCOL and DEBUG ERROR: replies of every type, by which clients test that they read them.
#pragma once

#include <string_view>

#include "src/command/context.h"
#include "src/command/spec.h"

namespace shale::server {

// A reply of the type: "string", "integer", "double", "bignum", "null", "array", "set", "map", "attrib",
// "push", "verbatim", "true" or "false"; else an error.
engine::Status debug_protocol(CommandContext& context, std::string_view type);

}  // namespace shale::server
