// Splits shards, merges them, moves them between engines, and lets a ring grow and shrink, while they serve.
//
// A change makes new trees beside the old ones, durably; replaces the catalog, which is the moment that
// counts over a crash; puts the new trees in the old ones' place under the locks of the shards concerned; and
// forgets the old. Trees that the catalog does not name are forgotten at the next start. Trees are cut and
// joined without a copy (engine/tree_change.h); all else is copied while the shard serves (moving_engine.h).
// docs/sharding.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cluster/background_job.h"
#include "cluster/change_history.h"
#include "cluster/layout.h"
#include "cluster/moving_engine.h"
#include "cluster/store.h"
#include "engine/result.h"

namespace shale::cluster {

struct ReshapeRequest {
  ReshapeKind kind{};
  ShardId shard{};           // none where a ring grows
  ShardId other{};           // of a merge
  EngineKind engine{};       // of a move
  std::optional<Bytes> cut;  // of a split, a position: else where the load halves, or the data
  std::string cause;         // for people
  bool automatic = false;    // nobody has asked for it
};

struct DataSize {
  std::int64_t keys = 0;    // of all databases
  std::uint64_t bytes = 0;  // on disk
};

// What a split would do, by estimate.
struct SplitPlan {
  Bytes cut;
  std::string reason;  // for the cut
  // Of the token space; nothing where keys are placed by range.
  struct Shares {
    double before = 0;
    double low = 0;
    double high = 0;
  };
  std::optional<Shares> shares;
  DataSize data;                   // the shard's
  DataSize all;                    // of all shards
  std::optional<double> part_low;  // of the shard's data, below the cut; nothing while it is being copied
};

// What a merge would do. Keys and bytes on disk are as they are now.
struct MergePlan {
  ShardId into{};  // the lower id
  ShardId from{};
  EngineKind engine{};  // of the shard that stays
  EngineKind from_engine{};
  bool is_copied = false;            // else the trees are joined
  DataSize data;                     // of both
  DataSize moved;                    // of the one that goes
  DataSize all;                      // of all shards
  std::optional<double> share_into;  // of the token space; nothing where keys are placed by range
  std::optional<double> share_from;
};

// What a ring would be with one shard more, or less. Shares are of the token space; keys and bytes are as
// they are now, and what moves of them is by share.
struct RingPlan {
  struct Part {
    ShardId shard{};
    double share_before = 0;
    double share_after = 0;
    std::int64_t keys_moved = 0;  // from it, or to it
  };
  ShardId shard{};  // that comes or goes; the id of one that comes may be another when it does
  EngineKind engine{};
  std::vector<Boundary> boundaries;
  double share = 0;         // of the shard
  std::vector<Part> parts;  // of the others whose share changes, by id
  DataSize data;            // of all shards
  DataSize moved;
  std::int64_t keys_copied = 0;  // what does not move is copied, too, if its shard's tree is made anew
};

// A change that is going on.
struct ReshapeProgress {
  ReshapeKind kind{};
  ShardId shard{};
  ShardId other{};
  EngineKind to{};
  std::uint64_t keys_copied = 0;
  std::uint64_t keys = 0;  // about, to be copied; 0: nothing is
};

// A change that somebody has asked for and does not wait for.
class ReshapeJob : public BackgroundJob<ReshapeEvent> {
 public:
  explicit ReshapeJob(ReshapeRequest request) : request_(std::move(request)) {}
  const ReshapeRequest& request() const { return request_; }

 private:
  const ReshapeRequest request_;
};

// Thread-safe.
class Reshaper {
 public:
  explicit Reshaper(Store& store) : store_(store) {}
  ~Reshaper();
  Reshaper(const Reshaper&) = delete;
  Reshaper& operator=(const Reshaper&) = delete;

