// INFO shale: what Redis has no fields for.
#include "engine/large/large_value_store.h"
#include "engine/lsm/tree_store.h"
#include "src/config.h"
#include "src/info/sections.h"
#include "src/server.h"
#include "src/stats/snapshot.h"

namespace shale::server::info {

void write_shale(InfoFields& fields, Server& server) {
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

}  // namespace shale::server::info
