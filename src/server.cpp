#include "src/server.h"

#include <algorithm>
#include <random>

#include "cluster/backups.h"
#include "src/allocator.h"
#include "src/machine.h"
#include "src/node_id.h"

namespace shale::server {
Server::Server(Config& config, cluster::Store& store, engine::Background& background,
               const MemoryBudget& budget, unsigned thread_count)
    : config_(config),
      store_(store),
      background_(background),
      budget_(budget),
      thread_count_(thread_count),
      run_id_(random_id()),
      started_at_ms_(store.clock().unix_ms()),
      started_at_(store.clock().now()),
      machine_bytes_(read_machine_limits().memory_bytes),
      startup_bytes_(allocated_bytes()),
      pubsub_(thread_count),
      monitors_(pubsub_),
      tracking_(pubsub_, config, budget.connections / 4),
      watches_(budget.connections / 8),
      working_memory_(std::max<std::uint64_t>(budget.connections / 4, large_value_bytes(budget))),
      last_uses_(budget.total),
      metering_(config, thread_count),
      stats_(thread_count, metering_.commands()),
      shard_rates_(started_at_),
      thread_clocks_(started_at_),
      scan_cursors_(store.placement(), std::random_device{}()),
      splitter_(store, split_limits(config),
                [this](ThreadClocks::TimePoint now) { return thread_clocks_.busy_share(now); }) {}

std::chrono::seconds Server::uptime() const {
  return std::chrono::duration_cast<std::chrono::seconds>(store_.clock().now() - started_at_);
}

MemoryFigures Server::memory() const {
  MemoryFigures figures;
  figures.resident = resident_bytes();
  figures.allocated = allocated_bytes();
  if (figures.allocated == 0) figures.allocated = figures.resident;
  std::uint64_t peak = resident_peak_.load(std::memory_order_relaxed);
  while (peak < figures.resident && !resident_peak_.compare_exchange_weak(peak, figures.resident)) {
  }
  figures.resident_peak = std::max(peak, figures.resident);
  figures.machine = machine_bytes_;
  return figures;
}

std::uint64_t Server::connection_bytes() const {
  const ServerTotals totals = stats_.totals();
  return static_cast<std::uint64_t>(totals.connections) * kIdleClientBytes +
         static_cast<std::uint64_t>(totals.buffer_bytes);
}

cluster::SplitLimits split_limits(const Config& config) {
  constexpr double kPercent = 0.01;
  cluster::SplitLimits limits;
  limits.enabled = config.enabled(Option::auto_split);
  limits.shard_bytes_max = static_cast<std::uint64_t>(config.number(Option::shard_max_bytes));
  limits.read_units_max = static_cast<double>(config.number(Option::shard_max_read_rate));
  limits.write_units_max = static_cast<double>(config.number(Option::shard_max_write_rate));
  limits.heat_max = kPercent * static_cast<double>(config.number(Option::shard_max_heat));
  limits.shards_max = static_cast<std::size_t>(config.number(Option::shards_max));
  limits.cool_down = std::chrono::seconds{config.number(Option::shard_cool_down)};
  limits.merge_after = std::chrono::seconds{config.number(Option::shard_merge_after)};
  return limits;
}

std::int64_t Server::last_save_s() const {
  const auto newest = store_.backups().status().newest;
  return (newest ? newest->unix_ms : started_at_ms_) / 1000;
}

void Server::request_shutdown() {
  if (shutdown_listener_) shutdown_listener_();
}

}  // namespace shale::server
