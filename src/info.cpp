#include "src/info.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

#include "cluster/expirer.h"
#include "engine/large/large_value_store.h"
#include "engine/lsm/tree_store.h"
#include "src/command/arguments.h"
#include "src/config.h"
#include "src/run.h"
#include "src/server.h"
#include "src/stats/snapshot.h"
#include "src/version.h"

namespace shale::server {
namespace {

class Fields {
 public:
  void section(std::string_view name) {
    if (!text_.empty()) text_ += "\r\n";
    fmt::format_to(std::back_inserter(text_), "# {}\r\n", name);
  }
  template <class Value>
  void add(std::string_view name, const Value& value) {
    fmt::format_to(std::back_inserter(text_), "{}:{}\r\n", name, value);
  }
  void add_ratio(std::string_view name, double value) {
    fmt::format_to(std::back_inserter(text_), "{}:{:.2f}\r\n", name, value);
  }
  void add_bytes(std::string_view name, std::uint64_t bytes) {
    add(name, bytes);
    fmt::format_to(std::back_inserter(text_), "{}_human:{}\r\n", name, abbreviate_bytes(bytes));
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

std::string operating_system() {
  utsname name{};
  if (::uname(&name) != 0) return "unknown";
  return fmt::format("{} {} {}", name.sysname, name.release, name.machine);
}

std::string executable() {
  std::array<char, 4096> path{};
  const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size());
  return length > 0 ? std::string(path.data(), static_cast<std::size_t>(length)) : std::string{};
}

void write_server(Fields& fields, Server& server) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const std::int64_t uptime_seconds = server.uptime().count();
  fields.add("redis_version", kRedisVersion);
  fields.add("shale_version", shale_version());
  fields.add("redis_git_sha1", "00000000");
  fields.add("redis_git_dirty", 0);
  fields.add("redis_mode", "standalone");
  fields.add("os", operating_system());
  fields.add("arch_bits", sizeof(void*) * 8);
  fields.add("multiplexing_api", "epoll");
  fields.add("gcc_version", fmt::format("{}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__));
  fields.add("process_id", ::getpid());
  fields.add("process_supervised", "no");
  fields.add("run_id", server.run_id());
  fields.add("tcp_port", server.port());
  fields.add("tls_port", server.config().number(Option::tls_port));
  fields.add("server_time_usec", std::chrono::duration_cast<std::chrono::microseconds>(now).count());
  fields.add("uptime_in_seconds", uptime_seconds);
  fields.add("uptime_in_days", std::chrono::floor<std::chrono::days>(server.uptime()).count());
  fields.add("executable", executable());
  fields.add("config_file", server.config_file());
  fields.add("io_threads_active", server.thread_count() > 1 ? 1 : 0);
}

void write_clients(Fields& fields, Server& server) {
  const ServerTotals totals = server.stats().totals();
  fields.add("connected_clients", totals.connections);
  fields.add("cluster_connections", 0);
  fields.add("maxclients", server.config().number(Option::maxclients));
  fields.add("blocked_clients", totals.suspended_connections);
  fields.add("tracking_clients", server.tracking().client_count());
  fields.add("pubsub_clients", server.pubsub().client_count());
  fields.add("watching_clients", 0);
  fields.add("total_watched_keys", 0);
}

void write_memory(Fields& fields, Server& server) {
  const MemoryFigures memory = server.memory();
  // Memtables and record caches are mapped, beside what the allocator knows of.
  engine::lsm::TreeStore& trees = server.store().trees().lsm();
  const std::uint64_t mapped =
      trees.memtables().used_bytes() + add_up(take_snapshots(server.store())).engine.record_cache_bytes;
  const std::uint64_t used = memory.allocated + mapped;
  const std::uint64_t dataset = mapped + trees.block_cache().stats().bytes;
  const std::uint64_t peak = std::max(memory.resident_peak, used);
  const auto share_of = [](std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
  };
  fields.add_bytes("used_memory", used);
  fields.add_bytes("used_memory_rss", memory.resident);
  fields.add_bytes("used_memory_peak", peak);
  fields.add("used_memory_peak_perc", fmt::format("{:.2f}%", share_of(used, peak) * 100));
  fields.add("used_memory_overhead", used - std::min(used, dataset));
  fields.add("used_memory_dataset", dataset);
  fields.add("used_memory_dataset_perc", fmt::format("{:.2f}%", share_of(dataset, used) * 100));
  fields.add_bytes("total_system_memory", memory.machine);
  // Redis's maxmemory begins evictions, and there are none here. What bounds the process is its own option.
  fields.add_bytes("maxmemory", 0);
  fields.add("maxmemory_policy", "noeviction");
  fields.add_ratio("mem_fragmentation_ratio", share_of(memory.resident, used));
  fields.add("mem_fragmentation_bytes",
             static_cast<std::int64_t>(memory.resident) - static_cast<std::int64_t>(used));
  fields.add("mem_clients_normal", server.connection_bytes());
  fields.add("mem_clients_slaves", 0);
  fields.add("mem_allocator", "jemalloc");
  fields.add("active_defrag_running", 0);
  fields.add("lazyfree_pending_objects", 0);
}

void write_persistence(Fields& fields, Server& server) {
  engine::Log& log = server.store().log();
  const engine::LogStats stats = log.stats();
  fields.add("loading", 0);
  fields.add("async_loading", 0);
  // There is no snapshot beside the log: nothing is ever left to save.
  fields.add("rdb_changes_since_last_save", 0);
  fields.add("rdb_bgsave_in_progress", 0);
  fields.add("rdb_last_save_time", server.started_at_ms() / 1000);
  fields.add("rdb_last_bgsave_status", "ok");
  fields.add("rdb_last_bgsave_time_sec", -1);
  fields.add("rdb_current_bgsave_time_sec", -1);
  fields.add("aof_enabled", 1);
  fields.add("aof_rewrite_in_progress", 0);
  fields.add("aof_rewrite_scheduled", 0);
  fields.add("aof_last_rewrite_time_sec", -1);
  fields.add("aof_current_rewrite_time_sec", -1);
  fields.add("aof_last_bgrewrite_status", "ok");
  fields.add("aof_last_write_status", log.health() ? "ok" : "err");
  fields.add("aof_current_size", stats.bytes_kept);
  fields.add("aof_base_size", 0);
  fields.add("aof_pending_rewrite", 0);
  fields.add("aof_buffer_length", 0);
  fields.add("aof_pending_bio_fsync", log.synced_lsn() < log.appended_lsn() ? 1 : 0);
}

void write_stats(Fields& fields, Server& server) {
  const ServerTotals totals = server.stats().totals();
  const ServerStats::Rates rates = server.stats().rates();
  fields.add("total_connections_received", totals.connections_accepted);
  fields.add("total_commands_processed", totals.commands);
  fields.add("instantaneous_ops_per_sec", static_cast<std::int64_t>(rates.commands_per_second));
  fields.add("total_net_input_bytes", totals.input_bytes);
  fields.add("total_net_output_bytes", totals.output_bytes);
  fields.add_ratio("instantaneous_input_kbps", rates.input_kilobytes_per_second);
  fields.add_ratio("instantaneous_output_kbps", rates.output_kilobytes_per_second);
  fields.add("rejected_connections", totals.connections_rejected);
  fields.add("sync_full", 0);
  fields.add("sync_partial_ok", 0);
  fields.add("sync_partial_err", 0);
  fields.add("expired_keys", server.store().expirer().expired_keys());
  fields.add("expired_time_cap_reached_count", 0);
  fields.add("evicted_keys", 0);
  fields.add("evicted_clients", 0);
  fields.add("keyspace_hits", totals.keyspace_hits);
  fields.add("keyspace_misses", totals.keyspace_misses);
  fields.add("pubsub_channels", server.pubsub().channel_count());
  fields.add("pubsub_patterns", server.pubsub().pattern_count());
  fields.add("pubsubshard_channels", server.pubsub().shard_channel_count());
  fields.add("tracking_total_keys", server.tracking().key_count());
  fields.add("tracking_total_items", server.tracking().item_count());
  fields.add("tracking_total_prefixes", server.tracking().prefix_count());
  fields.add("client_output_buffer_limit_disconnections", totals.output_limit_disconnections);
  fields.add("latest_fork_usec", 0);
  fields.add("total_forks", 0);
  fields.add("total_error_replies", totals.error_replies);
  fields.add("acl_access_denied_auth", server.acl_log().refusals(acl::Reason::auth));
  fields.add("acl_access_denied_cmd", server.acl_log().refusals(acl::Reason::command));
  fields.add("acl_access_denied_key", server.acl_log().refusals(acl::Reason::key));
  fields.add("acl_access_denied_channel", server.acl_log().refusals(acl::Reason::channel));
}

void write_replication(Fields& fields, Server& server) {
  fields.add("role", "master");
  fields.add("connected_slaves", 0);
  fields.add("master_failover_state", "no-failover");
  fields.add("master_replid", server.run_id());
  fields.add("master_replid2", std::string(server.run_id().size(), '0'));
  fields.add("master_repl_offset", 0);
  fields.add("second_repl_offset", -1);
  fields.add("repl_backlog_active", 0);
  fields.add("repl_backlog_size", 0);
  fields.add("repl_backlog_first_byte_offset", 0);
  fields.add("repl_backlog_histlen", 0);
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

void write_cpu(Fields& fields, Server&) {
  rusage self{};
  rusage children{};
  ::getrusage(RUSAGE_SELF, &self);
  ::getrusage(RUSAGE_CHILDREN, &children);
  fields.add("used_cpu_sys", fmt::format("{:.6f}", seconds(self.ru_stime)));
  fields.add("used_cpu_user", fmt::format("{:.6f}", seconds(self.ru_utime)));
  fields.add("used_cpu_sys_children", fmt::format("{:.6f}", seconds(children.ru_stime)));
  fields.add("used_cpu_user_children", fmt::format("{:.6f}", seconds(children.ru_utime)));
}

void write_nothing(Fields&, Server&) {}

void write_cluster(Fields& fields, Server&) { fields.add("cluster_enabled", 0); }

std::int64_t average_ttl_ms(const cluster::ExpiryCount& count, std::int64_t now_ms) {
  if (count.hints == 0) return 0;
  const double due_ms = count.due_s_sum * 1000 / static_cast<double>(count.hints);
  return std::max<std::int64_t>(std::llround(due_ms) - now_ms, 0);
}

void write_keyspace(Fields& fields, Server& server) {
  const std::int64_t databases = server.config().number(Option::databases);
  for (unsigned database = 0; database < databases; ++database) {
    const std::int64_t keys = server.store().key_count(database);
    if (keys <= 0) continue;
    const cluster::ExpiryCount count =
        server.store().expirer().calendar().count(server.store().database_id(database));
    // A key that has been written over counts again until its older hint is due.
    fields.add(fmt::format("db{}", database),
               fmt::format("keys={},expires={},avg_ttl={},subexpiry=0", keys, std::min(count.hints, keys),
                           average_ttl_ms(count, server.store().clock().unix_ms())));
  }
}

void write_shale(Fields& fields, Server& server) {
  cluster::Store& store = server.store();
  const ShardSnapshot sum = add_up(take_snapshots(store));
  const engine::EngineStats& engine = sum.engine;
  const engine::LogStats log = store.log().stats();
  const auto cache = store.trees().lsm().block_cache().stats();
  const engine::LargeValueStats large = store.large_values().stats();
  fields.add("sharding", store.placement().is_ring() ? "ring" : "range");
  fields.add("shards", store.shards().size());
  fields.add("threads", server.thread_count());
  fields.add("log_lsn", store.log().appended_lsn());
  fields.add("log_synced_lsn", store.log().synced_lsn());
  fields.add("log_bytes", log.bytes_kept);
  fields.add("log_segments", log.segments);
  fields.add("log_syncs", log.syncs);
  fields.add("log_sync_us_last", log.sync_us_last);
  fields.add("log_sync_us_max", log.sync_us_max);
  fields.add_bytes("memory_budget", server.memory_budget().total);
  fields.add_bytes("memtable_bytes", engine.memtable_bytes + engine.immutable_memtable_bytes);
  fields.add_bytes("table_bytes", engine.disk_bytes - engine.value_file_bytes);
  fields.add("value_files", engine.value_files);
  fields.add_bytes("value_file_bytes", engine.value_file_bytes);
  fields.add_bytes("live_value_bytes", engine.live_value_bytes);
  fields.add("relocated_value_bytes", engine.relocated_value_bytes);
  fields.add("large_values", large.files);
  fields.add_bytes("large_value_bytes", large.bytes);
  fields.add_bytes("disk_bytes", engine.disk_bytes + large.bytes + log.bytes_kept);
  fields.add_bytes("block_cache_bytes", cache.bytes);
  fields.add("block_cache_hits", cache.hits);
  fields.add("block_cache_misses", cache.misses);
  fields.add("flushes", engine.flushes);
  fields.add("compactions", engine.compactions);
  fields.add_bytes("compaction_debt_bytes", engine.debt_bytes);
  fields.add("delayed_writes", engine.delayed_writes);
  fields.add("refused_writes", engine.refused_writes);
  fields.add("longest_write_wait_us", engine.longest_write_wait.count());
  fields.add("damaged_tables", engine.damaged_tables);
  fields.add("user_bytes_written", engine.user_bytes_written);
  fields.add("table_bytes_written", engine.disk_bytes_written);
  fields.add("reads", sum.counts.reads);
  fields.add("writes", sum.counts.writes);
  fields.add("cold_reads", sum.counts.not_resident);
  fields.add("commands_cold", server.stats().totals().cold_reads);
}

enum class Shown : std::uint8_t { always, in_all };

struct Section {
  std::string_view title;
  Shown shown;
  void (*write)(Fields& fields, Server& server);
};

// In Redis's order. Sections that are always empty are there because clients ask for them by name.
constexpr Section kSections[] = {
    {"Server", Shown::always, write_server},
    {"Clients", Shown::always, write_clients},
    {"Memory", Shown::always, write_memory},
    {"Persistence", Shown::always, write_persistence},
    {"Stats", Shown::always, write_stats},
    {"Replication", Shown::always, write_replication},
    {"CPU", Shown::always, write_cpu},
    {"Modules", Shown::always, write_nothing},
    {"Commandstats", Shown::in_all, write_nothing},
    {"Errorstats", Shown::always, write_nothing},
    {"Latencystats", Shown::in_all, write_nothing},
    {"Cluster", Shown::always, write_cluster},
    {"Keyspace", Shown::always, write_keyspace},
    {"Shale", Shown::always, write_shale},
};

bool is_wanted(const Section& section, std::span<const std::string_view> names) {
  if (names.empty()) return section.shown == Shown::always;
  return std::ranges::any_of(names, [&](std::string_view name) {
    return equals_ignoring_case(name, section.title) || equals_ignoring_case(name, "all") ||
           equals_ignoring_case(name, "everything") ||
           (section.shown == Shown::always && equals_ignoring_case(name, "default"));
  });
}

}  // namespace

std::string describe_server(Server& server, std::span<const std::string_view> sections) {
  Fields fields;
  for (const Section& section : kSections) {
    if (!is_wanted(section, sections)) continue;
    fields.section(section.title);
    section.write(fields, server);
  }
  return fields.take();
}

std::string abbreviate_bytes(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{}B", bytes);
  constexpr std::string_view kUnits = "KMGTPE";
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.2f}{}", value, kUnits[unit]);
}

}  // namespace shale::server
