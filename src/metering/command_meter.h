// Counts and times the commands of one I/O thread. Each is charged with the time since the one before it, so
// that a command costs one look at the clock; the first of a run also pays for the run's locks. Time that a
// command had to wait for a disk or for an engine counts, time that it asked to wait (blocking commands) does
// not.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string_view>

#include "src/command/table.h"
#include "src/metering/metering.h"

namespace shale::server {

struct Session;
struct ThreadCounters;

class CommandMeter {
 public:
  CommandMeter(Metering& metering, ThreadCounters& counters);

  // Commands follow from now on.
  void begin() { last_ = metering_.clock().now(); }
  // Since when the command that is running now has been running. A command that waits and is run again hands
  // it to executed(), then.
  TickClock::Ticks begun_at() const { return last_; }
  // For commands that are counted later, when their transaction has been committed: what has gone by since
  // the last command, at least 1, for Execution::took.
  TickClock::Ticks lap();

  struct Execution {
    const ResolvedCommand& command;
    std::span<const std::string_view> words;
    const Session& session;
    std::string_view reply;             // that it has written; empty if none
    TickClock::Ticks begun_at = 0;      // of its first run, if this is not the first; else 0
    TickClock::Ticks took = 0;          // as lap() has told; 0: until now
    std::chrono::milliseconds delay{};  // that it asked for, as a part of its own work (DEBUG SLEEP)
  };
  void executed(const Execution& execution);

  // A request got the error `reply` without being run; its command may be unknown.
  void refused(const ResolvedCommand& command, std::string_view reply);

 private:
  void begin_generation();
  void count_error(std::string_view reply);
  void note_slow(const Execution& execution, std::int64_t ns);

  Metering& metering_;
  ThreadCounters& counters_;
  ThreadCommandStats& stats_;
  TickClock::Ticks last_ = 0;
};

}  // namespace shale::server
