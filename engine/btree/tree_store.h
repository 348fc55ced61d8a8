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
#include "engine/failed_flushes.h"
#include "engine/io/background.h"
#include "engine/io/file_system.h"
#include "engine/lsm/work_meter.h"
#include "engine/lsm/write_throttle.h"

namespace shale::engine::btree {

class Tree;

struct TreeStoreOptions {
  std::string folder;
  // Of all trees together: changes that are not on disk yet.
  std::uint64_t changes_bytes = 32u << 20;
  // Of all trees together: leaves' pages that are on disk as well, and copies of records of such leaves,
  std::uint64_t pool_bytes = 64u << 20;
  // of which these may take so much. Nodes are counted here as well, whatever they take.
  std::uint32_t record_cache_percent = 75;
  LeafSizes leaf_sizes;              // of leaves, on average: between these two, as the workload has it
  std::uint32_t node_bytes = 0;      // not 0: always this, whatever the workload
  std::uint32_t children_max = 256;  // of an inner node
  // How much a checkpoint writes between two syncs, and holds in memory for so long: at most, and never more
  // than a part of `changes_bytes`.
  std::uint64_t sync_bytes = 4u << 20;
  // What a checkpoint reads and writes per second while nobody writes (lsm/work_meter.h); 0: checkpoints are
  // not metered.
  std::uint64_t idle_work_bytes_per_second = 0;
  // How long what is deleted or has expired may be in the page file while it is open; 0: for ever.
  std::chrono::milliseconds deletion_age_max{0};
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
  // How much of it one tree's copies of records may take.
  std::uint64_t record_cache_bytes() const;
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
  std::uint64_t sync_bytes() const {
    constexpr std::uint64_t kParts = 8;
    return std::min(options_.sync_bytes, changes_bytes_max() / kParts);
  }
  std::uint64_t changes_bytes_max() const { return changes_bytes_max_.load(std::memory_order_relaxed); }
  void note_changed(std::int64_t bytes) {
    changed_bytes_.fetch_add(static_cast<std::uint64_t>(bytes), std::memory_order_relaxed);
  }
  bool wants_checkpoint() const { return changed_bytes() > changes_bytes_max() / 2; }
  // A write larger than half of the budget only waits until half of it is free.
  bool has_room(std::uint64_t bytes) const {
    return changed_bytes() + std::min(bytes, changes_bytes_max() / 2) <= changes_bytes_max();
  }
  // Writers have committed `bytes`: that buys checkpoints some work.
  void note_committed(std::uint64_t bytes) { meter_.note_committed(bytes); }
  // Waits until so much work is paid for, where a committed byte causes `quota` bytes of it. Not under a
  // lock. The more of the budget is used up, the more a byte buys: at three quarters nothing waits.
  void pay(std::uint64_t bytes, double quota) {
    const auto used = static_cast<double>(changed_bytes()) / static_cast<double>(changes_bytes_max());
    meter_.pay(bytes, std::max(0.0, used * 4 - 2), quota);
  }
  // 0: checkpoints keep up; 1: as far behind as they should ever be.
  double pressure() const;
  // What a writer of `bytes` owes: WriteThrottle::pause_for.
  std::chrono::microseconds write_pause(std::uint64_t bytes);
  // A checkpoint has made `bytes` of changes durable.
  void note_drained(std::uint64_t bytes);

  FailedFlushes& failed_checkpoints() { return failed_checkpoints_; }
  // Has the tree with most changes write a checkpoint, in the background.
  void relieve_changes();
  // Has the tree with the largest pool let go of pages, in the background, until the budget is kept.
  void relieve_pool();
  // Wipes what has been free for a while, in the background, a part of deletion_age_max after the last time.
  void wipe_when_due();
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
        pool_(options.pool_bytes, options.changes_bytes),
        meter_(background, options.idle_work_bytes_per_second) {}
  Status load(const std::optional<std::set<std::uint32_t>>& trees);
  template <class Measure>
  std::shared_ptr<Tree> largest(Measure measure) const;

  FileSystem& files_;
  Background& background_;
  const TreeStoreOptions options_;
  std::atomic<std::uint64_t> changes_bytes_max_;
  PoolBudget pool_;
  lsm::WorkMeter meter_;
  std::atomic<std::uint64_t> changed_bytes_ = 0;
  std::unique_ptr<PageFile> file_;
  // Read at start, until open_tree() takes them.
  std::map<std::uint32_t, InnerNode::Ref> loaded_;

  mutable std::mutex mutex_;  // guards what follows; taken under trees' locks, never the other way round
  std::vector<Tree*> trees_;
  lsm::WriteThrottle throttle_;
  FailedFlushes failed_checkpoints_;
  std::atomic<bool> changes_relief_running_ = false;
  std::atomic<bool> pool_relief_running_ = false;
  std::atomic<bool> wipe_running_ = false;
  std::atomic<std::int64_t> next_wipe_ms_ = 0;
};

}  // namespace shale::engine::btree
