// Splits shards, merges them, and moves them between engines, while they serve.
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

#include "cluster/change_history.h"
#include "cluster/layout.h"
#include "cluster/moving_engine.h"
#include "cluster/store.h"
#include "engine/result.h"

namespace shale::cluster {

struct ReshapeRequest {
  ReshapeKind kind{};
  ShardId shard{};
  ShardId other{};           // of a merge
  EngineKind engine{};       // of a move
  std::optional<Bytes> cut;  // of a split, a position: else where the load halves, or the data
  std::string cause;         // for people
  bool automatic = false;    // nobody has asked for it
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
  std::int64_t keys = 0;    // of the shard
  std::uint64_t bytes = 0;  // likewise
};

// What a merge would do. Keys and bytes on disk are as they are now.
struct MergePlan {
  ShardId into{};  // the lower id
  ShardId from{};
  EngineKind engine{};  // of the shard that stays
  EngineKind from_engine{};
  bool is_copied = false;       // else the trees are joined
  std::int64_t keys = 0;        // of both
  std::int64_t keys_moved = 0;  // of the one that goes
  std::uint64_t bytes = 0;
  std::uint64_t bytes_moved = 0;
  std::optional<double> share_into;  // of the token space; nothing where keys are placed by range
  std::optional<double> share_from;
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

// A change that somebody has asked for and does not wait for. Thread-safe.
class ReshapeJob {
 public:
  explicit ReshapeJob(ReshapeRequest request) : request_(std::move(request)) {}

  const ReshapeRequest& request() const { return request_; }
  // What came of it; nothing as long as it goes on.
  std::optional<engine::Result<ReshapeEvent>> result() const;
  // Called when there is a result, by the thread that has it: at once, or later. Once.
  void when_done(std::function<void()> resume);

 private:
  friend class Reshaper;
  void finish(engine::Result<ReshapeEvent> result);

  const ReshapeRequest request_;
  mutable std::mutex mutex_;  // guards what follows
  std::optional<engine::Result<ReshapeEvent>> result_;
  std::function<void()> resume_;
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

  std::optional<ReshapeProgress> progress() const;
  // Ends a change that is going on by giving it up.
  void stop() { stopping_.store(true, std::memory_order_relaxed); }

 private:
  class Paused;
  using DivideMap = decltype(Store::NewLayout::divide);
  // What shards are copied to which, and the layout that comes of it.
  struct CopyPlan {
    std::vector<std::shared_ptr<Shard>> sources;  // by id; of a merge both
    std::shared_ptr<Shard> target;                // the source itself, or of a merge one in the place of both
    EngineKind kind{};
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

  class Copying;
  engine::Status copy(const CopyPlan& plan, ReshapeEvent& event);

  static engine::Error refused(std::string message);
  engine::Result<std::shared_ptr<Shard>> find(ShardId id) const;
  // The map with the shard cut, as long as its cut is between keys of today.
  DivideMap divide_at(ShardId shard, const Bytes& cut, ShardId high) const;
  // Of key ranges, whether it is not in a database that has been emptied since it was chosen.
  bool is_of_today(BytesView cut) const;
  std::int64_t key_count(const engine::Engine& tree) const;  // of all databases
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
