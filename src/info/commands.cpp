// INFO: what the commands have cost, and the errors they have replied.
#include <sstream>

#include "src/command/table.h"
#include "src/config.h"
#include "src/info/sections.h"
#include "src/server.h"

namespace shale::server::info {
namespace {

constexpr std::int64_t kNsPerUs = 1000;

}  // namespace

void write_commandstats(InfoFields& fields, Server& server) {
  const auto totals = server.metering().commands().totals();
  for (std::size_t id = 0; id < totals.size(); ++id) {
    const CommandTotals& command = totals[id];
    if (!command.any()) continue;
    const double us_per_call =
        command.calls == 0 ? 0
                           : static_cast<double>(command.ns) / kNsPerUs / static_cast<double>(command.calls);
    fields.add(
        fmt::format("cmdstat_{}", full_name(command_by_id(id))),
        fmt::format("calls={},usec={},usec_per_call={:.2f},rejected_calls={},failed_calls={}", command.calls,
                    command.ns / kNsPerUs, us_per_call, command.rejected, command.failed));
  }
}

void write_errorstats(InfoFields& fields, Server& server) {
  for (const auto& [code, count] : server.metering().commands().errors()) {
    fields.add(fmt::format("errorstat_{}", code), fmt::format("count={}", count));
  }
}

void write_latencystats(InfoFields& fields, Server& server) {
  if (!server.metering().tracks_latency()) return;
  const std::string percentiles = server.config().text(Option::latency_tracking_info_percentiles);
  const auto totals = server.metering().commands().totals();
  for (std::size_t id = 0; id < totals.size(); ++id) {
    if (totals[id].calls == 0) continue;
    const auto summary = server.metering().commands().latencies(static_cast<CommandId>(id));
    if (summary->total() == 0) continue;
    std::string values;
    std::istringstream words{percentiles};
    for (std::string percent; words >> percent;) {
      const auto ns = static_cast<double>(summary->percentile(std::stod(percent)));
      values += fmt::format("{}p{}={:.3f}", values.empty() ? "" : ",", percent, ns / kNsPerUs);
    }
    fields.add(fmt::format("latency_percentiles_usec_{}", full_name(command_by_id(id))), values);
  }
}

}  // namespace shale::server::info
