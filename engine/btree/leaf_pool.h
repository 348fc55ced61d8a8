// Which leaves' pages stay in memory.
//
// S3-FIFO (Yang et al., SOSP 2023), as the LSM tree's block cache: a leaf that is read enters a young queue
// of a tenth of the bytes, and is kept only if it was used again meanwhile, or comes back soon after it was
// let go. So a scan, which does not count as use, flows through the tenth. A leaf object outlives its pages,
// so it remembers by itself when they went.
//
// Each tree has a pool, behind its owner's mutex; all have one budget. A tree that brings a page in when the
// budget is used up lets go of its own first; trees above their share are asked to (tree_store.h).
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include <boost/intrusive/list.hpp>

#include "engine/btree/memory_use.h"
#include "engine/btree/nodes.h"

namespace shale::engine::btree {

// How much the pools may have: their own share, less what everything else takes beyond its share. A quarter
// stays in any case, so that reads go on. Thread-safe.
class PoolBudget {
 public:
  PoolBudget(std::uint64_t bytes, std::uint64_t other_bytes) { set_shares(bytes, other_bytes); }

  // `other_bytes`: of all that is counted (memory_use.h) and not in a pool.
  void set_shares(std::uint64_t bytes, std::uint64_t other_bytes) {
    share_bytes_.store(bytes, std::memory_order_relaxed);
    other_share_bytes_.store(other_bytes, std::memory_order_relaxed);
  }
  std::uint64_t share_bytes() const { return share_bytes_.load(std::memory_order_relaxed); }
  std::uint64_t capacity_bytes() const {
    const std::uint64_t share = share_bytes();
    const std::uint64_t both = share + other_share_bytes_.load(std::memory_order_relaxed);
    const std::uint64_t others = other_bytes();
    return std::clamp(both > others ? both - others : 0, share / kPartsLeast, share);
  }
  std::uint64_t used_bytes() const { return used_bytes_.load(std::memory_order_relaxed); }
  std::uint64_t other_bytes() const {
    const std::uint64_t all = MemoryUse::bytes();
    return all - std::min(all, used_bytes());
  }
  bool is_exceeded() const { return used_bytes() > capacity_bytes(); }
  // Whether there is room for what is read by someone who cannot let go of anything, in the expectation that
  // others soon do: a little above the capacity.
  bool has_slack() const {
    constexpr std::uint64_t kParts = 16;
    const std::uint64_t capacity = capacity_bytes();
    return used_bytes() < capacity + capacity / kParts;
  }

 private:
  friend class LeafPool;
  static constexpr std::uint64_t kPartsLeast = 4;

  std::atomic<std::uint64_t> share_bytes_ = 0;
  std::atomic<std::uint64_t> other_share_bytes_ = 0;
  std::atomic<std::uint64_t> used_bytes_ = 0;
};

class LeafPool {
 public:
  explicit LeafPool(PoolBudget& budget) : budget_(budget) {}
  ~LeafPool() { clear(); }
  LeafPool(const LeafPool&) = delete;
  LeafPool& operator=(const LeafPool&) = delete;

  // The leaf's pages have come into memory, all or some of them, and are on disk too.
  void add(Leaf& leaf);
  // Its images have changed: `bytes_before` is what image_bytes() was.
  void resize(const Leaf& leaf, std::uint64_t bytes_before);
  // It is no longer the pool's.
  void remove(Leaf& leaf);
  // Forgets all leaves.
  void clear();

  // For trees that are cut and joined. A leaf goes to a pool of the same budget.
  void give(Leaf& leaf, LeafPool& other);
  // All leaves of another pool of the same budget, behind its own.
  void take_over(LeafPool& other);

  static void note_use(Leaf& leaf) {
    if (leaf.uses < kUsesMax) ++leaf.uses;
  }
  static std::uint64_t image_bytes(const Leaf& leaf) {
    return (leaf.base ? leaf.base->memory_bytes() : 0) + (leaf.changes ? leaf.changes->memory_bytes() : 0);
  }

  // Lets go of pages until the pool has `bytes` at most, or nothing is left that nobody holds. Of what a Load
  // or a checkpoint holds nothing goes.
  void evict_down_to(std::uint64_t bytes);
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t evictions() const { return evictions_; }
  std::uint64_t leaves() const { return leaf_count_; }

 private:
  static constexpr std::uint8_t kUsesMax = 3;
  static constexpr std::uint64_t kYoungParts = 10;  // one of them is for the young

  // Does not own the leaves: they are the tree's, and leave the pool before they leave the tree.
  using Queue = boost::intrusive::list<
      Leaf, boost::intrusive::member_hook<Leaf, boost::intrusive::list_member_hook<>, &Leaf::pool_place>>;

  Queue& queue_of(PoolQueue kind) { return kind == PoolQueue::kept ? kept_ : young_; }
  bool evict_one();
  bool evict_from(PoolQueue kind);
  void evict(Leaf& leaf);
  static bool is_held(const Leaf& leaf);
  void change_bytes(const Leaf& leaf, std::uint64_t before, std::uint64_t after);

  PoolBudget& budget_;
  Queue young_;  // both oldest first
  Queue kept_;
  std::uint64_t bytes_ = 0;
  std::uint64_t young_bytes_ = 0;
  std::uint64_t leaf_count_ = 0;
  std::uint64_t evictions_ = 0;
};

}  // namespace shale::engine::btree
