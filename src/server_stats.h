// What the server has done, counted without contention: every I/O thread counts for itself, and whoever asks
// adds up.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "src/metering/command_stats.h"
#include "src/metering/counter.h"

namespace shale::server {

// One I/O thread's. A handler finds its own thread's in CommandContext's session (Session::counters).
struct alignas(64) ThreadCounters {
  Counter commands;  // requests that have been answered, errors included
  Counter error_replies;
  Counter keyspace_hits;  // by commands that read keys, one per key
  Counter keyspace_misses;
  Counter cold_reads;  // commands that had to wait for a disk
  Counter connections_accepted;
  Counter input_bytes;
  Counter output_bytes;
  Counter output_limit_disconnections;  // of clients that did not read what was sent to them
  Counter query_limit_disconnections;   // of clients whose request was too long
  Counter receives;                     // calls of the system that have brought bytes
  Counter sends;                        // and that have taken some
  // Gauges: what there is now.
  Counter connections;
  Counter suspended_connections;  // waiting for a disk, a sync, or what the command itself waits for
  Counter buffer_bytes;           // held by connections for requests and replies

  ThreadCommandStats* command_stats = nullptr;  // the same thread's
};

struct ServerTotals {
  std::int64_t commands = 0;
  std::int64_t error_replies = 0;
  std::int64_t keyspace_hits = 0;
  std::int64_t keyspace_misses = 0;
  std::int64_t cold_reads = 0;
  std::int64_t connections_accepted = 0;
  std::int64_t connections_rejected = 0;  // maxclients, protected mode
  std::int64_t input_bytes = 0;
  std::int64_t output_bytes = 0;
  std::int64_t output_limit_disconnections = 0;
  std::int64_t query_limit_disconnections = 0;
  std::int64_t receives = 0;
  std::int64_t sends = 0;
  std::int64_t connections = 0;
  std::int64_t suspended_connections = 0;
  std::int64_t buffer_bytes = 0;
};

class ServerStats {
 public:
  // `commands`: of as many threads; outlives this.
  ServerStats(unsigned threads, CommandStats& commands);

  ThreadCounters& of_thread(unsigned index) { return threads_[index]; }

  // Since the start, or since reset(); gauges are as they are. Thread-safe.
  ServerTotals totals() const;
  // CONFIG RESETSTAT: counts begin at zero again. Thread-safe.
  void reset();

  void count_rejected_connection() { rejected_.fetch_add(1, std::memory_order_relaxed); }

  // Rates over the last seconds, as INFO shows them. sample() is called once a second by one thread.
  struct Rates {
    double commands_per_second = 0;
    double input_kilobytes_per_second = 0;
    double output_kilobytes_per_second = 0;
  };
  void sample(std::chrono::steady_clock::time_point now);
  Rates rates() const;

  // Sum of one gauge, without the rest: asked when a connection's buffer grows.
  std::int64_t buffer_bytes() const;

 private:
  ServerTotals sum() const;

  CommandStats& commands_;
  std::vector<ThreadCounters> threads_;
  std::atomic<std::int64_t> rejected_ = 0;

  mutable std::mutex mutex_;  // guards everything below
  ServerTotals baseline_;     // what reset() has found
  Rates rates_;
  ServerTotals sampled_;
  std::chrono::steady_clock::time_point sampled_at_;
};

}  // namespace shale::server
