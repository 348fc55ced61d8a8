// What the server keeps of the commands it has run: what they cost, which of them were slow, and from when on
// one is called slow. One per server; everything is thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string_view>

#include "src/metering/command_stats.h"
#include "src/metering/latency_monitor.h"
#include "src/metering/slow_log.h"
#include "src/metering/tick_clock.h"

namespace shale::server {

class Config;

class Metering {
 public:
  Metering(const Config& config, unsigned threads);

  TickClock& clock() { return clock_; }
  CommandStats& commands() { return commands_; }
  SlowLog& slow_log() { return slow_log_; }
  LatencyMonitor& latency() { return latency_; }

  // Takes over what the options say now; after each change.
  void apply_options();

  // Keeps an event for LATENCY if it has taken as long as latency-monitor-threshold. `event`:
  // latency_monitor.h.
  void note_event(std::string_view event, std::chrono::nanoseconds took);

  bool tracks_latency() const { return tracks_latency_.load(std::memory_order_relaxed); }
  // A command that takes so long belongs into the slow log, or into the latency monitor, or is the least that
  // belongs into one of them. In nanoseconds; kNever: none does.
  static constexpr std::int64_t kNever = INT64_MAX;
  std::int64_t slow_log_from_ns() const { return slow_log_from_ns_.load(std::memory_order_relaxed); }
  std::int64_t monitor_from_ns() const { return monitor_from_ns_.load(std::memory_order_relaxed); }
  std::int64_t slow_from_ns() const { return slow_from_ns_.load(std::memory_order_relaxed); }

 private:
  const Config& config_;
  std::atomic<bool> tracks_latency_ = true;
  std::atomic<std::int64_t> slow_log_from_ns_ = kNever;
  std::atomic<std::int64_t> monitor_from_ns_ = kNever;
  std::atomic<std::int64_t> slow_from_ns_ = kNever;
  TickClock clock_;
  CommandStats commands_;
  SlowLog slow_log_;
  LatencyMonitor latency_;
};

}  // namespace shale::server
