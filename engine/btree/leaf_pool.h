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

#include <atomic>
#include <cstdint>
#include <deque>
#include <optional>

#include "engine/btree/nodes.h"

namespace shale::engine::btree {

// Thread-safe.
class PoolBudget {
 public:
  explicit PoolBudget(std::uint64_t bytes) : capacity_bytes_(bytes) {}

  std::uint64_t capacity_bytes() const { return capacity_bytes_.load(std::memory_order_relaxed); }
  void set_capacity(std::uint64_t bytes) { capacity_bytes_.store(bytes, std::memory_order_relaxed); }
  std::uint64_t used_bytes() const { return used_bytes_.load(std::memory_order_relaxed); }
  bool is_exceeded() const { return used_bytes() > capacity_bytes(); }

 private:
  friend class LeafPool;
  std::atomic<std::uint64_t> capacity_bytes_;
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

  // For trees that are cut and joined. From now on leaves of that part (Leaf::part) are in another pool.
  void begin_part(std::uint32_t part);
  // Such a leaf, to a pool of the same budget. What it leaves behind must be gone before it has another
  // owner:
  void give(Leaf& leaf, LeafPool& other);
  // looks for that, some steps with each call, after the last give(). True when all is gone.
  bool forget_given(std::size_t steps_max);
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

  bool has_left(const Leaf& leaf, PoolQueue kind) const {
    return leaf.queue != kind || (part_ != 0 && leaf.part == part_);
  }
  void forget_some(std::deque<Leaf::Ref>& queue, PoolQueue kind, std::size_t& to_ask,
                   std::size_t& steps) const;
  bool evict_one();
  bool evict_from(std::deque<Leaf::Ref>& queue, PoolQueue kind);
  void evict(Leaf& leaf);
  static bool is_held(const Leaf& leaf);
  void change_bytes(const Leaf& leaf, std::uint64_t before, std::uint64_t after);

  PoolBudget& budget_;
  std::deque<Leaf::Ref> young_;  // both oldest first; a leaf that has left has queue none until it is met
  std::deque<Leaf::Ref> kept_;
  std::uint64_t bytes_ = 0;
  std::uint64_t young_bytes_ = 0;
  std::uint64_t leaf_count_ = 0;
  std::uint64_t evictions_ = 0;
  std::uint32_t part_ = 0;  // whose leaves are in another pool; 0: none
  std::optional<std::size_t> young_to_ask_;
  std::optional<std::size_t> kept_to_ask_;  // entries, before all that those have left behind is gone
};

}  // namespace shale::engine::btree
