// What a command's handler works with.
#pragma once

#include <chrono>
#include <cstdint>

#include "protocol/reply_writer.h"
#include "src/keyspace.h"
#include "src/session.h"

namespace shale::server {

class Server;

struct CommandContext {
  Server& server;
  Session& session;
  protocol::ReplyWriter& reply;
  Keyspace& keyspace;  // holds the locks of the keys that the command's row declares; empty for commands
                       // without keys
  const CommandSpec& command;

  // Set by a handler that has written its reply but wants the client to get it, and its next commands to run,
  // only later (DEBUG SLEEP): other clients are not delayed.
  std::chrono::milliseconds delay{0};
};

}  // namespace shale::server
