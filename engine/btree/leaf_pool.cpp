#include "engine/btree/leaf_pool.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>

namespace shale::engine::btree {

void LeafPool::change_bytes(const Leaf& leaf, std::uint64_t before, std::uint64_t after) {
  bytes_ += after - before;  // modulo 2^64, as below
  if (leaf.queue == PoolQueue::young) young_bytes_ += after - before;
  budget_.used_bytes_.fetch_add(after - before, std::memory_order_relaxed);
}

void LeafPool::add(Leaf& leaf) {
  assert(leaf.queue == PoolQueue::none);
  // Gone only a short while ago: it is used more than its neighbours in the young queue were.
  const auto now = static_cast<std::uint32_t>(evictions_);
  const bool is_back = leaf.evicted_at != 0 && now - leaf.evicted_at <= kept_.size();
  leaf.queue = is_back ? PoolQueue::kept : PoolQueue::young;
  leaf.uses = 0;
  (is_back ? kept_ : young_).emplace_back(&leaf);
  ++leaf_count_;
  change_bytes(leaf, 0, image_bytes(leaf));
}

void LeafPool::resize(const Leaf& leaf, std::uint64_t bytes_before) {
  if (leaf.queue != PoolQueue::none) change_bytes(leaf, bytes_before, image_bytes(leaf));
}

void LeafPool::remove(Leaf& leaf) {
  if (leaf.queue == PoolQueue::none) return;
  change_bytes(leaf, image_bytes(leaf), 0);
  leaf.queue = PoolQueue::none;
  --leaf_count_;
}

void LeafPool::clear() {
  budget_.used_bytes_.fetch_sub(bytes_, std::memory_order_relaxed);
  for (auto* const queue : {&young_, &kept_}) {
    for (const Leaf::Ref& leaf : *queue) leaf->queue = PoolQueue::none;
    queue->clear();
  }
  bytes_ = 0;
  young_bytes_ = 0;
  leaf_count_ = 0;
}

void LeafPool::begin_part(std::uint32_t part) {
  part_ = part;
  young_to_ask_.reset();
  kept_to_ask_.reset();
}

void LeafPool::give(Leaf& leaf, LeafPool& other) {
  const PoolQueue queue = leaf.queue;
  if (queue == PoolQueue::none) return;
  remove(leaf);
  leaf.queue = queue;
  (queue == PoolQueue::kept ? other.kept_ : other.young_).emplace_back(&leaf);
  ++other.leaf_count_;
  other.change_bytes(leaf, 0, image_bytes(leaf));
}

// Once around each queue: what comes in meanwhile, or is moved by others, is not of the part.
bool LeafPool::forget_given(std::size_t steps_max) {
  if (!young_to_ask_) young_to_ask_ = young_.size();
  if (!kept_to_ask_) kept_to_ask_ = kept_.size();
  forget_some(young_, PoolQueue::young, *young_to_ask_, steps_max);
  forget_some(kept_, PoolQueue::kept, *kept_to_ask_, steps_max);
  if (*young_to_ask_ + *kept_to_ask_ != 0) return false;
  begin_part(0);
  return true;
}

void LeafPool::forget_some(std::deque<Leaf::Ref>& queue, PoolQueue kind, std::size_t& to_ask,
                           std::size_t& steps) const {
  to_ask = std::min(to_ask, queue.size());
  for (; to_ask != 0 && steps != 0; --to_ask, --steps) {
    Leaf::Ref leaf = std::move(queue.front());
    queue.pop_front();
    if (!has_left(*leaf, kind)) queue.push_back(std::move(leaf));
  }
}

void LeafPool::take_over(LeafPool& other) {
  const auto append = [](std::deque<Leaf::Ref>& to, std::deque<Leaf::Ref>& from) {
    if (to.empty()) to.swap(from);
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
    from.clear();
  };
  append(young_, other.young_);
  append(kept_, other.kept_);
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
  if (prefers_young) return evict_from(young_, PoolQueue::young) || evict_from(kept_, PoolQueue::kept);
  return evict_from(kept_, PoolQueue::kept) || evict_from(young_, PoolQueue::young);
}

bool LeafPool::evict_from(std::deque<Leaf::Ref>& queue, PoolQueue kind) {
  // Each turn of a kept leaf takes one use away, so this many steps are enough for all that can go.
  for (std::size_t steps = queue.size() * (kUsesMax + 1); steps > 0 && !queue.empty(); --steps) {
    const Leaf::Ref leaf = std::move(queue.front());
    queue.pop_front();
    if (has_left(*leaf, kind)) continue;
    if (leaf->uses == 0 && !is_held(*leaf)) {
      evict(*leaf);
      return true;
    }
    if (kind == PoolQueue::young && leaf->uses > 0) {
      young_bytes_ -= image_bytes(*leaf);
      leaf->queue = PoolQueue::kept;
      leaf->uses = 0;
      kept_.push_back(leaf);
      continue;
    }
    if (leaf->uses > 0) --leaf->uses;
    queue.push_back(leaf);
  }
  return false;
}

void LeafPool::evict_down_to(std::uint64_t bytes) {
  while (bytes_ > bytes && evict_one()) {
  }
}

}  // namespace shale::engine::btree
