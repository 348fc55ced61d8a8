#include "src/metering/latency_monitor.h"

#include <algorithm>

namespace shale::server {

void LatencyMonitor::add(std::string_view event, std::chrono::milliseconds took, std::int64_t unix_seconds) {
  const std::lock_guard lock{mutex_};
  auto found = events_.find(event);
  if (found == events_.end()) found = events_.try_emplace(std::string{event}).first;
  LatencyEvent& known = found->second;
  known.longest_ms = std::max<std::int64_t>(known.longest_ms, took.count());
  auto& samples = known.samples;
  if (!samples.empty() && samples.back().unix_seconds == unix_seconds) {
    samples.back().ms = std::max<std::int64_t>(samples.back().ms, took.count());
    return;
  }
  if (samples.size() == kSamplesMax) samples.erase(samples.begin());
  samples.push_back({unix_seconds, took.count()});
}

LatencyMonitor::Events LatencyMonitor::events() const {
  const std::lock_guard lock{mutex_};
  return events_;
}

std::vector<LatencySample> LatencyMonitor::history(std::string_view event) const {
  const std::lock_guard lock{mutex_};
  const auto found = events_.find(event);
  return found == events_.end() ? std::vector<LatencySample>{} : found->second.samples;
}

bool LatencyMonitor::reset(std::string_view event) {
  const std::lock_guard lock{mutex_};
  const auto found = events_.find(event);
  if (found == events_.end()) return false;
  events_.erase(found);
  return true;
}

std::size_t LatencyMonitor::reset() {
  const std::lock_guard lock{mutex_};
  const std::size_t count = events_.size();
  events_.clear();
  return count;
}

}  // namespace shale::server
