// What a command's handler works with.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "protocol/reply_writer.h"
#include "src/key_events.h"
#include "src/keyspace.h"
#include "src/large_replies.h"
#include "src/session.h"

namespace shale::server {

class Server;

// How a command waits without holding up its thread (WAITAOF). Its handler writes no reply, fills
// CommandContext::suspend and returns success. The dispatcher then
//
//   - calls begin(resume) once, without any lock. `resume` may be called at once, from inside begin, or later
//     from any thread, or never, or when the client has long gone: it must be safe and cheap in all cases;
//   - runs nothing further of this client's until resume has been called or `timeout` is over (none: for
//     ever), while other clients go on; then runs the same request's handler again, with `timed_out` set in
//     the latter case. The handler then replies, or suspends again.
struct Suspension {
  std::function<void(std::function<void()> resume)> begin;
  std::optional<std::chrono::milliseconds> timeout;
};

// Commands whose row declares no keys run while their thread holds no shard's lock: INFO takes locks itself.
// The exceptions are those that work on keys they do not name, and say so (InTransaction::all_keys).
struct CommandContext {
  Server& server;
  Session& session;
  protocol::ReplyWriter& reply;
  Keyspace& keyspace;  // holds the locks of the keys that the command's row declares; empty for commands
                       // without keys
  const CommandSpec& command;
  KeyEvents& events;  // told when the command's writes have been committed

  // Says what the command does to a key, as a keyspace notification: Redis's events in Redis's order. `event`
  // is a literal. Nothing is told if the command fails or is run again. A miss is told by Keyspace::read().
  void notify(KeyEventClass kind, std::string_view event, BytesView key) {
    events.add(kind, event, keyspace.database(), key);
  }
  // The same of a key in another database (MOVE, COPY).
  void notify(KeyEventClass kind, std::string_view event, unsigned database, BytesView key) {
    events.add(kind, event, database, key);
  }

  // Values that belong into the reply but are too large for it: see reply_large().
  std::vector<LargeReply>& large_replies;

  // Set by a handler that has written its reply but wants the client to get it, and its next commands to run,
  // only later (DEBUG SLEEP): other clients are not delayed.
  std::chrono::milliseconds delay{0};

  // Set by a handler whose replies are pushes (SUBSCRIBE): a client that wants no replies gets them all the
  // same.
  bool replies_are_pushes = false;

  // Set by a handler that cannot reply yet, see Suspension.
  std::optional<Suspension> suspend;
  // This run follows a suspension that ended by its timeout: reply now.
  bool timed_out = false;
  // Keys that were not there and that another database's take the place of (SWAPDB): who watches them is told
  // when the command has been committed.
  struct AppearedKey {
    unsigned database;
    Bytes name;
  };
  std::vector<AppearedKey>& appeared_keys;
  // EXEC runs it, behind the commit: it cannot wait, and cannot be run again.
  bool behind_commit = false;
  // Set by a handler that has written to the log by itself (FLUSHALL): the record that the reply must wait
  // for where appendfsync is always, just as it waits for the record of the keyspace's own writes.
  engine::Lsn written_lsn = 0;
};

}  // namespace shale::server
