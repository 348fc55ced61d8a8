// One B+ tree: an index in memory, leaves in layers, checkpoints in the background.
//
//   I1  A key's newest record is found first: buffer, frozen, changes, base of its one leaf.
//   I2  Inner nodes that the snapshot of a running checkpoint reaches keep their children: who has to change
//       one puts a copy in its place. Their leaves keep the layers of the snapshot's epoch until the
//       checkpoint has taken them, also when they have left the tree.
//   I3  Pages are given back only by a commit of a state that does not refer to them.
//   I4  No state is committed before the log is durable up to what it holds or relies on.
//   I5  A checkpoint holds exactly the records up to its LSN.
//
// Design: docs/btree.md.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/btree/checkpoint.h"
#include "engine/btree/leaf_census.h"
#include "engine/btree/leaf_load.h"
#include "engine/btree/leaf_pool.h"
#include "engine/btree/node_advisor.h"
#include "engine/btree/nodes.h"
#include "engine/btree/tree_part.h"
#include "engine/btree/tree_store.h"
#include "engine/engine.h"
#include "engine/lsm/class_counts.h"
#include "engine/lsm/record_cache.h"

namespace shale::engine::btree {

// Lives as long as its owner or its background work wants it.
class Tree final : public Engine, public std::enable_shared_from_this<Tree> {
 public:
  // `root` null: empty.
  Tree(TreeStore& store, std::uint32_t id, std::mutex& owner, const TreeState& state, InnerNode::Ref root);
  ~Tree() override;

  Result<std::optional<BytesView>> get(const HashedKey& key, ReadContext& context) override;
  void prefetch_index(const HashedKey& key) const override;
  void prefetch_record(const HashedKey& key) const override;
  Status admit_write(std::size_t bytes) override;
  std::chrono::microseconds write_delay(std::size_t bytes) override;
  void put(const HashedKey& key, BytesView value, Lsn lsn) override { write(key, value, {}, lsn); }
  void erase(const HashedKey& key, Lsn lsn) override { write(key, {}, {true, false}, lsn); }
  void reclaim_obsolete(Lsn lsn) override;
  std::unique_ptr<Cursor> cursor(CursorBounds bounds, ReadContext& context) override;
  Lsn persisted_lsn() const override { return persisted_lsn_; }
  std::optional<Lsn> oldest_unpersisted_lsn() const override;
  void flush() override;
  void stop_work() override {
    stopping_ = true;
    is_checkpoint_urgent_ = true;
  }
  bool work_stopped() const override {
    return stopping_ && !snapshot_ && !sweep_running_ && !resolution_running_;
  }
  void resume_work() override;
  void tick() override;
  std::optional<Bytes> middle_key() const override;
  std::int64_t key_count(std::uint32_t count_class) const override { return counts_.of(count_class); }
  EngineStats stats() const override;

  // Without the owner's mutex, and so a moment old.
  std::uint64_t changed_bytes() const { return changed_bytes_.load(std::memory_order_relaxed); }
  bool is_writing_checkpoint() const { return is_writing_checkpoint_.load(std::memory_order_relaxed); }
  std::uint64_t pool_bytes() const { return pool_bytes_.load(std::memory_order_relaxed); }
  // In the background, without the owner's mutex.
  void relieve_changes();
  void relieve_pool();

  // What a leaf lacks is added to the context as a Load, or said to be unreadable. Returns not_resident, or
  // why the leaf cannot be read.
  Error lacking(Leaf& leaf, ReadContext& context);
  std::shared_ptr<LeafLoad> load_of(Leaf& leaf);  // a new one, if there is none
  LeafWorkload& workload() { return workload_; }  // for cursors, to count in
  // The inner nodes from the root to a leaf.
  struct Step {
    InnerNode* node = nullptr;
    std::size_t index = 0;  // of the child
  };
  struct Path {
    static constexpr std::size_t kDepthMax = 16;
    std::array<Step, kDepthMax> steps;
    std::size_t depth = 0;

