// The request path: executes the parsed requests of one connection in order, a batch at a time, and says what
// has to happen before it can go on. No sockets, no timers, no threads: the connection does what is asked for
// and calls again.
//
// Consecutive commands with keys form a run: all their keys are declared, the shards' locks are taken once,
// in order, and the memory of every key is fetched before the first command executes. A command that meets
// something which is not in memory changes nothing; its reply is taken back, the locks are released, the
// Loads it names run elsewhere, and it is executed again ("prefetch, execute", docs/architecture.md).
//
// Between MULTI and EXEC requests are queued, and EXEC executes them as one (docs/transactions.md).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/transaction.h"
#include "src/batch.h"
#include "src/command/context.h"
#include "src/command/table.h"
#include "src/command_effects.h"
#include "src/metering/command_meter.h"
#include "src/server.h"

namespace shale::server {

// What a call of execute() has done, and what the batch waits for.
struct Progress {
  enum class Wait : std::uint8_t {
    nothing,     // the batch is done
    output,      // replies have to be sent before more are made
    loads,       // those of Batch::loads that have not begun have to run on background threads
    pushes,      // messages for this client, which come behind the last reply, have to be queued
    retry,       // background work has to catch up: try again in `pause`
    delay,       // the reply from `held_from` on, and all that follows, is for later: in `pause`
    suspension,  // what the command itself waits for
    disconnect,  // the client is to be disconnected when it has its replies; the rest of the batch is dropped
  };
  Wait wait = Wait::nothing;
  std::chrono::microseconds pause{0};
  std::size_t held_from = 0;                 // offset in the output
  std::optional<Suspension> suspension;      // for Wait::suspension
  std::size_t replies = 0;                   // that have been added to the output
  std::vector<LargeReply> large_replies;     // what belongs into them
  std::chrono::microseconds write_delay{0};  // what the engines ask of this writer before its next batch
};

// One per I/O thread. Not thread-safe.
class Dispatcher {
 public:
  Dispatcher(Server& server, ThreadCounters& counters);

  static constexpr std::size_t kBatchRequestsMax = 64;
  // A run holds its locks for bounded work. A single command with more keys runs alone.
  static constexpr std::size_t kRunRequestsMax = 32;
  static constexpr std::size_t kRunArgumentsMax = 256;

  // Resolves the command of the request whose arguments are the last of `batch.arguments`, from
  // `first_argument` on.
  static void add_request(Batch& batch, std::size_t first_argument);

  // Executes from batch.next on, until the batch is done or has to wait, or `output`, to which replies are
  // appended, is longer than `output_bytes_max`.
  Progress execute(Batch& batch, Session& session, std::string& output, std::size_t output_bytes_max);

 private:
  struct Keys {  // of one command, among those in locks_
    std::size_t first = 0;
    std::size_t count = 0;
  };
  enum class Answer : std::uint8_t { given, waits };
  // What the queued commands that run in order have replied: one behind the other, and where each reply ends.
  struct QueuedReplies {
    std::string text;
    std::vector<LargeReply> large;
    struct End {
      std::size_t text;
      std::size_t large;
      TickClock::Ticks took = 0;  // by the command, as CommandMeter::lap() has told
      // Current when its turn came: SELECT and HELLO behind it have run when what touches no keys does.
      unsigned database = 0;
      protocol::Version version = protocol::Version::resp2;
    };
    std::vector<std::size_t> refused;  // requests that rules have forbidden since they were queued
    std::vector<End> ends;             // by request; no longer than the one before: it runs after the commit
    std::uint32_t hits = 0;
    std::uint32_t misses = 0;
  };

  void execute_run(Batch& batch, Session& session, std::string& output, std::size_t output_bytes_max,
                   Progress& progress);
  void declare_run(const Batch& batch, Session& session);
  void want_rest_of_run(const Batch& batch, std::size_t run_index);
  void answer_alone(Batch& batch, Session& session, std::string& output, Progress& progress);
  Answer answer(Batch& batch, Keys keys, Session& session, std::string& output, Progress& progress);
  void note_uses(const Session& session, const CommandSpec& command, Keys keys);
  void keep_loads(Batch& batch);
  void deliver_effects(const Session& session, Progress& progress);
  bool must_run_again(const engine::Error& error, Progress& progress);
  void refuse(Batch& batch, Session& session, std::string_view error, std::string& output,
              Progress& progress);
  CommandContext context_of(Session& session, protocol::ReplyWriter& reply, Keyspace& keyspace,
                            const CommandSpec& command, std::vector<LargeReply>& large_replies,
                            bool timed_out);
  void tell_watchers();
  void finish_reply(Session& session, std::string& output, std::size_t reply_begin, Progress& progress,
                    bool is_push = false);
  static void take_back(std::string& output, std::size_t reply_begin, Progress& progress);

  // Transactions (dispatcher_transaction.cpp).
  void advance_transaction(Batch& batch, Session& session, std::string& output, Progress& progress);
  void queue(Batch& batch, Session& session, std::string& output, Progress& progress);
  void execute_transaction(Batch& batch, Session& session, std::string& output, Progress& progress);
  void lock_queued(const Batch& queued, Session& session);
  void declare_queued(const Batch& queued, std::size_t at, const Session& session);
  engine::Status run_queued(const Batch& batch, Session& session, QueuedReplies& replies);
  engine::Status run_in_order(const Batch& batch, std::size_t at, Session& session, QueuedReplies& replies);
  void want_rest_of_queue(const Batch& queued, std::size_t at);
  void write_replies(const Batch& queued, Session& session, const QueuedReplies& replies, std::string& output,
                     Progress& progress);
  void count_queued(const Batch& queued, const Batch::Request& request, const Session& session,
                    std::string_view reply, TickClock::Ticks took, std::chrono::milliseconds delay);
  std::chrono::milliseconds run_after_commit(const Batch& queued, const Batch::Request& request,
                                             Session& session, std::string& output, Progress& progress);
  void abort_transaction(Batch& batch, Session& session, std::string_view error, std::string& output,
                         Progress& progress);
  void end_transaction(Batch& batch, Session& session, std::string& output, std::size_t reply_begin,
                       Progress& progress);

  bool runs_under_locks(const Batch& batch, std::size_t at, Session& session) const;
  // Whether CLIENT PAUSE makes the request wait, and for how long.
  bool is_postponed(const Batch& batch, std::size_t at, Session& session) const {
    return server_.pause().is_on() && pause_left(batch, at, session).count() > 0;
  }
  std::chrono::milliseconds pause_left(const Batch& batch, std::size_t at, Session& session) const;
  void postpone(Batch& batch, Session& session, Progress& progress);

  Server& server_;
  ThreadCounters& counters_;
  CommandMeter meter_;
  cluster::ShardLocks locks_;
  cluster::Transaction transaction_;
  CommandEffects effects_;
  std::vector<CommandContext::AppearedKey> appeared_keys_;  // by what is not committed yet
  std::vector<Keys> run_;  // by request, from batch.next on; in a transaction by queued request
  std::int64_t now_ms_ = 0;
};

}  // namespace shale::server
