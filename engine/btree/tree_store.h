// What all B+ trees of a process share: the page file, the budgets, background threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/btree/leaf_pool.h"
#include "engine/btree/node_advisor.h"
#include "engine/btree/page_file.h"
#include "engine/engine.h"
#include "engine/io/background.h"
#include "engine/io/file_system.h"
#include "engine/lsm/write_throttle.h"

namespace shale::engine::btree {

class Tree;

struct TreeStoreOptions {
  std::string folder;
  // Of all trees together: changes that are not on disk yet.
  std::uint64_t changes_bytes = 32u << 20;
  // Of all trees together: leaves' pages that are on disk as well.
  std::uint64_t pool_bytes = 64u << 20;
  LeafSizes leaf_sizes;              // of leaves, on average: between these two, as the workload has it
  std::uint32_t node_bytes = 0;      // not 0: always this, whatever the workload
  std::uint32_t children_max = 256;  // of an inner node
  // How much a checkpoint writes between two syncs.
  std::uint64_t sync_bytes = 4u << 20;
  // Called with a line that names the file whenever damage is found, from any thread; may be empty.
  std::function<void(const std::string& line)> on_damage;
  const KeyPolicy* policy = nullptr;  // required; outlives the store, as do
  LogBarrier* barrier = nullptr;      // required
  const Clock* clock = nullptr;       // required
};

// Thread-safe. The Background must be stopped before this is destroyed, and all trees must be gone.
class TreeStore {
 public:
  // Opens the page file and reads the inner nodes of the trees that count, all by default; others are
  // forgotten, what they share with those stays. Waits for the disk. Errors: io, no_space, corruption (of the
  // directory or an inner node), unsupported.
  static Result<std::unique_ptr<TreeStore>> open(FileSystem& files, Background& background,
                                                 const TreeStoreOptions& options,
                                                 const std::optional<std::set<std::uint32_t>>& trees = {});

  // The tree of that number as the file has it, or an empty one. `owner` is the mutex under which all its
  // calls will be made; it must outlive the tree.
  std::shared_ptr<Engine> open_tree(std::uint32_t id, std::mutex& owner);
  // Forgets a tree of this store whose work has stopped (Engine::work_stopped), and gives its pages back.
  // Waits for the disk; without the owner's mutex. Nobody may read or write it any more, but for loads that
  // have begun.
  Status drop_tree(Engine& tree);

  const TreeStoreOptions& options() const { return options_; }
  Background& background() { return background_; }
  PageFile& file() { return *file_; }
  PoolBudget& pool() { return pool_; }
  std::chrono::steady_clock::time_point now() const { return options_.clock->now(); }

  // Whether a record may be forgotten. `now_ms` is Clock::unix_ms().
  bool is_obsolete(BytesView key, BytesView value, std::int64_t now_ms) const {
    const KeyPolicy& policy = *options_.policy;
    return !policy.is_live_class(policy.count_class(key)) || policy.obsolete_from_ms(key, value) <= now_ms;
  }

  // Changes that are not on disk, of all trees.
  std::uint64_t changed_bytes() const { return changed_bytes_.load(std::memory_order_relaxed); }
  // As TreeStoreOptions has them at first.
  void set_memory(std::uint64_t changes_bytes, std::uint64_t pool_bytes);
  std::uint64_t changes_bytes_max() const { return changes_bytes_max_.load(std::memory_order_relaxed); }
  void note_changed(std::int64_t bytes) {
    changed_bytes_.fetch_add(static_cast<std::uint64_t>(bytes), std::memory_order_relaxed);
  }
  bool wants_checkpoint() const { return changed_bytes() > changes_bytes_max() / 2; }
  // A write larger than half of the budget only waits until half of it is free.
  bool has_room(std::uint64_t bytes) const {
    return changed_bytes() + std::min(bytes, changes_bytes_max() / 2) <= changes_bytes_max();
  }
  // 0: checkpoints keep up; 1: as far behind as they should ever be.
  double pressure() const;
  // What a writer of `bytes` owes: WriteThrottle::pause_for.
  std::chrono::microseconds write_pause(std::uint64_t bytes);
  // A checkpoint has made `bytes` of changes durable.
  void note_drained(std::uint64_t bytes);

  // Has the tree with most changes write a checkpoint, in the background.
  void relieve_changes();
  // Has the tree with the largest pool let go of pages, in the background, until the budget is kept.
  void relieve_pool();
  // A tree's part of the pool that others do not take from it.
  std::uint64_t pool_share() const;
  // Trees that are there, by their own word.
  void add_tree(Tree& tree);
  void remove_tree(Tree& tree);

 private:
  TreeStore(FileSystem& files, Background& background, const TreeStoreOptions& options)
      : files_(files),
        background_(background),
        options_(options),
        changes_bytes_max_(options.changes_bytes),
        pool_(options.pool_bytes) {}
  Status load(const std::optional<std::set<std::uint32_t>>& trees);
  template <class Measure>
  std::shared_ptr<Tree> largest(Measure measure) const;

  FileSystem& files_;
  Background& background_;
  const TreeStoreOptions options_;
  std::atomic<std::uint64_t> changes_bytes_max_;
  PoolBudget pool_;
  std::atomic<std::uint64_t> changed_bytes_ = 0;
  std::unique_ptr<PageFile> file_;
  // Read at start, until open_tree() takes them.
  std::map<std::uint32_t, InnerNode::Ref> loaded_;

  mutable std::mutex mutex_;  // guards what follows; taken under trees' locks, never the other way round
  std::vector<Tree*> trees_;
  lsm::WriteThrottle throttle_;
  std::atomic<bool> changes_relief_running_ = false;
  std::atomic<bool> pool_relief_running_ = false;
};

}  // namespace shale::engine::btree