    Step& last() { return steps[depth - 1]; }
    const Step& last() const { return steps[depth - 1]; }
    Leaf& leaf() const { return steps[depth - 1].node->leaf(steps[depth - 1].index); }
    // Where the leaf's keys begin; null: it is the first.
    const Bytes* begin() const;
    // Where they end, and the next leaf's begin; null: it is the last.
    const Bytes* end() const;
    // To the neighbouring leaf. False, and nothing has changed, if there is none.
    bool to_next();
    bool to_previous();

   private:
    friend class Tree;
    void descend(std::size_t from, bool to_last);
  };
  Path path_to(BytesView key) const;  // to the leaf that has the key, if one has
  Path path_to_last() const;          // to the last leaf
  InnerNode& root() const { return *root_; }
  const PageFile& file() const { return store_.file(); }
  std::uint32_t id() const { return id_; }
  // All its pages on disk, those included that it may share. With the owner's mutex. Its work has stopped.
  std::vector<PageAddress> pages() const;
  // All its pages on disk, which are somebody else's business from now on; it is of no further use. Its work
  // has stopped.
  std::vector<PageAddress> take_pages();

 private:
  friend class LeafLoad;
  friend class Checkpoint;
  friend class TreeCut;
  friend class TreeUnion;

  // --- Writing (tree.cpp)
  void write(const HashedKey& key, BytesView value, RecordTag tag, Lsn lsn);
  Leaf& leaf_of(BytesView key) const;
  enum class Presence : std::uint8_t { absent, present, unknown };
  static Presence presence_below_buffer(const Leaf& leaf, BytesView key);
  Presence presence_below_buffer(const Leaf& leaf, const HashedKey& key);  // also by the copies of records
  void begin_buffer(const Path& path, Leaf& leaf);
  void note_lsn(Lsn lsn);
  void note_changed_memory(std::int64_t bytes);
  void note_changed_memory(const Leaf& leaf, std::int64_t bytes);  // of this leaf, which is in the tree
  bool is_of_part(const Leaf& leaf) const { return part_ != nullptr && part_->has(leaf); }
  LeafPool& pool_of(const Leaf& leaf) { return is_of_part(leaf) ? part_->pool : pool_; }
  static std::uint64_t changed_memory(const Leaf& leaf);
  void take_loaded(LeafLoad& load, const Status& status);  // with no lock held
  void make_room();
  void evict_down_to(std::uint64_t bytes_min);

  std::uint32_t first_target() const;
  // --- Reading leaves that are not in memory (tree_cold.cpp)
  Result<std::optional<BytesView>> get_cold(Leaf& leaf, const HashedKey& key, ReadContext& context);
  bool load_on_the_spot(Leaf& leaf);
  void hang_in(LeafLoad& load);
  void note_use(Leaf& leaf, const HashedKey& key, const std::optional<BytesView>& found, bool was_loaded);
  void forget_record(const HashedKey& key);
  void forget_all_records();
  void adapt_record_cache();
  void adapt();

  // --- Guesses (tree_guesses.cpp)
  void note_guess(BytesView key);
  void note_guesses_looked_up(std::uint64_t guesses, std::uint64_t wrong);
  void look_up_guesses_when_idle();
  void schedule_resolution();
  void run_resolution();
  void resolve_guess(BytesView key);

  // --- Structure (tree_structure.cpp)
  std::size_t target_bytes() const { return target_bytes_; }  // how large leaves are to be on average
  bool is_due_for_merge(const Leaf& leaf) const;
  // Merges the layers of a resident leaf, and splits it or joins it with a neighbour as its size asks for.
  void rebuild(Path& path);
  // Appends the leaf's live records; `count_changes` against what is counted.
  void gather(const Leaf& leaf, RecordList& records, lsm::ClassCounts& count_changes) const;
  std::vector<InnerNode::Child> build_leaves(std::span<const Record> records, std::size_t bytes,
                                             bool is_append) const;
  void replace_leaves(Path& path, std::size_t first, std::size_t count, std::vector<InnerNode::Child> leaves);
  struct Neighbours {  // leaves of one parent
    std::size_t first = 0;
    std::size_t count = 0;
  };
  Neighbours neighbours_to_join(const Path& path, std::size_t bytes) const;
  void take_in(Leaf& leaf, bool is_of_part_if_empty);  // that has been built for the tree
  void retire(Leaf& leaf);
  void take_out(Leaf& leaf);          // as retire(), but its pages are somebody else's business
  void let_go_of_memory(Leaf& leaf);  // that has been retired, and written by the checkpoint
  void retire(InnerNode& node);
  void make_mutable(Path& path);
  void split_inner(Path& path, std::size_t depth);
  void join_inner(Path& path, std::size_t depth);
  void grow_root(Path& path, std::size_t split_at);
  void shrink_root();
  void become_empty();
  void mark_changed(const Path& path);
  // Makes what the buffer holds immutable. Returns by how much it changes changed_memory().
  static std::int64_t freeze(Leaf& leaf);

