#include "src/stats/sections.h"

#include <algorithm>
#include <functional>
#include <map>
#include <span>

#include "engine/btree/tree_store.h"
#include "engine/lsm/tree_store.h"
#include "src/run.h"
#include "src/server.h"
#include "src/stats/btree_figures.h"
#include "src/stats/engine_advice.h"
#include "src/stats/hot_keys_figures.h"
#include "src/stats/lsm_figures.h"
#include "src/stats/reshape_figures.h"
#include "src/stats/snapshot.h"

namespace shale::server {
namespace {

// Of the screen, which is to be read at a glance.
constexpr std::size_t kScreenShardsMax = 32;
// Of one shard.
constexpr std::size_t kShardHotKeys = 3;

std::uint64_t last_levels_bytes(std::span<const ShardSnapshot> shards) {
  std::uint64_t bytes = 0;
  for (const ShardSnapshot& shard : shards) bytes += last_level_bytes(shard.engine);
  return bytes;
}

// Of the ring that each shard has, by id. None where keys are placed by range.
std::map<cluster::ShardId, double> ring_percentages(cluster::Placement placement,
                                                    const cluster::Layout& layout) {
  std::map<cluster::ShardId, double> percentages;
  if (!placement.is_ring()) return percentages;
  for (const auto& [id, share] : layout.map().shares()) percentages[id] = 100 * share;
  return percentages;
}

Figure microseconds_of(std::optional<std::chrono::nanoseconds> duration) {
  if (!duration) return {NotKnown{}, Unit::microseconds};
  return {static_cast<double>(duration->count()) / 1e3, Unit::microseconds};
}

Figures shard_figures(Server& server, const ShardSnapshot& shard,
                      const std::map<cluster::ShardId, double>& ring_percents) {
  const auto ring_percent = ring_percents.find(shard.id);
  const ShardRate rate = server.shard_rates().of(shard.id);
  Figures figures;
  figures.add("id", static_cast<std::uint32_t>(shard.id))
      .add("engine", shard.engine.btree ? "btree" : "lsm")
      .add("ring_percent", ring_percent == ring_percents.end() ? Figure{NotKnown{}, Unit::percent}
                                                               : Figure{ring_percent->second, Unit::percent})
      .add("keys", shard.keys)
      .add("disk_bytes", {shard.engine.disk_bytes, Unit::bytes})
      .add("memtable_bytes",
           {shard.engine.memtable_bytes + shard.engine.immutable_memtable_bytes, Unit::bytes})
      .add("reads", shard.counts.reads)
      .add("writes", shard.counts.writes)
      .add("absent_reads", shard.counts.absent_reads)
      .add("not_resident", shard.counts.not_resident)
      .add("reads_per_second", {rate.reads, Unit::per_second})
      .add("writes_per_second", {rate.writes, Unit::per_second})
      .add("read_units_per_second", {rate.read_units, Unit::per_second})
      .add("write_units_per_second", {rate.write_units, Unit::per_second})
      .add("busy_percent", {100 * rate.busy, Unit::percent})
      .add("latency_p50_us", microseconds_of(shard.execution.p50))
      .add("latency_p99_us", microseconds_of(shard.execution.p99))
      .add("lock_holds", shard.counts.lock_holds)
      .add("lock_waits", shard.counts.lock_waits)
      .add("lock_wait_percent", {100 * rate.lock_wait, Unit::percent})
      .add("lock_wait_p50_us", microseconds_of(shard.lock_wait.p50))
      .add("lock_wait_p99_us", microseconds_of(shard.lock_wait.p99))
      .add("pressure", shard.engine.pressure);
  return figures;
}

std::vector<ShardSnapshot> take_snapshots_of(cluster::Store& store, cluster::EngineKind kind) {
  std::vector<ShardSnapshot> shards = take_snapshots(store);
  std::erase_if(shards, [&](const ShardSnapshot& shard) { return shard.kind != kind; });
  return shards;
}

Figures tree_figures(cluster::Placement placement, const ShardSnapshot& shard) {
  Figures figures;
  figures.add("id", static_cast<std::uint32_t>(shard.id));
  if (shard.engine.btree) {
    add_btree_figures(shard.engine, figures);
    return figures;
  }
  add_tree_figures(shard.engine, last_level_bytes(shard.engine), figures);
  add_shape_figures(shard.engine, placement, figures);
  return figures;
}

// "leveled (7), tiered (1)"
std::string shapes_of(std::span<const ShardSnapshot> shards) {
  std::map<std::string, unsigned> counts;
  for (const ShardSnapshot& shard : shards) ++counts[shard.engine.shape];
  std::string text;
  for (const auto& [shape, count] : counts) {
    if (!text.empty()) text += ", ";
    text += shape + " (" + std::to_string(count) + ")";
  }
  return text;
}

Figures screen_server(Server& server) {
  const ServerTotals totals = server.stats().totals();
  const ServerStats::Rates rates = server.stats().rates();
  Figures figures;
  figures.add("version", shale_version())
      .add("port", server.port())
      .add("uptime_seconds", {server.uptime().count(), Unit::seconds})
      .add("threads", server.thread_count())
      .add("clients", totals.connections)
      .add("suspended_clients", totals.suspended_connections)
      .add("commands", totals.commands)
      .add("commands_per_second", {rates.commands_per_second, Unit::per_second})
      .add("error_replies", totals.error_replies)
      .add("cold_commands", totals.cold_reads)
      .add("keyspace_hits", totals.keyspace_hits)
      .add("keyspace_misses", totals.keyspace_misses);
  return figures;
}

Figures screen_lsm(Server& server, std::span<const ShardSnapshot> shards) {
  const engine::EngineStats sum = add_up(shards).engine;
  const auto cache = server.store().trees().lsm().block_cache().stats();
  std::uint64_t tables = 0;
  for (const engine::LevelStats& level : sum.levels) tables += level.tables;
  Figures figures;
  figures.add("disk_bytes", {sum.disk_bytes, Unit::bytes})
      .add("tables", tables)
      .add("write_amplification", ratio(sum.disk_bytes_written, sum.user_bytes_written))
      .add("read_amplification", ratio(sum.bloom_checks, sum.table_reads))
      .add("space_amplification_max", space_amplification_max(sum, last_levels_bytes(shards)))
      .add("bloom_false_positive_percent", percentage(sum.bloom_false_positives, sum.bloom_checks))
      .add("block_cache_hit_percent", percentage(cache.hits, cache.hits + cache.misses))
      .add("record_cache_hit_percent",
           percentage(sum.record_cache_hits, sum.record_cache_hits + sum.record_cache_misses))
      .add("debt_bytes", {sum.debt_bytes, Unit::bytes})
      .add("pressure", sum.pressure)
      .add("delayed_writes", sum.delayed_writes)
      .add("refused_writes", sum.refused_writes)
      .add("longest_write_wait_us", {sum.longest_write_wait.count(), Unit::microseconds})
      .add("damaged_tables", sum.damaged_tables)
      .add("tombstones", sum.tombstones)
      .add("obsolete_bytes", {sum.obsolete_bytes, Unit::bytes})
      .add("obsolete_age_ms", sum.obsolete_age.count())
      .add("shapes", shapes_of(shards));
  return figures;
}

// The busiest, if there are too many for a screen; in the order of their ids.
Figures screen_shards(Server& server, std::vector<ShardSnapshot> shards) {
  const auto busy = [](const ShardSnapshot& shard) { return shard.counts.reads + shard.counts.writes; };
  Figures figures;
  if (shards.size() > kScreenShardsMax) {
    figures.add("count", shards.size()).add("shown", "the busiest; all: STATS SHARDS");
    std::ranges::sort(shards, std::greater{}, busy);
    shards.resize(kScreenShardsMax);
    std::ranges::sort(shards, {}, &ShardSnapshot::id);
  }
  const auto ring_percents = ring_percentages(server.store().placement(), *server.store().layout());
  Figure::Rows rows;
  for (const ShardSnapshot& shard : shards) {
    rows.push_back(shard_figures(server, shard, ring_percents)
                       .pick({"id", "engine", "ring_percent", "keys", "disk_bytes", "memtable_bytes",
                              "reads_per_second", "writes_per_second", "busy_percent", "pressure"}));
  }
  figures.add("hottest_key", describe_hottest_key(server.store())).add("shards", std::move(rows));
  return figures;
}

Figures memory_figures(Server& server, const engine::EngineStats& sum) {
  const MemoryFigures process = server.memory();
  const MemoryBudget& budget = server.memory_budget();
  engine::lsm::TreeStore& trees = server.store().trees().lsm();
  engine::btree::TreeStore* const btrees = server.store().trees().btree();
  const std::uint64_t changed_bytes = btrees == nullptr ? 0 : btrees->changed_bytes();
  const std::uint64_t pool_bytes = btrees == nullptr ? 0 : btrees->pool().used_bytes();
  const auto part = [](std::string_view name, std::uint64_t share, Figure used) {
    Figures row;
    row.add("part", name).add("budget_bytes", {share, Unit::bytes}).add("used_bytes", std::move(used));
    return row;
  };
  Figure::Rows parts;
  parts.push_back(
      part("memtables", budget.memtables, {trees.memtables().mapped_bytes() + changed_bytes, Unit::bytes}));
  parts.push_back(
      part("caches", budget.caches,
           {trees.block_cache().stats().bytes + sum.record_cache_bytes + pool_bytes, Unit::bytes}));
  parts.push_back(part("connections", budget.connections, {server.connection_bytes(), Unit::bytes}));
  parts.push_back(part("log", budget.log_maps, {NotKnown{}, Unit::bytes}));  // as much as the kernel likes
  parts.push_back(part("indexes, filters, other", budget.overhead, {sum.table_memory_bytes, Unit::bytes}));
  Figures figures;
  figures.add("budget_bytes", {budget.total, Unit::bytes})
      .add("resident_bytes", {process.resident, Unit::bytes})
      .add("resident_peak_bytes", {process.resident_peak, Unit::bytes})
      .add("allocated_bytes", {process.allocated, Unit::bytes})
      .add("machine_bytes", {process.machine, Unit::bytes})
      .add("parts", std::move(parts));
  return figures;
}

}  // namespace

Figures describe_overview(Server& server) {
  std::vector<ShardSnapshot> shards = take_snapshots(server.store());
  Figures figures;
  figures.add("server", screen_server(server))
      .add("memory", memory_figures(server, add_up(shards).engine))
      .add("log", describe_log(server))
      .add("lsm", screen_lsm(server, shards));
  figures.add("shards", screen_shards(server, std::move(shards)));
  return figures;
}

Figures describe_shards(Server& server) {
  const auto ring_percents = ring_percentages(server.store().placement(), *server.store().layout());
  Figure::Rows rows;
  for (const ShardSnapshot& shard : take_snapshots(server.store())) {
    rows.push_back(shard_figures(server, shard, ring_percents));
  }
  Figures figures;
  figures.add("count", rows.size());
  figures.add("shards", std::move(rows));
  return figures;
}

namespace {

// Of the shard, the youngest first: how it came to be, splits, merges, moves.
Figure::Rows changes_of(Server& server, cluster::ShardId shard) {
  constexpr std::size_t kShown = 5;
  const auto events = server.store().history().events();
  Figure::Rows rows;
  for (auto event = events.rbegin(); event != events.rend() && rows.size() < kShown; ++event) {
    if (concerns(*event, shard)) rows.push_back(describe_event(server.store().placement(), *event));
  }
  return rows;
}

}  // namespace

Figures describe_shard(Server& server, cluster::Shard& shard_in_use) {
  const auto layout = server.store().layout();
  const ShardSnapshot shard = take_snapshot(server.store(), shard_in_use);
  Figures figures = shard_figures(server, shard, ring_percentages(server.store().placement(), *layout));
  const auto progress = server.store().reshaper().progress();
  const bool changes = progress && concerns(*progress, shard.id);
  const auto verdict = server.splitter().verdict(shard.id, server.store().clock().now());
  figures.add("engine_advice", engine_advice(shard, server.shard_rates().of(shard.id)))
      .add("change", changes ? describe_progress(*progress) : "none")
      .add("auto_split", verdict.text.empty() ? "it has not been above a limit" : verdict.text)
      .add("auto_split_age_seconds", verdict.text.empty() ? Figure{NotKnown{}, Unit::seconds}
                                                          : Figure{verdict.age.count(), Unit::seconds})
      .add("last_changes", changes_of(server, shard.id))
      .add("ring_ranges", std::ranges::count(layout->map().boundaries(), shard.id, &cluster::Boundary::shard))
      .add("hot_keys", describe_hot_keys(server.store(), shard_in_use, kShardHotKeys))
      .add(shard.engine.btree ? "btree" : "lsm", tree_figures(server.store().placement(), shard));
  return figures;
}

Figures describe_tree(Server& server, cluster::Shard& shard) {
  return tree_figures(server.store().placement(), take_snapshot(server.store(), shard));
}

Figures describe_btree(Server& server) {
  Figure::Rows rows;
  for (const ShardSnapshot& shard : take_snapshots_of(server.store(), cluster::EngineKind::btree)) {
    rows.push_back(tree_figures(server.store().placement(), shard));
  }
  Figures figures;
  if (server.store().trees().btree() != nullptr)
    figures.add("page_file", describe_page_file(*server.store().trees().btree()));
  figures.add("shards", std::move(rows));
  return figures;
}

Figures describe_lsm(Server& server) {
  const std::vector<ShardSnapshot> shards = take_snapshots_of(server.store(), cluster::EngineKind::lsm);
  Figure::Rows rows;
  for (const ShardSnapshot& shard : shards) rows.push_back(tree_figures(server.store().placement(), shard));
  Figures totals;
  add_tree_figures(add_up(shards).engine, last_levels_bytes(shards), totals);
  Figures figures;
  figures.add("totals", std::move(totals))
      .add("block_cache", describe_block_cache(server.store().trees().lsm().block_cache()))
      .add("shards", std::move(rows));
  return figures;
}

Figures describe_log(Server& server) {
  engine::Log& log = server.store().log();
  const engine::LogStats stats = log.stats();
  const engine::Status health = log.health();
  Figures figures;
  figures.add("appendfsync", server.config().text(Option::appendfsync))
      .add("status", health ? "ok" : health.error().message)
      .add("appended_lsn", log.appended_lsn())
      .add("synced_lsn", log.synced_lsn())
      .add("appended_records", stats.records_appended)
      .add("appended_bytes", {stats.bytes_appended, Unit::bytes})
      .add("kept_bytes", {stats.bytes_kept, Unit::bytes})
      .add("segments", stats.segments)
      .add("syncs", stats.syncs)
      .add("last_sync_us", {stats.sync_us_last, Unit::microseconds})
      .add("longest_sync_us", {stats.sync_us_max, Unit::microseconds});
  return figures;
}

Figures describe_history(Server& server) {
  Figure::Rows rows;
  for (const cluster::ReshapeEvent& event : server.store().history().events()) {
    rows.push_back(describe_event(server.store().placement(), event));
  }
  const auto progress = server.store().reshaper().progress();
  Figures figures;
  figures.add("now", progress ? describe_progress(*progress) : "nothing")
      .add("count", rows.size())
      .add("events", std::move(rows));
  return figures;
}

Figures describe_hot_keys(Server& server, std::size_t count) {
  Figure::Rows rows = describe_hot_keys(server.store(), count);
  Figures figures;
  figures.add("count", rows.size()).add("keys", std::move(rows));
  return figures;
}

Figures describe_memory(Server& server) {
  return memory_figures(server, add_up(take_snapshots(server.store())).engine);
}

}  // namespace shale::server
