#include "src/memory_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "engine/lsm/tree_store.h"
#include "src/config.h"
#include "src/info/fields.h"
#include "src/server.h"
#include "src/stats/snapshot.h"

namespace shale::server {

MemoryReport report_memory(Server& server) {
  const MemoryFigures figures = server.memory();
  // Memtables and record caches are mapped, beside what the allocator knows of.
  engine::lsm::TreeStore& trees = server.store().trees().lsm();
  const std::uint64_t mapped =
      trees.memtables().mapped_bytes() + add_up(take_snapshots(server.store())).engine.record_cache_bytes;
  MemoryReport report;
  report.allocator = allocator_figures();
  report.used = figures.allocated + mapped;
  report.resident = figures.resident;
  report.peak = std::max(figures.resident_peak, report.used);
  report.startup = server.startup_bytes();
  report.dataset = std::min(report.used, mapped + trees.block_cache().stats().bytes);
  report.clients = server.connection_bytes();
  report.machine = figures.machine;
  const std::int64_t databases = server.config().number(Option::databases);
  for (unsigned database = 0; database < databases; ++database) {
    report.keys += std::max<std::int64_t>(0, server.store().key_count(database));
  }
  return report;
}

std::string diagnose_memory(const MemoryReport& report, std::uint64_t budget) {
  constexpr double kPeakRatio = 1.5;
  constexpr double kFragmentedRatio = 1.4;
  constexpr std::uint64_t kWorthMentioning = 10u << 20;
  constexpr double kClientsShare = 0.25;
  std::string text;
  const auto say = [&](const std::string& line) {
    fmt::format_to(std::back_inserter(text), " * {}\n", line);
  };
  if (report.resident > budget) {
    say(fmt::format("The process has {} resident, more than its budget of {} (option 'memory').",
                    abbreviate_bytes(report.resident), abbreviate_bytes(budget)));
  }
  if (report.peak > kWorthMentioning && share_of(report.peak, report.resident) > kPeakRatio) {
    say(fmt::format("At its peak the process took {}, now {}: what it can take again has to be there.",
                    abbreviate_bytes(report.peak), abbreviate_bytes(report.resident)));
  }
  const AllocatorFigures& allocator = report.allocator;
  if (allocator.active - allocator.allocated > kWorthMentioning &&
      share_of(allocator.active, allocator.allocated) > kFragmentedRatio) {
    say(fmt::format("The allocator holds {} for {} in use: fragmentation. It passes; a restart ends it.",
                    abbreviate_bytes(allocator.active), abbreviate_bytes(allocator.allocated)));
  }
  if (share_of(report.clients, budget) > kClientsShare) {
    say(fmt::format("Clients take {}: CLIENT LIST shows who (qbuf, omem).",
                    abbreviate_bytes(report.clients)));
  }
  if (text.empty()) return "Nothing is wrong with the memory.\n";
  return "What may be wrong with the memory:\n" + text;
}

}  // namespace shale::server
