#include "src/metering/metering.h"

#include <algorithm>

#include "src/config.h"

namespace shale::server {

Metering::Metering(const Config& config, unsigned threads) : config_(config), commands_(threads) {
  apply_options();
}

void Metering::apply_options() {
  constexpr std::int64_t kNsPerUs = 1000;
  constexpr std::int64_t kNsPerMs = 1'000'000;
  const std::int64_t slower_than_us = config_.number(Option::slowlog_log_slower_than);
  const std::int64_t threshold_ms = config_.number(Option::latency_monitor_threshold);
  const std::int64_t log_from = slower_than_us < 0 ? kNever : slower_than_us * kNsPerUs;
  const std::int64_t monitor_from = threshold_ms == 0 ? kNever : threshold_ms * kNsPerMs;
  tracks_latency_.store(config_.enabled(Option::latency_tracking), std::memory_order_relaxed);
  slow_log_from_ns_.store(log_from, std::memory_order_relaxed);
  monitor_from_ns_.store(monitor_from, std::memory_order_relaxed);
  slow_from_ns_.store(std::min(log_from, monitor_from), std::memory_order_relaxed);
  slow_log_.set_length_max(static_cast<std::size_t>(config_.number(Option::slowlog_max_len)));
}

void Metering::note_event(std::string_view event, std::chrono::nanoseconds took) {
  using namespace std::chrono;
  if (took.count() < monitor_from_ns()) return;
  const auto now = duration_cast<seconds>(system_clock::now().time_since_epoch());
  latency_.add(event, duration_cast<milliseconds>(took), now.count());
}

}  // namespace shale::server
