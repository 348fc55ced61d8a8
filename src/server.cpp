#include "src/server.h"

#include <algorithm>
#include <random>

#include "src/allocator.h"
#include "src/machine.h"

namespace shale::server {
namespace {

std::string random_run_id() {
  constexpr std::size_t kDigits = 40;
  std::random_device random;
  std::string id;
  while (id.size() < kDigits) id += "0123456789abcdef"[random() % 16];
  return id;
}

}  // namespace

Server::Server(Config& config, cluster::Store& store, engine::Background& background,
               const MemoryBudget& budget, unsigned thread_count)
    : config_(config),
      store_(store),
      background_(background),
      budget_(budget),
      thread_count_(thread_count),
      run_id_(random_run_id()),
      started_at_ms_(store.clock().unix_ms()),
      started_at_(store.clock().now()),
      machine_bytes_(read_machine_limits().memory_bytes),
      stats_(thread_count),
      shard_rates_(started_at_),
      scan_cursors_(std::random_device{}()) {}

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

void Server::request_shutdown() {
  if (shutdown_listener_) shutdown_listener_();
}

}  // namespace shale::server
