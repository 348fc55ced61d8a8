#include "cluster/trees.h"

#include <algorithm>
#include <set>

#include "cluster/expiry_calendar.h"
#include "engine/btree/tree_change.h"
#include "engine/btree/tree_store.h"
#include "engine/lsm/tree_change.h"
#include "engine/lsm/tree_store.h"

namespace shale::cluster {
namespace {

std::uint64_t part_of(std::uint64_t bytes, double part) {
  static constexpr std::uint64_t kBytesMin = 1u << 20;  // of an engine that no shard uses
  return std::max(kBytesMin, static_cast<std::uint64_t>(static_cast<double>(bytes) * part));
}

// Of B+ trees: pages of all sizes come and go, and the allocator needs a quarter of their share for the gaps
// between them, as measured (docs/btree.md, "Memory").
constexpr std::uint64_t pages_part(std::uint64_t cache_bytes) { return cache_bytes / 4 * 3; }

}  // namespace

Trees::Trees(const TreesContext& context) : context_(context) {}

// Where opening has failed half-way, the removal of what was forgotten may still be waiting to run.
Trees::~Trees() { context_.background.stop(); }

engine::Result<std::unique_ptr<Trees>> Trees::open(const TreesContext& context,
                                                   const std::vector<ShardRecord>& shards) {
  std::unique_ptr<Trees> trees{new Trees(context)};
  std::set<std::uint32_t> of_lsm;
  std::set<std::uint32_t> of_btree;
  for (const ShardRecord& shard : shards)
    (shard.engine == EngineKind::btree ? of_btree : of_lsm).insert(shard.tree);
  if (auto opened = trees->open_lsm(); !opened) return opened.error();
  const std::size_t lsm_shards = of_lsm.size();
  of_lsm.insert(ExpiryCalendar::kTree);
  if (auto dropped = trees->lsm_->drop_trees_except(of_lsm); !dropped) return dropped.error();
  const auto has_pages = context.files.exists(context.options.folder + "/btree/pages");
  if (!has_pages) return has_pages.error();
  if (*has_pages || !of_btree.empty()) {
    if (auto opened = trees->open_btree(of_btree); !opened) return opened.error();
  }
  trees->divide_memory(lsm_shards, of_btree.size());
  return trees;
}

engine::Status Trees::open_lsm() {
  const StoreOptions& options = context_.options;
  engine::lsm::TreeStoreOptions tree_options;
  tree_options.folder = options.folder + "/lsm";
  tree_options.memtable_bytes = options.memtable_bytes;
  tree_options.block_cache_bytes = options.cache_bytes / 2;
  tree_options.record_cache_bytes = 0;  // as divide_memory() will have it
  tree_options.on_damage = options.on_damage;
  tree_options.policy = &context_.policy;
  tree_options.barrier = &context_.barrier;
  tree_options.clock = &context_.clock;
  tree_options.compression = options.compression;
  tree_options.value_separation_bytes = options.value_separation_bytes;
  tree_options.compaction_mode = options.compaction_mode;
  tree_options.deletion_age_max = options.deletion_age_max;
  tree_options.idle_work_bytes_per_second = options.idle_work_bytes_per_second;
  auto trees = engine::lsm::TreeStore::open(context_.files, context_.background, tree_options);
  if (!trees) return trees.error();
  lsm_ = std::move(*trees);
  return {};
}

engine::Status Trees::open_btree(const std::set<std::uint32_t>& ids) {
  const StoreOptions& options = context_.options;
  engine::btree::TreeStoreOptions tree_options;
  tree_options.folder = options.folder + "/btree";
  tree_options.changes_bytes = options.memtable_bytes;
  tree_options.pool_bytes = pages_part(options.cache_bytes);
  tree_options.idle_work_bytes_per_second = options.idle_work_bytes_per_second;
  tree_options.leaf_sizes = {options.btree_node_bytes_min,
                             std::max(options.btree_node_bytes_min, options.btree_node_bytes_max)};
  tree_options.deletion_age_max = options.deletion_age_max;
  tree_options.on_damage = options.on_damage;
  tree_options.policy = &context_.policy;
  tree_options.barrier = &context_.barrier;
  tree_options.clock = &context_.clock;
  auto trees = engine::btree::TreeStore::open(context_.files, context_.background, tree_options, ids);
  if (!trees) return trees.error();
  const std::lock_guard lock{btree_mutex_};
  btree_ = std::move(*trees);
  return {};
}

engine::btree::TreeStore* Trees::btree() {
  const std::lock_guard lock{btree_mutex_};
  return btree_.get();
}

engine::Result<std::shared_ptr<engine::Engine>> Trees::open_tree(EngineKind kind, std::uint32_t id,
                                                                 std::mutex& owner) {
  if (kind == EngineKind::lsm) return lsm_->open_tree(id, owner);
  if (btree() == nullptr) {
    if (auto opened = open_btree({}); !opened) return opened.error();
  }
  return btree()->open_tree(id, owner);
}

engine::Status Trees::drop_tree(EngineKind kind, engine::Engine& tree) {
  return kind == EngineKind::lsm ? lsm_->drop_tree(tree) : btree()->drop_tree(tree);
}

std::unique_ptr<engine::TreeCut> Trees::cut_tree(EngineKind kind, engine::Engine& tree, Bytes cut) {
  if (kind == EngineKind::lsm) return std::make_unique<engine::lsm::TreeCut>(*lsm_, tree, std::move(cut));
  return std::make_unique<engine::btree::TreeCut>(*btree(), tree, std::move(cut));
}

std::unique_ptr<engine::TreeUnion> Trees::join_trees(EngineKind kind, engine::Engine& low,
                                                     engine::Engine& high, Bytes boundary) {
  if (kind == EngineKind::lsm) return std::make_unique<engine::lsm::TreeUnion>(*lsm_, low, high);
  return std::make_unique<engine::btree::TreeUnion>(*btree(), low, high, std::move(boundary));
}

std::optional<double> Trees::part_below(const engine::Engine& tree, BytesView cut) {
  const auto of_lsm = engine::lsm::TreeCut::part_below(tree, cut);
  return of_lsm ? of_lsm : engine::btree::TreeCut::part_below(tree, cut);
}

void Trees::divide_memory(std::size_t lsm_shards, std::size_t btree_shards) {
  const StoreOptions& options = context_.options;
  const auto shards = static_cast<double>(std::max<std::size_t>(1, lsm_shards + btree_shards));
  const double btree_part = static_cast<double>(btree_shards) / shards;
  lsm_->set_memory(part_of(options.memtable_bytes, 1 - btree_part),
                   part_of(options.cache_bytes / 2, 1 - btree_part),
                   options.cache_bytes / 2 / std::max<std::size_t>(1, lsm_shards + btree_shards));
  if (engine::btree::TreeStore* const trees = btree()) {
    trees->set_memory(part_of(options.memtable_bytes, btree_part),
                      part_of(pages_part(options.cache_bytes), btree_part));
  }
}

}  // namespace shale::cluster
