#include "src/stats/lsm_figures.h"

#include "cluster/position.h"
#include "src/stats/render.h"

namespace shale::server {
namespace {

constexpr std::size_t kShownBoundBytesMax = 64;

// Where a level begins or ends, as the slot (on the ring) and the key that people know.
void add_position(std::string_view end, cluster::Placement placement, engine::BytesView position,
                  Figures& level) {
  Figure slot = NotKnown{};
  Figure key = NotKnown{};
  if (position.size() >= placement.prefix_bytes()) {
    const cluster::PositionParts parts = placement.split(position);
    if (placement.is_ring()) slot = parts.token >> (64 - cluster::kSlotBits);
    key = quote_bytes(parts.key, kShownBoundBytesMax);
  }
  level.add(std::string(end) + "_slot", std::move(slot)).add(std::string(end) + "_key", std::move(key));
}

Figures describe_memtables(const engine::EngineStats& stats) {
  Figures figures;
  figures.add("active_bytes", {stats.memtable_bytes, Unit::bytes})
      .add("immutable_bytes", {stats.immutable_memtable_bytes, Unit::bytes})
      .add("immutable", stats.immutable_memtables);
  return figures;
}

Figures describe_disk(const engine::EngineStats& stats) {
  Figures figures;
  figures.add("disk_bytes", {stats.disk_bytes, Unit::bytes})
      .add("value_files", stats.value_files)
      .add("value_file_bytes", {stats.value_file_bytes, Unit::bytes})
      .add("live_value_bytes", {stats.live_value_bytes, Unit::bytes})
      .add("index_and_filter_bytes", {stats.table_memory_bytes, Unit::bytes})
      .add("damaged_tables", stats.damaged_tables)
      .add("tombstones", stats.tombstones)
      .add("obsolete_entries", stats.obsolete_entries)
      .add("obsolete_bytes", {stats.obsolete_bytes, Unit::bytes})
      .add("obsolete_age_ms", stats.obsolete_age.count());
  return figures;
}

Figures describe_amplification(const engine::EngineStats& stats, std::uint64_t last_bytes) {
  Figures figures;
  figures.add("write", ratio(stats.disk_bytes_written, stats.user_bytes_written))
      .add("read", ratio(stats.bloom_checks, stats.table_reads))
      .add("space_max", space_amplification_max(stats, last_bytes))
      .add("value_space", ratio(stats.value_file_bytes, stats.live_value_bytes));
  return figures;
}

Figures describe_writes(const engine::EngineStats& stats) {
  Figures figures;
  figures.add("user_bytes", {stats.user_bytes_written, Unit::bytes})
      .add("flushes", stats.flushes)
      .add("flush_bytes", {stats.flush_bytes_written, Unit::bytes})
      .add("compactions", stats.compactions)
      .add("compaction_read_bytes", {stats.compaction_bytes_read, Unit::bytes})
      .add("compaction_written_bytes", {stats.compaction_bytes_written, Unit::bytes})
      .add("relocated_value_bytes", {stats.relocated_value_bytes, Unit::bytes})
      .add("debt_bytes", {stats.debt_bytes, Unit::bytes})
      .add("pressure", stats.pressure)
      .add("delayed", stats.delayed_writes)
      .add("refused", stats.refused_writes)
      .add("longest_wait_us", {stats.longest_write_wait.count(), Unit::microseconds});
  return figures;
}

Figures describe_reads(const engine::EngineStats& stats) {
  const std::uint64_t cache_lookups = stats.record_cache_hits + stats.record_cache_misses;
  Figures figures;
  figures.add("points", stats.reads)
      .add("points_from_tables", stats.table_reads)
      .add("seeks", stats.seeks)
      .add("not_resident", stats.not_resident)
      .add("bloom_checks", stats.bloom_checks)
      .add("bloom_false_positives", stats.bloom_false_positives)
      .add("bloom_false_positive_percent", percentage(stats.bloom_false_positives, stats.bloom_checks))
      .add("record_cache_hits", stats.record_cache_hits)
      .add("record_cache_misses", stats.record_cache_misses)
      .add("record_cache_hit_percent", percentage(stats.record_cache_hits, cache_lookups))
      .add("record_cache_bytes", {stats.record_cache_bytes, Unit::bytes});
  return figures;
}

Figure::Rows describe_levels(const engine::EngineStats& stats, cluster::Placement placement) {
  Figure::Rows rows;
  for (std::size_t number = 0; number < stats.levels.size(); ++number) {
    const engine::LevelStats& level = stats.levels[number];
    Figures figures;
    figures.add("level", number)
        .add("tables", level.tables)
        .add("runs", level.runs)
        .add("runs_max", level.runs_max)
        .add("bytes", {level.bytes, Unit::bytes})
        .add("planned_bytes",
             level.bytes_max == 0 ? Figure(NotKnown{}, Unit::bytes) : Figure(level.bytes_max, Unit::bytes))
        .add("entries", level.entries)
        .add("tombstones", level.tombstones);
    add_position("begin", placement, level.begin_key, figures);
    add_position("end", placement, level.end_key, figures);
    rows.push_back(std::move(figures));
  }
  return rows;
}

}  // namespace

Figure space_amplification_max(const engine::EngineStats& stats, std::uint64_t last_bytes) {
  return ratio(stats.disk_bytes - stats.value_file_bytes, last_bytes);
}

void add_tree_figures(const engine::EngineStats& stats, std::uint64_t last_bytes, Figures& into) {
  into.add("memtables", describe_memtables(stats))
      .add("disk", describe_disk(stats))
      .add("amplification", describe_amplification(stats, last_bytes))
      .add("writes", describe_writes(stats))
      .add("reads", describe_reads(stats));
}

void add_shape_figures(const engine::EngineStats& stats, cluster::Placement placement, Figures& into) {
  Figures shape;
  shape.add("name", stats.shape).add("reason", stats.shape_reason).add("changes", stats.shape_changes);
  into.add("shape", std::move(shape)).add("levels", describe_levels(stats, placement));
}

Figures describe_block_cache(const engine::lsm::BlockCache& cache) {
  const engine::lsm::BlockCacheStats stats = cache.stats();
  Figures figures;
  figures.add("capacity_bytes", {cache.capacity_bytes(), Unit::bytes})
      .add("bytes", {stats.bytes, Unit::bytes})
      .add("blocks", stats.blocks)
      .add("hits", stats.hits)
      .add("misses", stats.misses)
      .add("hit_percent", percentage(stats.hits, stats.hits + stats.misses))
      .add("insertions", stats.insertions)
      .add("evictions", stats.evictions)
      .add("refusals", stats.refusals);
  return figures;
}

}  // namespace shale::server
