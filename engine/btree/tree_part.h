// The part of a tree that another is to have, while it is still in one: what its leaves come to, apart from
// the whole's. So that little is left to be done when the tree is cut: docs/btree.md, "Cutting and joining
// trees".
#pragma once

#include <cstdint>
#include <utility>

#include "engine/btree/leaf_census.h"
#include "engine/btree/leaf_pool.h"
#include "engine/btree/nodes.h"
#include "engine/bytes.h"

namespace shale::engine::btree {

// Guarded by the owner's mutex of the whole tree, which has all of this in its own sums too, but for the
// pool.
struct TreePart {
  TreePart(PoolBudget& budget, std::uint32_t tree, Bytes part_cut, bool part_is_low)
      : id(tree), cut(std::move(part_cut)), is_low(part_is_low), pool(budget) {}

  const std::uint32_t id;  // of the tree to be: leaves that are counted here have it (Leaf::part)
  const Bytes cut;
  const bool is_low;  // its keys are below the cut, else from there on
  lsm::ClassCounts keys;
  LeafCensus census;
  std::int64_t changed_bytes = 0;
  LeafPool pool;

  bool has(BytesView key) const { return (key < BytesView{cut}) == is_low; }
  bool has(const Leaf& leaf) const { return leaf.part == id; }
  // The leaf, which is the tree's, becomes the part's. Its pages in memory are the pool's business.
  void add(Leaf& leaf, std::uint64_t leaf_changed_bytes) {
    leaf.part = id;
    leaf.for_each_count([this](std::uint32_t count_class, std::int64_t sum) { keys.add(count_class, sum); });
    census.add(leaf.base_bytes());
    changed_bytes += static_cast<std::int64_t>(leaf_changed_bytes);
  }
  // It leaves the tree.
  void remove(Leaf& leaf, std::uint64_t leaf_changed_bytes) {
    leaf.for_each_count([this](std::uint32_t count_class, std::int64_t sum) { keys.add(count_class, -sum); });
    census.remove(leaf.base_bytes());
    changed_bytes -= static_cast<std::int64_t>(leaf_changed_bytes);
    pool.remove(leaf);
  }
  void clear() {
    keys = {};
    census.clear();
    changed_bytes = 0;
    pool.clear();
  }
};

}  // namespace shale::engine::btree
