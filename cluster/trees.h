// The trees of a store, of both engines: opens them, divides the memory among them, forgets them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "cluster/catalog.h"
#include "cluster/store_options.h"
#include "engine/engine.h"
#include "engine/io/background.h"
#include "engine/io/file_system.h"
#include "engine/tree_change.h"

namespace shale::engine::lsm {
class TreeStore;
}

namespace shale::engine::btree {
class TreeStore;
}

namespace shale::cluster {

struct TreesContext {  // everything outlives the Trees
  engine::FileSystem& files;
  engine::Background& background;
  engine::Clock& clock;
  const StoreOptions& options;
  const engine::KeyPolicy& policy;
  engine::LogBarrier& barrier;
};

// Thread-safe, but for open(). The Background must be stopped before this is destroyed, and all engines must
// be gone.
class Trees {
 public:
  // Trees that are not among those of `shards`, nor the expiry calendar's, are forgotten. Waits for the disk.
  // Errors: as TreeStore::open of either engine.
  static engine::Result<std::unique_ptr<Trees>> open(const TreesContext& context,
                                                     const std::vector<ShardRecord>& shards);
  ~Trees();  // stops the Background

  // The tree of that number, or an empty one. `owner` is the mutex under which all its calls will be made,
  // and outlives it. Waits for the disk if it is the first of its engine. Errors: as open().
  engine::Result<std::shared_ptr<engine::Engine>> open_tree(EngineKind kind, std::uint32_t id,
                                                            std::mutex& owner);
  // Forgets a tree whose work has stopped (engine::Engine::work_stopped), and removes what only it has. Waits
  // for the disk; without the owner's mutex. Errors: io, no_space.
  engine::Status drop_tree(EngineKind kind, engine::Engine& tree);
  // What makes two trees of one, or one of two, of that engine. Trees are joined only if all keys of `low`
  // are below `boundary`, and none of `high`; LSM trees also if that is not so.
  std::unique_ptr<engine::TreeCut> cut_tree(EngineKind kind, engine::Engine& tree, Bytes cut);
  std::unique_ptr<engine::TreeUnion> join_trees(EngineKind kind, engine::Engine& low, engine::Engine& high,
                                                Bytes boundary);
  // About which part of a tree's data lies below a cut. With its owner's mutex; microseconds. Nothing while
  // it is being copied.
  static std::optional<double> part_below(const engine::Engine& tree, BytesView cut);
  // Divides the memory by how many shards each engine has.
  void divide_memory(std::size_t lsm_shards, std::size_t btree_shards);

  engine::lsm::TreeStore& lsm() { return *lsm_; }
  engine::btree::TreeStore* btree();  // null: no shard has been a B+ tree

 private:
  explicit Trees(const TreesContext& context);
  engine::Status open_lsm();
  engine::Status open_btree(const std::set<std::uint32_t>& ids);  // those that count

  const TreesContext context_;
  std::unique_ptr<engine::lsm::TreeStore> lsm_;
  std::mutex btree_mutex_;  // guards the pointer, which is set once
  std::unique_ptr<engine::btree::TreeStore> btree_;
};

}  // namespace shale::cluster