  // --- Checkpoints (tree_checkpoint.cpp)
  std::vector<PageAddress> own_pages() const;
  bool has_unpersisted() const { return first_lsn_ != 0 || reclaim_pending_; }
  void request_checkpoint();  // after the one that is running, if one is; nobody waits for it
  void write_changes_out();
  void begin_checkpoint();
  void move_pages();
  void run_checkpoint();
  void install(std::vector<WrittenLeaf>& leaves, std::vector<WrittenInner>& inner,
               CheckpointProgress& progress);
  void install_some(std::span<WrittenLeaf> leaves, CheckpointProgress& progress);
  void install_some(std::span<WrittenInner> inner, CheckpointProgress& progress);
  void install(WrittenLeaf& written, CheckpointProgress& progress);
  void let_go_of_pages(const WrittenLeaf& written, CheckpointProgress& progress);
  void install_pieces(WrittenLeaf& written, CheckpointProgress& progress);
  static std::int64_t balance_over(const PageImage::Ref& base, const Record& record);
  std::vector<InnerNode::Child> leaves_of_pieces(const WrittenLeaf& written, bool keeps_images) const;
  void settle_counts(const WrittenLeaf& written, CheckpointProgress& progress);
  void join_small(std::span<const WrittenLeaf> leaves, CheckpointProgress& progress);
  void keep_image(Leaf& leaf, const WrittenLeaf& written);
  static bool has_resident_neighbour(const Path& path);  // the one that rebuild() would join it with
  void mark_changed(InnerNode& node) const;
  void note_work(const Snapshot& snapshot, const CheckpointProgress& progress);
  void finish_checkpoint(const Status& status, const CheckpointProgress& progress);

  // --- Giving back what is obsolete (tree_reclaim.cpp)
  bool any_class_lives() const;
  // What became obsolete before the tree was opened, and had not been given back by then.
  void reclaim_dead();
  void forget_dead_classes();
  void drop_everything();
  void begin_sweep(bool of_all);
  void schedule_sweep();
  void run_sweep();
  // Looks at some leaves; true when there are no more.
  bool sweep_some();
  bool has_obsolete(const Leaf& leaf) const;
  bool is_to_be_swept(const Leaf& leaf) const {
    return sweeps_all_ || leaf.obsolete_from_ms <= sweep_due_ms_;
  }
  void sweep(Path& path);
  // What has been deleted or has expired goes within deletion_age_max.
  void expel_overdue();

  TreeStore& store_;
  const std::uint32_t id_;
  std::mutex& owner_;  // guards everything below

  InnerNode::Ref root_;
  LeafPool pool_;
  lsm::RecordCache record_cache_;  // of records whose leaves were not in memory when they were read
  MemoryCharge record_charge_{MemoryKind::records};
  std::uint64_t spot_loads_ = 0;  // leaves that the kernel had in memory
  LeafCensus census_;
  TreePart* part_ = nullptr;  // what is about to be cut off: of that, the pool is apart
  std::uint32_t target_bytes_;
  LeafWorkload workload_;
  NodeAdvisor advisor_;
  CheckpointCosts last_costs_;
  std::string target_reason_;  // of its last change
  std::uint64_t target_changes_ = 0;
  std::uint64_t inner_nodes_ = 0;
  lsm::ClassCounts counts_;
  Lsn persisted_lsn_;
  Lsn first_lsn_ = 0;  // the oldest and the newest record that no checkpoint has begun with; 0: none
  Lsn last_lsn_ = 0;
  Epoch epoch_ = 1;
  std::unordered_map<const Leaf*, std::weak_ptr<LeafLoad>> loads_;  // that commands hold; some have expired

