// What people are told of latency events: a graph of one kind, and what all kinds come to (LATENCY GRAPH,
// DOCTOR).
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "src/metering/latency_monitor.h"

namespace shale::server {

// A column per sample, as high as it is long, with its age below. `samples` is not empty.
std::string draw_latency_graph(std::string_view event, std::span<const LatencySample> samples,
                               std::int64_t longest_ms, std::int64_t unix_seconds_now);

// `threshold`: latency-monitor-threshold, 0 if nothing is watched. `slower_than`: slowlog-log-slower-than,
// negative if there is no slow log.
std::string diagnose_latency(const LatencyMonitor::Events& events, std::chrono::milliseconds threshold,
                             std::chrono::microseconds slower_than);

}  // namespace shale::server
