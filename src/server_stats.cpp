#include "src/server_stats.h"

namespace shale::server {

ServerStats::ServerStats(unsigned threads, CommandStats& commands)
    : commands_(commands), threads_(threads), sampled_at_(std::chrono::steady_clock::now()) {
  for (unsigned index = 0; index < threads; ++index) {
    threads_[index].command_stats = &commands.of_thread(index);
  }
}

ServerTotals ServerStats::sum() const {
  ServerTotals totals;
  for (const ThreadCounters& thread : threads_) {
    totals.commands += thread.commands.value();
    totals.error_replies += thread.error_replies.value();
    totals.keyspace_hits += thread.keyspace_hits.value();
    totals.keyspace_misses += thread.keyspace_misses.value();
    totals.cold_reads += thread.cold_reads.value();
    totals.connections_accepted += thread.connections_accepted.value();
    totals.input_bytes += thread.input_bytes.value();
    totals.output_bytes += thread.output_bytes.value();
    totals.output_limit_disconnections += thread.output_limit_disconnections.value();
    totals.query_limit_disconnections += thread.query_limit_disconnections.value();
    totals.receives += thread.receives.value();
    totals.sends += thread.sends.value();
    totals.connections += thread.connections.value();
    totals.suspended_connections += thread.suspended_connections.value();
    totals.buffer_bytes += thread.buffer_bytes.value();
  }
  totals.connections_rejected = rejected_.load(std::memory_order_relaxed);
  return totals;
}

ServerTotals ServerStats::totals() const {
  ServerTotals totals = sum();
  const std::lock_guard lock{mutex_};
  totals.commands -= baseline_.commands;
  totals.error_replies -= baseline_.error_replies;
  totals.keyspace_hits -= baseline_.keyspace_hits;
  totals.keyspace_misses -= baseline_.keyspace_misses;
  totals.cold_reads -= baseline_.cold_reads;
  totals.connections_accepted -= baseline_.connections_accepted;
  totals.connections_rejected -= baseline_.connections_rejected;
  totals.input_bytes -= baseline_.input_bytes;
  totals.output_bytes -= baseline_.output_bytes;
  totals.output_limit_disconnections -= baseline_.output_limit_disconnections;
  totals.query_limit_disconnections -= baseline_.query_limit_disconnections;
  totals.receives -= baseline_.receives;
  totals.sends -= baseline_.sends;
  return totals;
}

void ServerStats::reset() {
  commands_.reset();
  const ServerTotals now = sum();
  const std::lock_guard lock{mutex_};
  baseline_ = now;
}

void ServerStats::sample(std::chrono::steady_clock::time_point now) {
  const ServerTotals totals = sum();
  const std::lock_guard lock{mutex_};
  const double seconds = std::chrono::duration<double>(now - sampled_at_).count();
  if (seconds <= 0) return;
  const auto per_second = [seconds](std::int64_t later, std::int64_t earlier) {
    return static_cast<double>(later - earlier) / seconds;
  };
  rates_.commands_per_second = per_second(totals.commands, sampled_.commands);
  rates_.input_kilobytes_per_second = per_second(totals.input_bytes, sampled_.input_bytes) / 1024;
  rates_.output_kilobytes_per_second = per_second(totals.output_bytes, sampled_.output_bytes) / 1024;
  sampled_ = totals;
  sampled_at_ = now;
}

ServerStats::Rates ServerStats::rates() const {
  const std::lock_guard lock{mutex_};
  return rates_;
}

std::int64_t ServerStats::buffer_bytes() const {
  std::int64_t bytes = 0;
  for (const ThreadCounters& thread : threads_) bytes += thread.buffer_bytes.value();
  return bytes;
}

}  // namespace shale::server
