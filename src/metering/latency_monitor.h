// LATENCY: what has taken longer than latency-monitor-threshold, by kind of event, the newest of each kind.
// Thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace shale::server {

// The kinds of events there are.
namespace latency_event {
inline constexpr std::string_view kCommand = "command";
inline constexpr std::string_view kFastCommand = "fast-command";  // one that should take constant time
inline constexpr std::string_view kExpireCycle = "expire-cycle";  // a shard was locked to erase expired keys
inline constexpr std::string_view kSync = "aof-fsync-always";     // replies waited until writes were on disk
inline constexpr std::string_view kWriteDelay = "write-delay";    // flushes and compactions slow down writers
}  // namespace latency_event

struct LatencySample {
  std::int64_t unix_seconds = 0;
  std::int64_t ms = 0;
};

struct LatencyEvent {
  std::vector<LatencySample> samples;  // the oldest first; the longest of each second
  std::int64_t longest_ms = 0;         // since the start or the last reset
};

class LatencyMonitor {
 public:
  static constexpr std::size_t kSamplesMax = 160;

  // `event` is one of latency_event's, `took` what it has taken, at `unix_seconds`.
  void add(std::string_view event, std::chrono::milliseconds took, std::int64_t unix_seconds);

  using Events = std::map<std::string, LatencyEvent, std::less<>>;
  Events events() const;
  std::vector<LatencySample> history(std::string_view event) const;

  bool reset(std::string_view event);  // whether there was such an event
  std::size_t reset();                 // how many there were

 private:
  mutable std::mutex mutex_;  // guards events_
  Events events_;
};

}  // namespace shale::server
