// The requests that a dispatcher executes together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "src/command/table.h"
#include "src/command/value_argument.h"
#include "src/metering/tick_clock.h"

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
  std::vector<ReceivedLargeArgument> large_arguments;  // those whose place among the arguments is empty
  std::size_t next = 0;                                // the request to execute next
  bool timed_out = false;                              // that request suspended itself, and its time is over
  bool unblocked = false;                              // likewise, and another client wants it to fail
  bool postponed = false;                              // that request waits for the end of a pause
  // Keeps in memory what that request needs, until it has been executed. Those from `loads_begun` on are
  // still to run.
  std::vector<std::shared_ptr<engine::Load>> loads;
  std::size_t loads_begun = 0;
  TickClock::Ticks begun_at = 0;  // when that request was first run, if it has to wait for them

  bool done() const { return next == requests.size(); }
  void clear();
};

}  // namespace shale::server