  std::atomic<std::uint64_t> changed_bytes_ = 0;
  std::atomic<std::uint64_t> pool_bytes_ = 0;
  std::optional<Snapshot> snapshot_;  // of the checkpoint that is running
  std::uint64_t retained_bytes_ = 0;  // of changed_bytes_: of leaves that have left the tree but not it
  std::atomic<bool> is_writing_checkpoint_ = false;  // as snapshot_
  std::atomic<bool> is_checkpoint_urgent_ = false;   // somebody waits for it: it is not metered
  double work_per_byte_ = 4;        // that checkpoints have read and written of late, per committed byte
  bool stopping_ = false;           // no work begins any more
  bool is_handed_over_ = false;     // its nodes are other trees', with other mutexes
  bool checkpoint_wanted_ = false;  // another, after the one that is running
  std::optional<Error> checkpoint_error_;
  std::vector<PageAddress> retired_;           // given back after the commit of the next checkpoint to begin
  std::vector<PageAddress> retiring_;          // of the running one, or of the next if it fails
  std::vector<InnerNode::Ref> dropped_roots_;  // of trees whose pages go with the next checkpoint
  std::vector<std::shared_ptr<SharedPages>> shared_pages_;  // that the state on disk may have; as retired_
  std::uint64_t generation_ = 0;                            // how often everything has been dropped

  std::vector<Bytes> guesses_;  // keys that are to be looked up
  std::uint64_t guesses_noted_ = 0;
  bool resolution_running_ = false;
  std::uint64_t open_guesses_ = 0;  // of this epoch, at most
  double wrong_guess_part_ = 1;     // of those that have been looked up of late
  std::uint64_t writes_at_tick_ = 0;
  std::uint64_t writes_at_checkpoint_ = 0;
  std::uint64_t user_bytes_at_checkpoint_ = 0;
  std::chrono::steady_clock::time_point idle_since_{};

  bool reclaim_pending_ = false;  // there is something to give back, if no record to persist
  Lsn reclaim_lsn_ = 0;           // the newest record that made a class obsolete
  bool dead_looked_for_ = false;
  bool sweep_wanted_ = false;
  bool sweeps_all_ = false;        // or only leaves with something that is
  std::int64_t sweep_due_ms_ = 0;  // obsolete since then
  std::int64_t next_expulsion_ms_ = 0;
  std::int64_t first_write_ms_ = 0;                              // of first_lsn_
  std::int64_t oldest_obsolete_ms_ = KeyPolicy::kNeverObsolete;  // as the last sweep left it, and
  std::int64_t sweep_oldest_ms_ = KeyPolicy::kNeverObsolete;     // as this one has found so far
  bool sweep_running_ = false;
  Bytes sweep_key_;  // leaves from here on are still to be looked at
  std::vector<std::shared_ptr<LeafLoad>> sweep_loads_;

  std::optional<std::chrono::steady_clock::time_point> busy_since_;
  std::chrono::steady_clock::time_point checkpoint_ended_{};
  std::chrono::steady_clock::duration last_checkpoint_{};
  std::chrono::steady_clock::duration longest_write_wait_{};
  std::uint64_t user_bytes_written_ = 0;
  std::uint64_t checkpoint_bytes_written_ = 0;
  std::uint64_t checkpoint_bytes_read_ = 0;
  std::uint64_t moved_bytes_ = 0;
  std::uint64_t nothing_to_move_from_ =
      PageFile::kNowhere;  // there and behind, as the last checkpoint saw it
  std::uint64_t checkpoints_ = 0;
  std::uint64_t bases_written_ = 0;
  std::uint64_t changes_written_ = 0;
  std::uint64_t delayed_writes_ = 0;
  std::uint64_t refused_writes_ = 0;
  std::uint64_t reads_ = 0;
  std::uint64_t seeks_ = 0;
  std::uint64_t not_resident_ = 0;
  std::uint64_t splits_ = 0;
  std::uint64_t joins_ = 0;
};

}  // namespace shale::engine::btree
