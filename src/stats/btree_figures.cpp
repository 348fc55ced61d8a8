#include "src/stats/btree_figures.h"

namespace shale::server {
namespace {

Figures describe_nodes(const engine::EngineStats& stats) {
  const engine::BtreeStats& tree = *stats.btree;
  Figures figures;
  figures.add("height", tree.height)
      .add("inner_nodes", tree.inner_nodes)
      .add("leaves", tree.leaves)
      .add("leaf_bytes", {tree.leaf_bytes, Unit::bytes})
      .add("target_bytes", {tree.node_bytes, Unit::bytes})
      .add("target_changes", stats.shape_changes)
      .add("target_reason", stats.shape_reason)
      .add("average_leaf_bytes", {tree.leaves == 0 ? 0 : tree.leaf_bytes / tree.leaves, Unit::bytes})
      // A leaf is split when it is a third larger than the target.
      .add("occupancy_percent", percentage(tree.leaf_bytes * 3, tree.leaves * tree.node_bytes * 4))
      .add("splits", tree.splits)
      .add("joins", tree.joins);
  return figures;
}

Figures describe_sizes(const engine::BtreeStats& tree) {
  Figures figures;
  std::uint64_t kibibytes = 2;
  for (std::size_t i = 0; i < tree.leaves_by_size.size(); ++i, kibibytes *= 2) {
    const bool is_last = i + 1 == tree.leaves_by_size.size();
    figures.add((is_last ? "from_" : "below_") + std::to_string(is_last ? kibibytes / 2 : kibibytes) + "k",
                tree.leaves_by_size[i]);
  }
  return figures;
}

Figures describe_pool(const engine::EngineStats& stats) {
  const engine::BtreeStats& tree = *stats.btree;
  Figures figures;
  figures.add("pool_bytes", {tree.pool_bytes, Unit::bytes})
      .add("leaves", tree.pool_leaves)
      .add("evictions", tree.pool_evictions)
      .add("points", stats.reads)
      .add("seeks", stats.seeks)
      .add("not_resident", stats.not_resident)
      .add("hit_percent",
           percentage(stats.reads + stats.seeks, stats.reads + stats.seeks + stats.not_resident));
  return figures;
}

Figures describe_checkpoints(const engine::EngineStats& stats) {
  const engine::BtreeStats& tree = *stats.btree;
  Figures figures;
  figures.add("changed_bytes", {tree.changed_bytes, Unit::bytes})
      .add("running", tree.checkpoint_running ? "yes" : "no")
      .add("checkpoints", tree.checkpoints)
      .add("age_ms", {tree.checkpoint_age.count(), Unit::milliseconds})
      .add("last_ms", {tree.last_checkpoint.count(), Unit::milliseconds})
      .add("leaves_written", tree.bases_written)
      .add("changes_written", tree.changes_written)
      .add("moved_bytes", {tree.moved_bytes, Unit::bytes})
      .add("obsolete_age_ms", {stats.obsolete_age.count(), Unit::milliseconds})
      .add("user_bytes", {stats.user_bytes_written, Unit::bytes})
      .add("written_bytes", {stats.disk_bytes_written, Unit::bytes})
      .add("read_bytes", {stats.compaction_bytes_read, Unit::bytes})
      .add("write_amplification", ratio(stats.disk_bytes_written, stats.user_bytes_written))
      .add("pressure", stats.pressure)
      .add("delayed", stats.delayed_writes)
      .add("refused", stats.refused_writes)
      .add("longest_wait_us", {stats.longest_write_wait.count(), Unit::microseconds});
  return figures;
}

}  // namespace

void add_btree_figures(const engine::EngineStats& stats, Figures& into) {
  into.add("nodes", describe_nodes(stats))
      .add("leaves_by_size", describe_sizes(*stats.btree))
      .add("pool", describe_pool(stats))
      .add("checkpoints", describe_checkpoints(stats));
}

Figures describe_page_file(engine::btree::TreeStore& trees) {
  const engine::btree::PageFileStats file = trees.file().stats();
  Figures figures;
  figures.add("file_bytes", {file.file_bytes, Unit::bytes})
      .add("free_bytes", {file.free_bytes, Unit::bytes})
      .add("free_pieces", file.free_pieces)
      .add("unwiped_bytes", {file.unwiped_bytes, Unit::bytes})
      .add("written_bytes", {file.bytes_written, Unit::bytes})
      .add("commits", file.commits)
      .add("changed_bytes", {trees.changed_bytes(), Unit::bytes})
      .add("pool_bytes", {trees.pool().used_bytes(), Unit::bytes})
      .add("pool_budget_bytes", {trees.pool().capacity_bytes(), Unit::bytes});
  return figures;
}

}  // namespace shale::server
