#include "src/metering/latency_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <vector>

namespace shale::server {
namespace {

constexpr std::size_t kColumnsMax = 80;
constexpr int kGraphRows = 4;

// "5s", "3m", "12h", "2d": what fits below a column.
std::string age_of(std::int64_t seconds) {
  seconds = std::max<std::int64_t>(seconds, 0);
  if (seconds < 60) return fmt::format("{}s", seconds);
  if (seconds < 3600) return fmt::format("{}m", seconds / 60);
  if (seconds < 86400) return fmt::format("{}h", seconds / 3600);
  return fmt::format("{}d", seconds / 86400);
}

// A column's part in one row: a row is as high as two of its signs, '_' and 'o', and '#' fills it.
char sign_at(int row_from_below, double share) {
  const double filled = share * kGraphRows - row_from_below;
  if (filled >= 1) return '#';
  if (filled > 0.5) return 'o';
  return filled > 0 ? '_' : ' ';
}

struct Tendency {
  std::int64_t average_ms = 0;
  std::int64_t deviation_ms = 0;  // mean absolute
  std::int64_t seconds_between = 0;
};

Tendency tendency_of(std::span<const LatencySample> samples) {
  Tendency tendency;
  if (samples.empty()) return tendency;
  const auto count = static_cast<std::int64_t>(samples.size());
  std::int64_t sum = 0;
  for (const LatencySample& sample : samples) sum += sample.ms;
  tendency.average_ms = sum / count;
  std::int64_t distance = 0;
  for (const LatencySample& sample : samples) distance += std::abs(sample.ms - tendency.average_ms);
  tendency.deviation_ms = distance / count;
  if (count > 1) {
    tendency.seconds_between = (samples.back().unix_seconds - samples.front().unix_seconds) / (count - 1);
  }
  return tendency;
}

std::string_view advice_for(std::string_view event) {
  if (event == latency_event::kCommand)
    return "SLOWLOG GET shows which commands. Commands over many keys, or large values, take long by nature; "
           "others may have waited for the disk: INFO shale has cold_reads and block_cache_misses.";
  if (event == latency_event::kFastCommand)
    return "Commands that take constant time were slow: they waited for the disk, for a shard's lock, or for "
           "a "
           "processor. See cold_reads in INFO shale, HOTKEYS, and the machine's load.";
  if (event == latency_event::kExpireCycle)
    return "Keys that have expired were looked at, some dozens at a time, and their shard waited: the "
           "machine "
           "has too few processors for its load.";
  if (event == latency_event::kSync)
    return "With appendfsync always replies wait for the disk, and it takes its time: use a faster one, or "
           "appendfsync everysec.";
  if (event == latency_event::kWriteDelay)
    return "Flushes and compactions do not keep up with the writes. See compaction_debt_bytes in INFO shale; "
           "a "
           "faster disk, fewer writes or compaction = tiered help.";
  return "";
}

}  // namespace

std::string draw_latency_graph(std::string_view event, std::span<const LatencySample> samples,
                               std::int64_t longest_ms, std::int64_t unix_seconds_now) {
  if (samples.size() > kColumnsMax) samples = samples.last(kColumnsMax);
  const auto [low, high] = std::ranges::minmax(samples, {}, &LatencySample::ms);
  std::string text = fmt::format("{} - high {} ms, low {} ms (all time high {} ms)\n{:-<80}\n", event,
                                 high.ms, low.ms, longest_ms, "");
  for (int row = kGraphRows - 1; row >= 0; --row) {
    for (const LatencySample& sample : samples) {
      text += sign_at(
          row, static_cast<double>(sample.ms) / static_cast<double>(std::max<std::int64_t>(high.ms, 1)));
    }
    text += '\n';
  }
  std::vector<std::string> ages;
  std::ranges::transform(samples, std::back_inserter(ages), [&](const LatencySample& sample) {
    return age_of(unix_seconds_now - sample.unix_seconds);
  });
  const std::size_t longest = std::ranges::max(ages, {}, &std::string::size).size();
  for (std::size_t line = 0; line < longest; ++line) {
    text += '\n';
    for (const std::string& age : ages) text += line < age.size() ? age[line] : ' ';
  }
  return text + '\n';
}

std::string diagnose_latency(const LatencyMonitor::Events& events, std::chrono::milliseconds threshold,
                             std::chrono::microseconds slower_than) {
  if (threshold.count() == 0) {
    return "Latency is not watched. CONFIG SET latency-monitor-threshold <milliseconds> begins to watch "
           "it.\n";
  }
  if (events.empty()) {
    return fmt::format("Nothing has taken {} ms or more since the start or the last LATENCY RESET.\n",
                       threshold.count());
  }
  std::string text = fmt::format("Events of {} ms or more:\n", threshold.count());
  int number = 0;
  for (const auto& [name, event] : events) {
    const Tendency tendency = tendency_of(event.samples);
    fmt::format_to(
        std::back_inserter(text),
        "\n{}. {}: {} seconds with such events, {} ms on average (mean deviation {} ms), {} s apart; "
        "the longest {} ms.\n   {}\n",
        ++number, name, event.samples.size(), tendency.average_ms, tendency.deviation_ms,
        tendency.seconds_between, event.longest_ms, advice_for(name));
  }
  if (slower_than.count() < 0) {
    text += "\nThe slow log is off: CONFIG SET slowlog-log-slower-than <microseconds> shows the commands.\n";
  } else if (slower_than > threshold) {
    text += fmt::format(
        "\nThe slow log keeps commands of {} us and more only: CONFIG SET slowlog-log-slower-than {} shows "
        "all "
        "that are counted here.\n",
        slower_than.count(), std::chrono::microseconds{threshold}.count());
  }
  return text;
}

}  // namespace shale::server
