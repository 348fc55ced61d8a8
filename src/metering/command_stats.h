// What each command has cost and how it ended, counted by every I/O thread for itself; whoever asks adds up.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "src/command/table.h"
#include "src/metering/counter.h"
#include "src/metering/error_counts.h"
#include "src/metering/latency_histogram.h"

namespace shale::server {

// One thread's. The thread counts; others read.
class ThreadCommandStats {
 public:
  ThreadCommandStats();
  ~ThreadCommandStats();
  ThreadCommandStats(const ThreadCommandStats&) = delete;
  ThreadCommandStats& operator=(const ThreadCommandStats&) = delete;

  // `generation` is how often CONFIG RESETSTAT has been called: what was counted in an earlier one is void.
  void begin_generation(std::uint64_t generation) {
    if (generation != generation_.load(std::memory_order_relaxed)) [[unlikely]]
      clear(generation);
  }

  // What follows is for the thread itself.
  void count_call(CommandId command, std::int64_t ns) {
    cells_[command].calls.add();
    cells_[command].ns.add(ns);
  }
  void record_latency(CommandId command, std::int64_t ns) {
    LatencyHistogram* histogram = cells_[command].histogram.load(std::memory_order_relaxed);
    if (histogram == nullptr) [[unlikely]]
      histogram = make_histogram(command);
    histogram->record(ns);
  }
  void count_failed(CommandId command) { cells_[command].failed.add(); }
  void count_rejected(CommandId command) { cells_[command].rejected.add(); }
  ErrorCounts& errors() { return errors_; }

 private:
  friend class CommandStats;

  // A line of the processor's cache.
  struct alignas(64) Cell {
    Counter calls;
    Counter ns;
    Counter rejected;
    Counter failed;
    std::atomic<LatencyHistogram*> histogram = nullptr;  // made when the command is first timed
  };

  void clear(std::uint64_t generation);
  LatencyHistogram* make_histogram(CommandId command);

  std::atomic<std::uint64_t> generation_ = 0;
  std::vector<Cell> cells_;  // by CommandId
  ErrorCounts errors_;
};

struct CommandTotals {
  std::int64_t calls = 0;
  std::int64_t ns = 0;
  std::int64_t rejected = 0;
  std::int64_t failed = 0;

  bool any() const { return calls != 0 || rejected != 0 || failed != 0; }
};

// All threads' together. Thread-safe.
class CommandStats {
 public:
  explicit CommandStats(unsigned threads);

  ThreadCommandStats& of_thread(unsigned index) { return threads_[index]; }
  std::uint64_t generation() const { return generation_.load(std::memory_order_relaxed); }

  // By CommandId, since the start or since reset().
  std::vector<CommandTotals> totals() const;
  // Of one command; nothing was recorded while `latency-tracking` was off.
  std::unique_ptr<LatencySummary> latencies(CommandId command) const;
  ErrorTotals errors() const;

  void reset() { generation_.fetch_add(1, std::memory_order_relaxed); }

 private:
  bool counts(const ThreadCommandStats& thread) const;

  std::vector<ThreadCommandStats> threads_;
  std::atomic<std::uint64_t> generation_ = 0;
};

}  // namespace shale::server
