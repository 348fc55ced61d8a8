// INFO: what has been done since the start: the log, clients' requests, keys; and what there is of
// replication.
#include <algorithm>
#include <cmath>

#include "cluster/backups.h"
#include "cluster/expirer.h"
#include "src/config.h"
#include "src/info/sections.h"
#include "src/server.h"

namespace shale::server::info {
namespace {

std::int64_t average_ttl_ms(const cluster::ExpiryCount& count, std::int64_t now_ms) {
  if (count.hints == 0) return 0;
  const double due_ms = count.due_s_sum * 1000 / static_cast<double>(count.hints);
  return std::max<std::int64_t>(std::llround(due_ms) - now_ms, 0);
}

// Changes are records of the log: a command's, or a transaction's, is one.
void write_backup(InfoFields& fields, Server& server) {
  const cluster::BackupStatus backup = server.store().backups().status();
  const auto took =
      backup.last_took ? std::chrono::ceil<std::chrono::seconds>(*backup.last_took).count() : -1;
  fields.add("rdb_changes_since_last_save", server.store().log().appended_lsn() - backup.lsn);
  fields.add("rdb_bgsave_in_progress", backup.running_for ? 1 : 0);
  fields.add("rdb_last_save_time", server.last_save_s());
  fields.add("rdb_last_bgsave_status", backup.last_error.empty() ? "ok" : "err");
  fields.add("rdb_last_bgsave_time_sec", took);
  fields.add("rdb_current_bgsave_time_sec", backup.running_for ? backup.running_for->count() : -1);
  fields.add("rdb_saves", backup.made);
  fields.add("rdb_last_cow_size", 0);
  const cluster::BackupSize size = backup.last_made ? backup.last_made->size : cluster::BackupSize{};
  fields.add("backup_last_path", backup.newest ? backup.newest->path : "");
  fields.add("backup_last_linked_bytes", size.linked_bytes);
  fields.add("backup_last_copied_bytes", size.copied_bytes);
  fields.add("backup_last_error", backup.last_error);
}

}  // namespace

void write_persistence(InfoFields& fields, Server& server) {
  engine::Log& log = server.store().log();
  const engine::LogStats stats = log.stats();
  fields.add("loading", 0);
  fields.add("async_loading", 0);
  fields.add("current_cow_peak", 0);
  fields.add("current_cow_size", 0);
  fields.add("current_cow_size_age", 0);
  fields.add("current_fork_perc", "0.00");
  fields.add("current_save_keys_processed", 0);
  fields.add("current_save_keys_total", 0);
  write_backup(fields, server);
  fields.add("aof_enabled", 1);
  fields.add("aof_rewrite_in_progress", 0);
  fields.add("aof_rewrite_scheduled", 0);
  fields.add("aof_last_rewrite_time_sec", -1);
  fields.add("aof_current_rewrite_time_sec", -1);
  fields.add("aof_last_bgrewrite_status", "ok");
  fields.add("aof_rewrites", 0);
  fields.add("aof_rewrites_consecutive_failures", 0);
  fields.add("aof_last_write_status", log.health() ? "ok" : "err");
  fields.add("aof_last_cow_size", 0);
  fields.add("module_fork_in_progress", 0);
  fields.add("module_fork_last_cow_size", 0);
  fields.add("aof_current_size", stats.bytes_kept);
  fields.add("aof_base_size", 0);
  fields.add("aof_pending_rewrite", 0);
  fields.add("aof_buffer_length", 0);
  fields.add("aof_pending_bio_fsync", log.synced_lsn() < log.appended_lsn() ? 1 : 0);
}

void write_stats(InfoFields& fields, Server& server) {
  const ServerTotals totals = server.stats().totals();
  const ServerStats::Rates rates = server.stats().rates();
  fields.add("total_connections_received", totals.connections_accepted);
  fields.add("total_commands_processed", totals.commands);
  fields.add("instantaneous_ops_per_sec", static_cast<std::int64_t>(rates.commands_per_second));
  fields.add("total_net_input_bytes", totals.input_bytes);
  fields.add("total_net_output_bytes", totals.output_bytes);
  fields.add("total_net_repl_input_bytes", 0);
  fields.add("total_net_repl_output_bytes", 0);
  fields.add_ratio("instantaneous_input_kbps", rates.input_kilobytes_per_second);
  fields.add_ratio("instantaneous_output_kbps", rates.output_kilobytes_per_second);
  fields.add_ratio("instantaneous_input_repl_kbps", 0);
  fields.add_ratio("instantaneous_output_repl_kbps", 0);
  fields.add("rejected_connections", totals.connections_rejected);
  fields.add("sync_full", 0);
  fields.add("sync_partial_ok", 0);
  fields.add("sync_partial_err", 0);
  fields.add("expired_keys", server.store().expirer().expired_keys());
  fields.add("expired_time_cap_reached_count", 0);
  fields.add("evicted_keys", 0);
  fields.add("evicted_clients", 0);
  fields.add("total_eviction_exceeded_time", 0);
  fields.add("current_eviction_exceeded_time", 0);
  fields.add("keyspace_hits", totals.keyspace_hits);
  fields.add("keyspace_misses", totals.keyspace_misses);
  fields.add("pubsub_channels", server.pubsub().channel_count());
  fields.add("pubsub_patterns", server.pubsub().pattern_count());
  fields.add("pubsubshard_channels", server.pubsub().shard_channel_count());
  fields.add("latest_fork_usec", 0);
  fields.add("total_forks", 0);
  fields.add("migrate_cached_sockets", 0);
  fields.add("slave_expires_tracked_keys", 0);
  fields.add("active_defrag_hits", 0);
  fields.add("active_defrag_misses", 0);
  fields.add("active_defrag_key_hits", 0);
  fields.add("active_defrag_key_misses", 0);
  fields.add("total_active_defrag_time", 0);
  fields.add("current_active_defrag_time", 0);
  fields.add("tracking_total_keys", server.tracking().key_count());
  fields.add("tracking_total_items", server.tracking().item_count());
  fields.add("tracking_total_prefixes", server.tracking().prefix_count());
  fields.add("unexpected_error_replies", 0);
  fields.add("total_error_replies", totals.error_replies);
  fields.add("acl_access_denied_auth", server.acl_log().refusals(acl::Reason::auth));
  fields.add("acl_access_denied_cmd", server.acl_log().refusals(acl::Reason::command));
  fields.add("acl_access_denied_key", server.acl_log().refusals(acl::Reason::key));
  fields.add("acl_access_denied_channel", server.acl_log().refusals(acl::Reason::channel));
  fields.add("total_reads_processed", totals.receives);
  fields.add("total_writes_processed", totals.sends);
  fields.add("client_query_buffer_limit_disconnections", totals.query_limit_disconnections);
  fields.add("client_output_buffer_limit_disconnections", totals.output_limit_disconnections);
}

void write_replication(InfoFields& fields, Server& server) {
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

void write_cluster(InfoFields& fields, Server& server) {
  fields.add("cluster_enabled", server.in_cluster_mode() ? 1 : 0);
}

void write_keyspace(InfoFields& fields, Server& server) {
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

}  // namespace shale::server::info
