#include "src/stats/snapshot.h"

#include <algorithm>
#include <mutex>

#include "cluster/catalog.h"

namespace shale::server {
namespace {

void add_levels(const std::vector<engine::LevelStats>& levels, std::vector<engine::LevelStats>& sum) {
  sum.resize(std::max(sum.size(), levels.size()));
  for (std::size_t index = 0; index < levels.size(); ++index) {
    sum[index].tables += levels[index].tables;
    sum[index].runs += levels[index].runs;
    sum[index].runs_max += levels[index].runs_max;
    sum[index].bytes += levels[index].bytes;
    sum[index].bytes_max += levels[index].bytes_max;
    sum[index].entries += levels[index].entries;
    sum[index].tombstones += levels[index].tombstones;
  }
}

void add_engine(const engine::EngineStats& stats, engine::EngineStats& sum) {
  using Stats = engine::EngineStats;
  for (const auto count : {&Stats::memtable_bytes,
                           &Stats::immutable_memtable_bytes,
                           &Stats::immutable_memtables,
                           &Stats::disk_bytes,
                           &Stats::table_memory_bytes,
                           &Stats::value_files,
                           &Stats::value_file_bytes,
                           &Stats::live_value_bytes,
                           &Stats::relocated_value_bytes,
                           &Stats::user_bytes_written,
                           &Stats::flush_bytes_written,
                           &Stats::compaction_bytes_read,
                           &Stats::compaction_bytes_written,
                           &Stats::disk_bytes_written,
                           &Stats::flushes,
                           &Stats::compactions,
                           &Stats::debt_bytes,
                           &Stats::delayed_writes,
                           &Stats::refused_writes,
                           &Stats::reads,
                           &Stats::table_reads,
                           &Stats::seeks,
                           &Stats::bloom_checks,
                           &Stats::bloom_false_positives,
                           &Stats::record_cache_hits,
                           &Stats::record_cache_misses,
                           &Stats::record_cache_bytes,
                           &Stats::not_resident,
                           &Stats::tombstones,
                           &Stats::obsolete_entries,
                           &Stats::obsolete_bytes,
                           &Stats::shape_changes,
                           &Stats::damaged_tables}) {
    sum.*count += stats.*count;
  }
  sum.pressure = std::max(sum.pressure, stats.pressure);
  sum.longest_write_wait = std::max(sum.longest_write_wait, stats.longest_write_wait);
  sum.obsolete_age = std::max(sum.obsolete_age, stats.obsolete_age);
  add_levels(stats.levels, sum.levels);
}

Percentiles percentiles_of(const cluster::RecentDurations& durations,
                           std::chrono::steady_clock::time_point now) {
  return {durations.percentile(0.5, now), durations.percentile(0.99, now)};
}

}  // namespace

ShardSnapshot take_snapshot(cluster::Store& store, cluster::Shard& shard) {
  ShardSnapshot snapshot;
  snapshot.id = shard.id;
  const auto now = store.clock().now();
  const std::lock_guard lock{shard.mutex};
  snapshot.kind = shard.kind;
  if (!shard.engine) return snapshot;  // it has been merged into another
  snapshot.counts = shard.stats;
  snapshot.execution = percentiles_of(shard.execution_times, now);
  snapshot.lock_wait = percentiles_of(shard.lock_wait_times, now);
  snapshot.engine = shard.engine->stats();
  for (unsigned database = 0; database < cluster::kDatabaseCount; ++database) {
    snapshot.keys += shard.engine->key_count(store.database_id(database));
  }
  return snapshot;
}

std::vector<ShardSnapshot> take_snapshots(cluster::Store& store) {
  std::vector<ShardSnapshot> snapshots;
  for (const auto& shard : store.shards()) snapshots.push_back(take_snapshot(store, *shard));
  return snapshots;
}

ShardSnapshot add_up(std::span<const ShardSnapshot> shards) {
  ShardSnapshot sum;
  for (const ShardSnapshot& shard : shards) {
    sum.counts.reads += shard.counts.reads;
    sum.counts.writes += shard.counts.writes;
    sum.counts.not_resident += shard.counts.not_resident;
    sum.keys += shard.keys;
    add_engine(shard.engine, sum.engine);
  }
  return sum;
}

std::uint64_t last_level_bytes(const engine::EngineStats& stats) {
  if (stats.levels.empty()) return 0;
  const engine::LevelStats& last = stats.levels.back();
  return last.bytes / std::max<std::uint64_t>(last.runs, 1);
}

}  // namespace shale::server
