// The trees of a store, of both engines: opens them, divides the memory among them, forgets them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "cluster/catalog.h"
#include "cluster/store_options.h"
#include "engine/engine.h"
#include "engine/io/background.h"
#include "engine/io/file_system.h"

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
  // Trees that are not among those of `shards` are forgotten. Waits for the disk. Errors: as TreeStore::open
  // of either engine.
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
  // Divides the memory by how many shards each engine has.
  void divide_memory(std::size_t lsm_shards, std::size_t btree_shards);

  engine::lsm::TreeStore& lsm() { return *lsm_; }
  engine::btree::TreeStore* btree();  // null: no shard has been a B+ tree

 private:
  explicit Trees(const TreesContext& context);
  engine::Status open_lsm();
  engine::Status open_btree();

  const TreesContext context_;
  std::unique_ptr<engine::lsm::TreeStore> lsm_;
  std::mutex btree_mutex_;  // guards the pointer, which is set once
  std::unique_ptr<engine::btree::TreeStore> btree_;
};

}  // namespace shale::cluster
