#include "src/metering/command_meter.h"

#include <algorithm>
#include <chrono>

#include "src/command/redaction.h"
#include "src/server_stats.h"
#include "src/session.h"

namespace shale::server {
namespace {

constexpr std::int64_t kNsPerMs = 1'000'000;

bool is_error(std::string_view reply) { return !reply.empty() && reply.front() == '-'; }

}  // namespace

CommandMeter::CommandMeter(Metering& metering, ThreadCounters& counters)
    : metering_(metering), counters_(counters), stats_(*counters.command_stats) {}

TickClock::Ticks CommandMeter::lap() {
  const TickClock::Ticks now = metering_.clock().now();
  const TickClock::Ticks took = now - last_;
  last_ = now;
  return std::max<TickClock::Ticks>(took, 1);
}

void CommandMeter::executed(const Execution& execution) {
  const TickClock::Ticks now = metering_.clock().now();
  TickClock::Ticks begun_at = execution.begun_at != 0 ? execution.begun_at : last_;
  if (execution.took != 0) begun_at = now - execution.took;
  last_ = now;
  const std::int64_t ns =
      metering_.clock().nanoseconds_between(begun_at, now) + execution.delay.count() * kNsPerMs;
  const CommandId id = execution.command.id;
  stats_.begin_generation(metering_.commands().generation());
  stats_.count_call(id, ns);
  if (metering_.tracks_latency()) stats_.record_latency(id, ns);
  if (is_error(execution.reply)) [[unlikely]] {
    stats_.count_failed(id);
    count_error(execution.reply);
  }
  if (ns >= metering_.slow_from_ns()) [[unlikely]]
    note_slow(execution, ns);
}

void CommandMeter::refused(const ResolvedCommand& command, std::string_view reply) {
  last_ = metering_.clock().now();
  stats_.begin_generation(metering_.commands().generation());
  if (command.spec != nullptr) stats_.count_rejected(command.id);
  count_error(reply);
}

void CommandMeter::count_error(std::string_view reply) {
  counters_.error_replies.add();
  stats_.errors().count(reply);
}

void CommandMeter::note_slow(const Execution& execution, std::int64_t ns) {
  using std::chrono::nanoseconds;
  const CommandSpec& command = *execution.command.spec;
  const std::int64_t unix_seconds =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  if (ns >= metering_.slow_log_from_ns() && !command.flags.has(CommandFlag::skip_slowlog)) {
    const auto words = redacted(command, execution.words);
    metering_.slow_log().add(
        {.unix_seconds = unix_seconds,
         .duration = std::chrono::duration_cast<std::chrono::microseconds>(nanoseconds{ns}),
         .words = SlowLog::shorten(words),
         .client_address = execution.session.address,
         .client_name = execution.session.name});
  }
  const bool is_fast = command.flags.has(CommandFlag::fast);
  metering_.note_event(is_fast ? latency_event::kFastCommand : latency_event::kCommand, nanoseconds{ns});
}

}  // namespace shale::server
