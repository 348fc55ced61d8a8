#include "bench/engine_bench/phase.h"

#include <fmt/format.h>

#include "bench/engine_bench/process_usage.h"

namespace shale::bench {
namespace {

double ratio(double part, std::uint64_t whole) { return whole == 0 ? 0 : part / static_cast<double>(whole); }

std::string number(double value) { return fmt::format("{:.6g}", value); }

}  // namespace

std::string Report::as_text() const {
  std::string text;
  for (const auto& [name, value] : fields_) {
    if (!text.empty()) text += ' ';
    text += name + '=';
    if (const auto* word = std::get_if<std::string>(&value)) text += *word;
    if (const auto* count = std::get_if<std::uint64_t>(&value)) text += std::to_string(*count);
    if (const auto* real = std::get_if<double>(&value)) text += number(*real);
  }
  return text;
}

// Names and words are the program's own: letters, digits and punctuation without quotes or backslashes.
std::string Report::as_json() const {
  std::string json;
  for (const auto& [name, value] : fields_) {
    json += fmt::format("{}\"{}\": ", json.empty() ? "{" : ", ", name);
    if (const auto* word = std::get_if<std::string>(&value)) json += '"' + *word + '"';
    if (const auto* count = std::get_if<std::uint64_t>(&value)) json += std::to_string(*count);
    if (const auto* real = std::get_if<double>(&value)) json += number(*real);
  }
  return json + '}';
}

Phase::Phase(StoreAdapter& store, std::string folder) : store_(store), folder_(std::move(folder)) {
  reset_peak_resident();
  counters_ = store_.counters();
  disk_write_bytes_ = process_disk_write_bytes();
  cpu_seconds_ = process_cpu_seconds();
  start_ = SteadyClock::now();
}

void Phase::finish(std::uint64_t user_bytes_written, std::uint64_t live_bytes, Report& report) {
  const double seconds = std::chrono::duration<double>(SteadyClock::now() - start_).count();
  const double cpu_seconds = process_cpu_seconds() - cpu_seconds_;
  const Rest rest = wait_for_rest([this] { return store_.busy(); });
  const double cpu_seconds_at_rest = process_cpu_seconds() - cpu_seconds_;
  const StoreCounters counters = store_.counters();

  std::uint64_t operations = 0;
  for (const auto& latencies : latencies_) {
    for (std::size_t kind = 0; kind < kOperationNames.size(); ++kind)
      operations += latencies->of(kind).count();
  }
  report.add("operations", operations);
  report.add("seconds", seconds);
  report.add("ops_per_s", static_cast<double>(operations) / seconds);
  report.add("cpu_s_per_million", ratio(cpu_seconds * 1e6, operations));
  report.add("cpu_s_per_million_at_rest", ratio(cpu_seconds_at_rest * 1e6, operations));
  report.add("rest", std::string{rest.reached ? "reached" : "not_reached"});
  report.add("rest_after_s", rest.seconds);
  report_latencies(report);
  report.add("user_bytes_written", user_bytes_written);
  report.add(
      "background_bytes_per_user_byte",
      ratio(static_cast<double>(counters.background_bytes - counters_.background_bytes), user_bytes_written));
  report.add("log_bytes_per_user_byte",
             ratio(static_cast<double>(counters.log_bytes - counters_.log_bytes), user_bytes_written));
  report.add("process_disk_bytes_per_user_byte",
             ratio(static_cast<double>(process_disk_write_bytes() - disk_write_bytes_), user_bytes_written));
  const auto is_data = [this](const std::string& path) { return !store_.is_log_file(path); };
  report.add("disk_bytes_per_live_byte",
             ratio(static_cast<double>(disk_bytes(folder_, is_data)), live_bytes));
  report.add("peak_resident_bytes", peak_resident_bytes());
  report.add("anonymous_resident_bytes", anonymous_resident_bytes());
}

void Phase::report_latencies(Report& report) const {
  const auto us = [](std::uint64_t latency_ns) { return static_cast<double>(latency_ns) / 1000; };
  for (std::size_t kind = 0; kind < kOperationNames.size(); ++kind) {
    LatencyHistogram histogram;
    LatencyHistogram in_checkpoints;
    LatencyHistogram between_checkpoints;
    for (const auto& latencies : latencies_) {
      histogram.add(latencies->of(kind));
      in_checkpoints.add(latencies->in_checkpoints(kind));
      between_checkpoints.add(latencies->between_checkpoints(kind));
    }
    if (histogram.count() == 0) continue;
    const std::string name = kOperationNames[kind];
    report.add(name + "_count", histogram.count());
    report.add(name + "_p50_us", us(histogram.percentile_ns(0.5)));
    report.add(name + "_p99_us", us(histogram.percentile_ns(0.99)));
    report.add(name + "_p999_us", us(histogram.percentile_ns(0.999)));
    report.add(name + "_max_us", us(histogram.max_ns()));
    if (in_checkpoints.count() != 0) {
      report.add(name + "_count_in_checkpoints", in_checkpoints.count());
      report.add(name + "_p99_us_in_checkpoints", us(in_checkpoints.percentile_ns(0.99)));
      report.add(name + "_p999_us_in_checkpoints", us(in_checkpoints.percentile_ns(0.999)));
      report.add(name + "_max_us_in_checkpoints", us(in_checkpoints.max_ns()));
      report.add(name + "_p99_us_between_checkpoints", us(between_checkpoints.percentile_ns(0.99)));
      report.add(name + "_p999_us_between_checkpoints", us(between_checkpoints.percentile_ns(0.999)));
      report.add(name + "_max_us_between_checkpoints", us(between_checkpoints.max_ns()));
    }
    for (std::size_t i = 0; i < LatencyHistogram::kSlowMs.size(); ++i) {
      report.add(fmt::format("{}_slower_than_{}_ms", name, LatencyHistogram::kSlowMs[i]),
                 histogram.slower_than(i));
    }
  }
}

}  // namespace shale::bench
