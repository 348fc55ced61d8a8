// How leaves become larger and smaller: merging layers, splitting, joining, and what that asks of inner
// nodes.
#include <algorithm>
#include <cassert>

#include "engine/btree/leaf_size.h"
#include "engine/btree/tree.h"

namespace shale::engine::btree {

bool Tree::is_due_for_merge(const Leaf& leaf) const {
  if (!leaf.is_resident()) return false;
  const std::size_t target = target_bytes();
  const std::size_t buffered = leaf.buffer ? leaf.buffer->page_bytes() : 0;
  const std::size_t base = leaf.base_bytes();
  if (!leaf.base_is_written() || base == 0) return buffered > target / 4;
  return buffered > std::max(base / 2, target / 4);
}

void Tree::gather(const Leaf& leaf, RecordList& records, lsm::ClassCounts& count_changes) const {
  const KeyPolicy& policy = *store_.options().policy;
  const std::int64_t now_ms = store_.options().clock->unix_ms();
  const Layers layers = leaf.layers();
  LayersMerge merge{layers};
  while (const MergedKey* key = merge.next()) {
    const Resolved record = resolve(layers, *key, true);
    std::int64_t balance = record.balance;
    if (!record.tag.erased) {
      const BytesView value = layers[key->newest].value(static_cast<std::uint32_t>(key->index[key->newest]));
      if (store_.is_obsolete(key->key, value, now_ms)) {
        --balance;
      } else {
        records.add(key->key, value, {});
      }
    }
    if (balance != 0) count_changes.add(policy.count_class(key->key), balance);
  }
}

void Tree::rebuild(Path& path) {
  Leaf& leaf = path.leaf();
  assert(leaf.is_resident());
  const std::size_t target = target_bytes();
  RecordList records;
  lsm::ClassCounts count_changes;
  gather(leaf, records, count_changes);
  const bool is_append = leaf.base && leaf.buffer && leaf.buffer->count() != 0 && [&] {
    bool is_equal = false;
    const RecordPage base{leaf.base->payload()};
    return base.lower_bound(leaf.buffer->at(0).key, is_equal) == base.count();
  }();
  Neighbours joined{path.last().index, 1};
  if (records.bytes() < leaf_bytes_joined(target)) joined = neighbours_to_join(path, records.bytes());
  if (joined.count > 1) {
    const InnerNode& parent = *path.last().node;
    records = {};
    count_changes = {};  // what is obsolete may have become more meanwhile
    for (std::size_t i = 0; i < joined.count; ++i) {
      gather(parent.leaf(joined.first + i), records, count_changes);
    }
    joins_ += joined.count - 1;
  }
  replace_leaves(path, joined.first, joined.count,
                 build_leaves(records.records(), records.bytes(), is_append && joined.count == 1));
  counts_.add(count_changes.all());
}

// As many as fit into one leaf with it; of a very small leaf one of any size, with which it then shares
// evenly.
Tree::Neighbours Tree::neighbours_to_join(const Path& path, std::size_t bytes) const {
  const Step& step = path.steps[path.depth - 1];
  const InnerNode& parent = *step.node;
  Neighbours joined{step.index, 1};
  const auto take = [&](std::size_t index) {
    const Leaf& leaf = parent.leaf(index);
    const std::size_t more = leaf.base_bytes() + (leaf.buffer ? leaf.buffer->page_bytes() : 0);
    const bool takes_any = joined.count == 1 && bytes < leaf_bytes_min(target_bytes());
    if (!leaf.is_resident() || (!takes_any && bytes + more > target_bytes())) return false;
    bytes += more;
    ++joined.count;
    return true;
  };
  while (joined.first > 0 && take(joined.first - 1)) --joined.first;
  while (joined.first + joined.count < parent.count() && take(joined.first + joined.count)) {
  }
  return joined;
}

std::vector<InnerNode::Child> Tree::build_leaves(std::span<const Record> records, std::size_t bytes,
                                                 bool is_append) const {
  const KeyPolicy& policy = *store_.options().policy;
  std::vector<InnerNode::Child> leaves;
  BytesView last_key;
  const std::size_t bytes_max = leaf_bytes_max(target_bytes());
  for (const auto& piece : cut_records(records, bytes, bytes_max, is_append)) {
    Leaf::Ref leaf{new Leaf};
    leaf->base = build_record_page(piece);
    for (const Record& record : piece) leaf->keys.add(policy.count_class(record.key), 1);
    leaf->obsolete_from_ms = obsolete_from_of(piece, policy);
    Bytes separator = leaves.empty() ? Bytes{} : separator_between(last_key, piece.front().key);
    leaves.push_back({std::move(separator), leaf});
    last_key = piece.back().key;
  }
  return leaves;
}

void Tree::replace_leaves(Path& path, std::size_t first, std::size_t count,
                          std::vector<InnerNode::Child> leaves) {
  make_mutable(path);
  InnerNode& parent = *path.last().node;
  // Nor does a leaf go while the tree is about to be cut: those beside it, which may not be in memory, would
  // then have its keys, and the cut could fall there.
  const bool must_stay = parent.count() == count || stopping_;
  if (leaves.empty() && must_stay) leaves.push_back({{}, Leaf::Ref{new Leaf}});
  if (leaves.size() > count) splits_ += leaves.size() - count;
  const bool is_of_part_if_empty = is_of_part(parent.leaf(first));
  for (std::size_t i = first; i < first + count; ++i) {
    if (!parent.leaf(i).is_retired) retire(parent.leaf(i));
  }
  for (const InnerNode::Child& child : leaves) take_in(static_cast<Leaf&>(*child.node), is_of_part_if_empty);
  const bool is_at_end = first + count == parent.count();
  parent.replace(first, count, std::move(leaves));
  mark_changed(path);
  path.last().index = is_at_end ? parent.count() : 0;  // for split_inner: where it grows
  if (parent.count() > store_.options().children_max) {
    split_inner(path, path.depth - 1);
  } else if (parent.count() < store_.options().children_max / 4 && path.depth > 1) {
    join_inner(path, path.depth - 1);
  }
  shrink_root();
}

// While a part of the tree is counted apart, no checkpoint cuts leaves: those that come were built in memory.
void Tree::take_in(Leaf& leaf, bool is_of_part_if_empty) {
  const std::uint64_t changed = changed_memory(leaf);
  census_.add(leaf.base_bytes());
  note_changed_memory(static_cast<std::int64_t>(changed));
  if (part_ == nullptr) return;
  Bytes first_key;
  if (leaf.base) leaf.base.records().key(0, first_key);
  if (leaf.base ? part_->has(first_key) : is_of_part_if_empty) part_->add(leaf, changed);
}

// What it holds now stays for the checkpoint that may still want it, and is counted for as long.
void Tree::retire(Leaf& leaf) {
  if (leaf.page.exists()) retired_.push_back(leaf.page);
  if (leaf.changes_page.exists()) retired_.push_back(leaf.changes_page);
  take_out(leaf);
  if (leaf.page.exists() && store_.pool().is_exceeded()) {  // the checkpoint may read them
    leaf.base.reset();
    leaf.changes.reset();
    leaf.base_has_changes = false;
  }
}

void Tree::take_out(Leaf& leaf) {
  assert(!leaf.is_retired);
  leaf.is_retired = true;
  const std::uint64_t changed = changed_memory(leaf);
  if (snapshot_ && leaf.pin_count() > 1) {
    leaf.retained_bytes = changed;
    retained_bytes_ += changed;
  } else {
    note_changed_memory(-static_cast<std::int64_t>(changed));
  }
  census_.remove(leaf.base_bytes());
  if (is_of_part(leaf)) {
    part_->remove(leaf, changed);
  } else {
    pool_.remove(leaf);
  }
}

void Tree::retire(InnerNode& node) {
  assert(!node.is_retired);
  node.is_retired = true;
  if (node.page.exists()) retired_.push_back(node.page);
}

void Tree::make_mutable(Path& path) {
  for (std::size_t i = 0; i < path.depth; ++i) {
    InnerNode& node = *path.steps[i].node;
    if (!snapshot_ || node.epoch > snapshot_->epoch) continue;
    InnerNode::Ref copy = node.copy(epoch_);
    path.steps[i].node = copy.get();
    retire(node);
    if (i == 0) {
      root_ = std::move(copy);
    } else {
      path.steps[i - 1].node->set_child(path.steps[i - 1].index, std::move(copy));
    }
  }
}

void Tree::mark_changed(const Path& path) {
  for (std::size_t i = 0; i < path.depth; ++i) path.steps[i].node->changed_epoch = epoch_;
}

// The node at this depth of the path, mutable like those above it, has too many children. Where it grows at
// its end, the left half stays full.
void Tree::split_inner(Path& path, std::size_t depth) {
  InnerNode& node = *path.steps[depth].node;
  const bool grows_at_end = path.steps[depth].index == node.count();
  const std::size_t split_at = grows_at_end ? node.count() * 15 / 16 : node.count() / 2;
  if (depth == 0) return grow_root(path, split_at);
  std::vector<InnerNode::Child> leaving = node.split_off(split_at);
  Bytes separator = leaving.front().separator;
  InnerNode& parent = *path.steps[depth - 1].node;
  const std::size_t index = path.steps[depth - 1].index;
  const bool is_last = index + 1 == parent.count();
  std::vector<InnerNode::Child> right;
  right.push_back(
      {std::move(separator), InnerNode::Ref{new InnerNode(node.level(), epoch_, std::move(leaving))}});
  ++inner_nodes_;
  parent.replace(index + 1, 0, std::move(right));
  path.steps[depth - 1].index = is_last ? parent.count() : 0;
  if (parent.count() > store_.options().children_max) split_inner(path, depth - 1);
}

void Tree::grow_root(Path& path, std::size_t split_at) {
  InnerNode& node = *path.steps[0].node;
  std::vector<InnerNode::Child> leaving = node.split_off(split_at);
  Bytes separator = leaving.front().separator;
  std::vector<InnerNode::Child> children;
  children.push_back({{}, root_});
  children.push_back(
      {std::move(separator), InnerNode::Ref{new InnerNode(node.level(), epoch_, std::move(leaving))}});
  root_ =
      InnerNode::Ref{new InnerNode(static_cast<std::uint8_t>(node.level() + 1), epoch_, std::move(children))};
  inner_nodes_ += 2;
}

// The node at this depth of the path, not the root, has few children: joins it with a neighbour if the two
// then leave room for some more.
void Tree::join_inner(Path& path, std::size_t depth) {
  InnerNode& parent = *path.steps[depth - 1].node;
  const std::size_t index = path.steps[depth - 1].index;
  if (parent.count() < 2) return;
  const std::size_t first = index > 0 ? index - 1 : index;
  InnerNode& left = parent.inner(first);
  InnerNode& right = parent.inner(first + 1);
  if (left.count() + right.count() > store_.options().children_max * 3 / 4) return;
  std::vector<InnerNode::Child> children = left.children();
  std::vector<InnerNode::Child> others = right.children();
  others.front().separator = parent.separator(first + 1);
  children.insert(children.end(), std::make_move_iterator(others.begin()),
                  std::make_move_iterator(others.end()));
  std::vector<InnerNode::Child> joined;
  joined.push_back({{}, InnerNode::Ref{new InnerNode(left.level(), epoch_, std::move(children))}});
  retire(left);
  retire(right);
  --inner_nodes_;
  parent.replace(first, 2, std::move(joined));
  if (parent.count() < store_.options().children_max / 4 && depth > 1) join_inner(path, depth - 1);
}

void Tree::shrink_root() {
  while (root_->level() > 1 && root_->count() == 1) {
    retire(*root_);
    root_ = InnerNode::Ref{&root_->inner(0)};
    --inner_nodes_;
  }
}

// Its nodes are other trees' from now on.
void Tree::become_empty() {
  is_handed_over_ = true;
  root_ = InnerNode::make_empty(epoch_);
  inner_nodes_ = 1;
  census_.clear();
  census_.add(0);
  counts_ = {};
  changed_bytes_ = 0;
  first_lsn_ = 0;
  retired_.clear();
  retiring_.clear();
  dropped_roots_.clear();
  shared_pages_.clear();
  guesses_.clear();
  loads_.clear();
  sweep_loads_.clear();
}

}  // namespace shale::engine::btree