  // Makes the change, and returns when it is made: an LSM tree of any size is cut in milliseconds, copying
  // takes its time. Waits for disks; without any lock. One at a time. Errors: busy (another is going on),
  // unsupported (there is no such shard, or nothing to be done; the message says), stopped, io, no_space,
  // corruption.
  engine::Result<ReshapeEvent> run(const ReshapeRequest& request);
  // The same on a thread of its own. Null if another change is going on.
  std::shared_ptr<ReshapeJob> begin(ReshapeRequest request);
  // What run() would do now. Takes the shards' locks for microseconds. Errors: unsupported.
  engine::Result<SplitPlan> plan_split(ShardId shard, const std::optional<Bytes>& cut) const;
  engine::Result<MergePlan> plan_merge(ShardId one, ShardId other) const;
  engine::Result<RingPlan> plan_ring_growth() const;
  engine::Result<RingPlan> plan_ring_shrinkage(ShardId removed) const;

  std::optional<ReshapeProgress> progress() const;
  // Ends a change that is going on by giving it up.
  void stop() { stopping_.store(true, std::memory_order_relaxed); }

 private:
  class Paused;
  using DivideMap = decltype(Store::NewLayout::divide);
  // What shards are copied to which, and the layout that comes of it.
  struct CopyPlan {
    struct Target {
      std::shared_ptr<Shard> shard;  // the only source itself, or one that nobody knows yet
      EngineKind kind{};
    };
    std::vector<std::shared_ptr<Shard>> sources;  // by id
    std::vector<Target> targets;                  // by id
    ShardMap map;                                 // as it will be; of one target it does not matter
    ShardId moved{};                              // whose keys are those that have moved
    DivideMap divide;
    std::vector<std::shared_ptr<Shard>> shards;
  };

  // False if another change is going on. With mutex_.
  bool claim(const ReshapeRequest& request);
  engine::Result<ReshapeEvent> change(const ReshapeRequest& request);  // that has been claimed
  engine::Status split(const ReshapeRequest& request, ReshapeEvent& event);
  engine::Status cut_tree(const std::shared_ptr<Shard>& shard, ReshapeEvent& event);
  engine::Status merge(const ReshapeRequest& request, ReshapeEvent& event);
  engine::Status join_trees(const std::shared_ptr<Shard>& into, const std::shared_ptr<Shard>& from,
                            ReshapeEvent& event);
  engine::Status move(const ReshapeRequest& request, ReshapeEvent& event);
  engine::Status grow_ring(ReshapeEvent& event);
  engine::Status shrink_ring(const ReshapeRequest& request, ReshapeEvent& event);
  engine::Result<RingPlan> plan_ring_growth(ShardId added) const;
  engine::Status measure(const ShardMap& before, RingPlan& plan) const;
  // All that is another's in the map that follows is copied to new trees.
  engine::Status copy_ring(const Layout& before, ShardMap after, ReshapeEvent& event);

  class Copying;
  engine::Status copy(const CopyPlan& plan, ReshapeEvent& event);

  static engine::Error refused(std::string message);
  engine::Result<std::shared_ptr<Shard>> find(ShardId id) const;
  // The map with the shard cut, as long as its cut is between keys of today.
  DivideMap divide_at(ShardId shard, const Bytes& cut, ShardId high) const;
  // Of key ranges, whether it is not in a database that has been emptied since it was chosen.
  bool is_of_today(BytesView cut) const;
  std::int64_t key_count(const engine::Engine& tree) const;  // of all databases
  DataSize size_of(const engine::Engine& tree) const;
  DataSize size_of_all() const;  // takes the shards' locks, one after the other
  engine::Result<SplitPlan> plan_split(ShardId shard, const std::optional<Bytes>& cut, bool may_wait) const;
  static SplitPlan::Shares shares_of(const ShardMap& map, ShardId id, const Bytes& cut);
  engine::Result<Bytes> choose_cut(const ShardMap& map, Shard& shard, std::string& reason,
                                   bool may_wait) const;
  std::optional<Bytes> middle_of_few(Shard& shard, bool may_wait) const;
  engine::Status stop_work(Shard& shard, engine::Engine& tree) const;
  void drop(EngineKind kind, Shard& owner, const std::shared_ptr<engine::Engine>& tree) const;
  void divide_memory(int more_lsm, int more_btree) const;
  void note_progress(std::uint64_t copied);

  Store& store_;
  std::atomic<bool> stopping_ = false;
  mutable std::mutex mutex_;                 // guards what follows
  std::optional<ReshapeProgress> progress_;  // while a change goes on
  std::jthread worker_;                      // of the change that has been begun last
};

}  // namespace shale::cluster
