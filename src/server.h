// What the commands know of the server that runs them: its parts, and what it can say about itself.
// Everything is thread-safe unless it says otherwise. The sockets and threads are elsewhere (io_thread.h,
// listener.h); run.h puts all together.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "cluster/splitter.h"
#include "cluster/store.h"
#include "engine/io/background.h"
#include "src/acl/log.h"
#include "src/acl/users.h"
#include "src/client_pause.h"
#include "src/client_registry.h"
#include "src/config.h"
#include "src/last_uses.h"
#include "src/memory_budget.h"
#include "src/metering/metering.h"
#include "src/migration.h"
#include "src/pubsub/monitors.h"
#include "src/pubsub/pubsub.h"
#include "src/scan_cursor.h"
#include "src/server_stats.h"
#include "src/stats/shard_rates.h"
#include "src/thread_clocks.h"
#include "src/tracking/tracking.h"
#include "src/watch_table.h"
#include "src/working_memory.h"

namespace shale::server {

namespace tls {
class Context;
}

// In bytes, as they are now.
struct MemoryFigures {
  std::uint64_t allocated = 0;      // by the allocator, for us
  std::uint64_t resident = 0;       // of the process, in the machine's memory
  std::uint64_t resident_peak = 0;  // the highest since the start
  std::uint64_t machine = 0;        // what the machine or the container has
};

class Server {
 public:
  // The parts outlive the server.
  Server(Config& config, cluster::Store& store, engine::Background& background, const MemoryBudget& budget,
         unsigned thread_count);

  cluster::Store& store() { return store_; }
  Config& config() { return config_; }
  const Config& config() const { return config_; }
  ClientRegistry& clients() { return clients_; }
  ClientPause& pause() { return pause_; }
  acl::Users& users() { return users_; }
  const acl::Users& users() const { return users_; }
  acl::Log& acl_log() { return acl_log_; }
  PubSub& pubsub() { return pubsub_; }
  Monitors& monitors() { return monitors_; }
  Tracking& tracking() { return tracking_; }
  ServerStats& stats() { return stats_; }
  Metering& metering() { return metering_; }
  ShardRates& shard_rates() { return shard_rates_; }
  ThreadClocks& thread_clocks() { return thread_clocks_; }  // of those that execute commands
  cluster::Splitter& splitter() { return splitter_; }
  engine::Background& background() { return background_; }
  ScanCursors& scan_cursors() { return scan_cursors_; }
  WatchTable& watches() { return watches_; }
  LastUses& last_uses() { return last_uses_; }
  WorkingMemory& working_memory() { return working_memory_; }
  Migrations& migrations() { return migrations_; }

  // 40 hexadecimal digits, new at every start.
  const std::string& run_id() const { return run_id_; }
  std::int64_t started_at_ms() const { return started_at_ms_; }  // Unix milliseconds
  // When the newest backup was made, in Unix seconds; as long as there is none, the start, as in Redis.
  std::int64_t last_save_s() const;
  std::chrono::seconds uptime() const;
  unsigned thread_count() const { return thread_count_; }
  // The TCP port it listens on, that for TLS if there is no other; 0 if on none.
  unsigned port() const { return port_.load(std::memory_order_relaxed); }
  void set_port(unsigned port) { port_.store(port, std::memory_order_relaxed); }
  // So many clients at most, whatever maxclients says: what open files and memory allow.
  std::int64_t client_cap() const { return client_cap_; }
  void set_client_cap(std::int64_t cap) { client_cap_ = cap; }  // before clients connect
  // The configuration file's absolute path, empty if there is none. Constant once the server runs.
  const std::string& config_file() const { return config_file_; }
  void set_config_file(std::string path) { config_file_ = std::move(path); }

  // What new TLS connections begin with; nullptr as long as there are none.
  std::shared_ptr<tls::Context> tls_context() const {
    const std::lock_guard lock{tls_mutex_};
    return tls_context_;
  }
  void set_tls_context(std::shared_ptr<tls::Context> context) {
    const std::lock_guard lock{tls_mutex_};
    tls_context_ = std::move(context);
  }
  // What the allocator had given out when the server was ready to serve.
  std::uint64_t startup_bytes() const { return startup_bytes_; }
  // As a node of a Redis Cluster: 40 hexadecimal digits that stay over restarts. Empty unless
  // cluster-enabled.
  const std::string& node_id() const { return node_id_; }
  void set_node_id(std::string id) { node_id_ = std::move(id); }  // before clients connect
  bool in_cluster_mode() const { return !node_id_.empty(); }

  const MemoryBudget& memory_budget() const { return budget_; }
  // Reads /proc and the allocator's statistics: not per command.
  MemoryFigures memory() const;
  // What clients cost: by being there, and with requests and replies on their way.
  std::uint64_t connection_bytes() const;

  // As SIGTERM: stops accepting, lets running commands finish, syncs the log, ends the process with 0.
  // Returns at once.
  void request_shutdown();
  // Set once, before any command runs.
  void on_shutdown_request(std::function<void()> listener) { shutdown_listener_ = std::move(listener); }

 private:
  Config& config_;
  cluster::Store& store_;
  engine::Background& background_;
  const MemoryBudget budget_;
  const unsigned thread_count_;
  const std::string run_id_;
  const std::int64_t started_at_ms_;
  const std::chrono::steady_clock::time_point started_at_;
  const std::uint64_t machine_bytes_;
  std::int64_t client_cap_ = 1000000;
  std::string config_file_;
  std::string node_id_;
  const std::uint64_t startup_bytes_;
  std::atomic<unsigned> port_ = 0;
  PubSub pubsub_;
  Monitors monitors_;
  Tracking tracking_;
  WatchTable watches_;  // before the clients, who leave it when they go
  WorkingMemory working_memory_;
  LastUses last_uses_;
  ClientRegistry clients_;
  ClientPause pause_;
  acl::Users users_;
  acl::Log acl_log_;
  Metering metering_;
  ServerStats stats_;
  ShardRates shard_rates_;
  ThreadClocks thread_clocks_;
  ScanCursors scan_cursors_;
  std::function<void()> shutdown_listener_;
  mutable std::mutex tls_mutex_;  // guards tls_context_
  std::shared_ptr<tls::Context> tls_context_;
  mutable std::atomic<std::uint64_t> resident_peak_ = 0;
  Migrations migrations_;
  cluster::Splitter splitter_;  // last: its thread uses the others
};

// When shards are split and merged, as the options say.
cluster::SplitLimits split_limits(const Config& config);

}  // namespace shale::server
