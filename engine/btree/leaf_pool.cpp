#include "engine/btree/leaf_pool.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace shale::engine::btree {

void LeafPool::change_bytes(const Leaf& leaf, std::uint64_t before, std::uint64_t after) {
  bytes_ += after - before;  // modulo 2^64, as below
  if (leaf.queue == PoolQueue::young) young_bytes_ += after - before;
  budget_.used_bytes_.fetch_add(after - before, std::memory_order_relaxed);
}

void LeafPool::add(Leaf& leaf) {
  assert(leaf.queue == PoolQueue::none && !leaf.is_retired);
  // Gone only a short while ago: it is used more than its neighbours in the young queue were.
  const auto now = static_cast<std::uint32_t>(evictions_);
  const bool is_back = leaf.evicted_at != 0 && now - leaf.evicted_at <= kept_.size();
  leaf.queue = is_back ? PoolQueue::kept : PoolQueue::young;
  leaf.uses = 0;
  queue_of(leaf.queue).push_back(leaf);
  ++leaf_count_;
  change_bytes(leaf, 0, image_bytes(leaf));
}

void LeafPool::resize(const Leaf& leaf, std::uint64_t bytes_before) {
  if (leaf.queue != PoolQueue::none) change_bytes(leaf, bytes_before, image_bytes(leaf));
}

void LeafPool::remove(Leaf& leaf) {
  if (leaf.queue == PoolQueue::none) return;
  change_bytes(leaf, image_bytes(leaf), 0);
  Queue& queue = queue_of(leaf.queue);
  queue.erase(queue.iterator_to(leaf));
  leaf.queue = PoolQueue::none;
  --leaf_count_;
}

void LeafPool::clear() {
  budget_.used_bytes_.fetch_sub(bytes_, std::memory_order_relaxed);
  for (Queue* const queue : {&young_, &kept_}) {
    queue->clear_and_dispose([](Leaf* leaf) { leaf->queue = PoolQueue::none; });
  }
  bytes_ = 0;
  young_bytes_ = 0;
  leaf_count_ = 0;
}

void LeafPool::give(Leaf& leaf, LeafPool& other) {
  const PoolQueue kind = leaf.queue;
  if (kind == PoolQueue::none) return;
  remove(leaf);
  leaf.queue = kind;
  other.queue_of(kind).push_back(leaf);
  ++other.leaf_count_;
  other.change_bytes(leaf, 0, image_bytes(leaf));
}

void LeafPool::take_over(LeafPool& other) {
  young_.splice(young_.end(), other.young_);
  kept_.splice(kept_.end(), other.kept_);
  bytes_ += std::exchange(other.bytes_, 0);
  young_bytes_ += std::exchange(other.young_bytes_, 0);
  leaf_count_ += std::exchange(other.leaf_count_, 0);
  evictions_ = std::max(evictions_, other.evictions_);
}

// Only those who hold the owner's mutex make pins of what only the leaf holds.
bool LeafPool::is_held(const Leaf& leaf) {
  return (leaf.base && leaf.base->pin_count() > 1) || (leaf.changes && leaf.changes->pin_count() > 1);
}

void LeafPool::evict(Leaf& leaf) {
  remove(leaf);
  leaf.base.reset();
  leaf.changes.reset();
  leaf.base_has_changes = false;
  ++evictions_;
  leaf.evicted_at = static_cast<std::uint32_t>(evictions_);
}

bool LeafPool::evict_one() {
  const bool prefers_young = young_bytes_ * kYoungParts > bytes_;
  if (prefers_young) return evict_from(PoolQueue::young) || evict_from(PoolQueue::kept);
  return evict_from(PoolQueue::kept) || evict_from(PoolQueue::young);
}

bool LeafPool::evict_from(PoolQueue kind) {
  Queue& queue = queue_of(kind);
  // Each turn of a kept leaf takes one use away, so this many steps are enough for all that can go; but
  // whoever waits for the lock does not wait for that many where most are held.
  constexpr std::size_t kStepsMax = 4096;
  for (std::size_t steps = std::min(queue.size() * (kUsesMax + 1), kStepsMax); steps > 0 && !queue.empty();
       --steps) {
    Leaf& leaf = queue.front();
    if (leaf.uses == 0 && !is_held(leaf)) {
      evict(leaf);
      return true;
    }
    if (kind == PoolQueue::young && leaf.uses > 0) {
      young_bytes_ -= image_bytes(leaf);
      leaf.queue = PoolQueue::kept;
      leaf.uses = 0;
      kept_.splice(kept_.end(), young_, young_.begin());
      continue;
    }
    if (leaf.uses > 0) --leaf.uses;
    queue.splice(queue.end(), queue, queue.begin());
  }
  return false;
}

void LeafPool::evict_down_to(std::uint64_t bytes) {
  while (bytes_ > bytes && evict_one()) {
  }
}

}  // namespace shale::engine::btree
