// What a row of the command table says of itself, in the words and shapes of Redis's COMMAND INFO and COMMAND
// DOCS.
#pragma once

#include <string_view>
#include <vector>

#include "protocol/reply_writer.h"
#include "src/command/spec.h"

namespace shale::server {

// "RW", "access", "update": in Redis's order.
std::vector<std::string_view> key_flag_names(KeyFlags flags);

// The ten elements of COMMAND INFO's reply for one command, its subcommands included.
void write_command_info(const CommandSpec& command, protocol::ReplyWriter& reply);

// Name and description of one command: a pair of COMMAND DOCS's map.
void write_command_docs(const CommandSpec& command, protocol::ReplyWriter& reply);

}  // namespace shale::server
