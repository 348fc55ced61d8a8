// One phase of a run: from its first operation until the background work that it caused has been done, and
// what that took.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "bench/engine_bench/latency_histogram.h"
#include "bench/engine_bench/store_adapter.h"

namespace shale::bench {

using SteadyClock = std::chrono::steady_clock;

enum class OperationKind : std::uint8_t { read, write, scan };
inline constexpr std::array<const char*, 3> kOperationNames = {"read", "write", "scan"};

// Of one thread.
class Latencies {
 public:
  // `in_checkpoint`: while the store was writing one, as far as it can tell.
  void add(OperationKind kind, std::uint64_t latency_ns, bool in_checkpoint = false) {
    histograms_[static_cast<std::size_t>(kind)].add(latency_ns);
    (in_checkpoint ? in_checkpoints_ : between_checkpoints_)[static_cast<std::size_t>(kind)].add(latency_ns);
  }
  const LatencyHistogram& of(std::size_t kind) const { return histograms_[kind]; }
  const LatencyHistogram& in_checkpoints(std::size_t kind) const { return in_checkpoints_[kind]; }
  const LatencyHistogram& between_checkpoints(std::size_t kind) const { return between_checkpoints_[kind]; }

 private:
  std::array<LatencyHistogram, kOperationNames.size()> histograms_;
  std::array<LatencyHistogram, kOperationNames.size()> in_checkpoints_;
  std::array<LatencyHistogram, kOperationNames.size()> between_checkpoints_;
};

// When a thread of a phase is done: whichever comes first.
struct Limit {
  std::uint64_t operations = std::numeric_limits<std::uint64_t>::max();
  SteadyClock::time_point deadline = SteadyClock::time_point::max();
};

// Calls `step`, which performs one operation and returns its kind, until the limit. The clock is read once
// per operation, so a latency includes the choice of the key and the checks of what was read.
template <class Step>
void run_steps(const StoreAdapter& store, const Limit& limit, Latencies& latencies, Step step) {
  auto before = SteadyClock::now();
  for (std::uint64_t done = 0; done < limit.operations && before < limit.deadline; ++done) {
    const OperationKind kind = step();
    const auto after = SteadyClock::now();
    latencies.add(kind, static_cast<std::uint64_t>((after - before).count()), store.is_writing_checkpoint());
    before = after;
  }
}

// What the checks of a phase counted. Everything that was expected must have been found, and nothing be
// wrong.
struct Checks {
  std::uint64_t expected = 0;  // keys or entries that had to be there
  std::uint64_t found = 0;
  std::uint64_t wrong = 0;  // values that belong to other keys, keys out of order

  bool hold() const { return expected == found && wrong == 0; }
};

// Names and values in the order in which they are to be shown.
class Report {
 public:
  using Value = std::variant<std::string, std::uint64_t, double>;
  void add(std::string name, Value value) { fields_.emplace_back(std::move(name), std::move(value)); }
  void append(const Report& other) {
    fields_.insert(fields_.end(), other.fields_.begin(), other.fields_.end());
  }
  std::string as_text() const;  // name=value name=value ...
  std::string as_json() const;  // one line

 private:
  std::vector<std::pair<std::string, Value>> fields_;
};

class Phase {
 public:
  // Begins now. The store and the folder must outlive the phase.
  Phase(StoreAdapter& store, std::string folder);

  // Histograms for one more thread; valid as long as the phase.
  Latencies& add_latencies() { return *latencies_.emplace_back(std::make_unique<Latencies>()); }

  // Ends the phase: call it when the last operation has returned. Waits until the store has come to rest.
  // `live_bytes` is what the keys and values that the store now holds amount to, `user_bytes_written` what
  // the phase has written.
  void finish(std::uint64_t user_bytes_written, std::uint64_t live_bytes, Report& report);

 private:
  void report_latencies(Report& report) const;

  StoreAdapter& store_;
  const std::string folder_;
  std::vector<std::unique_ptr<Latencies>> latencies_;
  StoreCounters counters_;
  std::uint64_t disk_write_bytes_;
  double cpu_seconds_;
  SteadyClock::time_point start_;
};

}  // namespace shale::bench
