#include "src/metering/command_stats.h"

#include "src/command/table.h"

namespace shale::server {

ThreadCommandStats::ThreadCommandStats() : cells_(command_id_count()) {}

ThreadCommandStats::~ThreadCommandStats() {
  for (Cell& cell : cells_) delete cell.histogram.load(std::memory_order_relaxed);
}

void ThreadCommandStats::clear(std::uint64_t generation) {
  for (Cell& cell : cells_) {
    cell.calls.clear();
    cell.ns.clear();
    cell.rejected.clear();
    cell.failed.clear();
    if (LatencyHistogram* histogram = cell.histogram.load(std::memory_order_relaxed)) histogram->clear();
  }
  errors_.clear();
  generation_.store(generation, std::memory_order_release);
}

LatencyHistogram* ThreadCommandStats::make_histogram(CommandId command) {
  auto histogram = std::make_unique<LatencyHistogram>();
  cells_[command].histogram.store(histogram.get(), std::memory_order_release);
  return histogram.release();
}

CommandStats::CommandStats(unsigned threads) : threads_(threads) {}

// A thread clears what it has counted when it next counts.
bool CommandStats::counts(const ThreadCommandStats& thread) const {
  return thread.generation_.load(std::memory_order_acquire) == generation();
}

std::vector<CommandTotals> CommandStats::totals() const {
  std::vector<CommandTotals> totals(command_id_count());
  for (const ThreadCommandStats& thread : threads_) {
    if (!counts(thread)) continue;
    for (std::size_t command = 0; command < totals.size(); ++command) {
      const ThreadCommandStats::Cell& cell = thread.cells_[command];
      totals[command].calls += cell.calls.value();
      totals[command].ns += cell.ns.value();
      totals[command].rejected += cell.rejected.value();
      totals[command].failed += cell.failed.value();
    }
  }
  return totals;
}

std::unique_ptr<LatencySummary> CommandStats::latencies(CommandId command) const {
  auto summary = std::make_unique<LatencySummary>();
  for (const ThreadCommandStats& thread : threads_) {
    if (!counts(thread)) continue;
    const auto* histogram = thread.cells_[command].histogram.load(std::memory_order_acquire);
    if (histogram != nullptr) summary->add(*histogram);
  }
  return summary;
}

ErrorTotals CommandStats::errors() const {
  ErrorTotals totals;
  for (const ThreadCommandStats& thread : threads_) {
    if (counts(thread)) thread.errors_.add_to(totals);
  }
  return totals;
}

}  // namespace shale::server
