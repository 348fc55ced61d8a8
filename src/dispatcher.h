// The request path: executes the parsed requests of one connection in order, a batch at a time, and says what
// has to happen before it can go on. No sockets, no timers, no threads: the connection does what is asked for
// and calls again.
//
// Consecutive commands with keys form a run: all their keys are declared, the shards' locks are taken once,
// in order, and the memory of every key is fetched before the first command executes. A command that meets
// something which is not in memory changes nothing; its reply is taken back, the locks are released, the
// Loads it names run elsewhere, and it is executed again ("prefetch, execute", docs/architecture.md).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/transaction.h"
#include "src/command/context.h"
#include "src/command/table.h"

namespace shale::server {

// Requests of one connection that are executed together. Its views point into the connection's input buffer,
// which must stay where it is until the batch is done (or the views are moved with it).
struct Batch {
  struct Request {
    std::uint32_t first_argument;
    std::uint32_t argument_count;
    ResolvedCommand command;
  };
  std::vector<std::string_view> arguments;  // of all requests, one after the other
  std::vector<Request> requests;
  std::size_t next = 0;  // the request to execute next
  // Keeps in memory what the next request needs, until it has been executed.
  std::vector<std::shared_ptr<engine::Load>> loads;
  bool resumes_timed_out = false;  // the next request suspended itself, and its time is over
  // Since the output was last sent: the newest record that a reply in it acknowledges, and where the replies
  // begin that must not be seen before that record is synced.
  engine::Lsn unsynced_lsn = 0;

  bool done() const { return next == requests.size(); }
  void clear();
};

// Why a batch stopped, and what lets it go on.
struct Progress {
  enum class Wait : std::uint8_t {
    nothing,     // the batch is done
    loads,       // run Batch::loads on background threads
    retry,       // try again in `pause`
    delay,       // the last reply, and what follows, is for later: `pause`
    suspension,  // the command waits for something of its own
    close,       // reply and close; the rest of the batch is dropped
  };
  Wait wait = Wait::nothing;
  std::chrono::microseconds pause{0};
  std::optional<Suspension> suspension;
};

// One per I/O thread. Not thread-safe.
class Dispatcher {
 public:
  Dispatcher(Server& server, ThreadCounters& counters);

  static constexpr std::size_t kBatchRequestsMax = 64;

  // Resolves the command of a request that has been parsed into `batch.arguments` from `first_argument` on.
  void add_request(Batch& batch, std::size_t first_argument);

  // Executes from batch.next on. Replies are appended to `output`.
  Progress execute(Batch& batch, Session& session, std::string& output);

  // How long writers should pause, as the engines said since the last call.
  std::chrono::microseconds take_write_delay();

 private:
  struct Run;
  Progress execute_run(Batch& batch, Session& session, std::string& output);
  Progress execute_alone(Batch& batch, Session& session, std::string& output);

  Server& server_;
  ThreadCounters& counters_;
  cluster::ShardLocks locks_;
  cluster::Transaction transaction_;
  std::chrono::microseconds write_delay_{0};
};

}  // namespace shale::server
