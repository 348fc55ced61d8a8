#include "engine/lsm/memtable_order.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "engine/memory/cache_line.h"

namespace shale::engine::lsm {

namespace {

constexpr std::uint32_t kNodeKeys = 62;         // a leaf is then 12 cache lines, an inner node 16
constexpr std::uint32_t kPrefetchDistance = 8;  // records; enough to hide one miss behind the work on others

// Requires that the key has a prefix of that length; substr would check it, in the innermost loop.
BytesView behind(BytesView key, std::size_t prefix_bytes) {
  assert(prefix_bytes <= key.size());
  return {key.data() + prefix_bytes, key.size() - prefix_bytes};
}
std::uint64_t head_behind(BytesView key, std::size_t prefix_bytes) {
  return key_head(behind(key, prefix_bytes));
}

std::size_t common_prefix_bytes(BytesView a, BytesView b) {
  const auto end = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
  return static_cast<std::size_t>(end - a.begin());
}

}  // namespace

struct MemtableOrder::Node {
  std::uint32_t count;         // of keys in a leaf, of separators in an inner node
  std::uint32_t prefix_bytes;  // skipped by the heads
  Reference next;              // leaves only: 0 at the end
  Reference previous;
  std::uint64_t heads[kNodeKeys];
  Reference records[kNodeKeys];

  void insert(std::uint32_t index, std::uint64_t head, Reference reference) {
    std::copy_backward(heads + index, heads + count, heads + count + 1);
    std::copy_backward(records + index, records + count, records + count + 1);
    heads[index] = head;
    records[index] = reference;
    ++count;
  }
  // Moves what stands at `from` and behind to the empty node `right`.
  void split_off(std::uint32_t from, Node& right) {
    std::copy(heads + from, heads + count, right.heads);
    std::copy(records + from, records + count, right.records);
    right.count = count - from;
    right.prefix_bytes = prefix_bytes;
    count = from;
  }
  void prefetch() const {  // all of it at once: one miss of latency instead of one per step of a search
    const auto* begin = reinterpret_cast<const std::byte*>(this);
    for (std::size_t i = 0; i < sizeof *this; i += kCacheLineBytes) __builtin_prefetch(begin + i);
  }
  bool has_equal_heads() const { return std::adjacent_find(heads, heads + count) != heads + count; }
};

struct MemtableOrder::Leaf : Node {};

struct MemtableOrder::Inner : Node {
  Reference children[kNodeKeys + 1];

  void insert_child(std::uint32_t index, std::uint64_t head, Reference separator, Reference child) {
    std::copy_backward(children + index + 1, children + count + 1, children + count + 2);
    children[index + 1] = child;
    insert(index, head, separator);
  }
};

// The inner nodes from the root down to a leaf, and which child was taken in each.
struct MemtableOrder::Path {
  static constexpr std::size_t kLevelsMax = 8;  // nodes are at least half full, and references have 32 bits
  struct Step {
    Inner* inner;
    std::uint32_t child;
  };

  // The separators nearest before and behind what lies below the first `level_count` steps; 0 if there is
  // none.
  Reference lower_fence(std::uint32_t level_count) const {
    while (level_count-- > 0) {
      const Step& step = steps[level_count];
      if (step.child > 0) return step.inner->records[step.child - 1];
    }
    return 0;
  }
  Reference upper_fence(std::uint32_t level_count) const {
    while (level_count-- > 0) {
      const Step& step = steps[level_count];
      if (step.child < step.inner->count) return step.inner->records[step.child];
    }
    return 0;
  }

  std::array<Step, kLevelsMax> steps;
};

MemtableOrder::Node& MemtableOrder::node(Reference reference) const {
  return *reinterpret_cast<Node*>(arena_.at(reference));
}
MemtableOrder::Leaf& MemtableOrder::leaf(Reference reference) const {
  return *reinterpret_cast<Leaf*>(arena_.at(reference));
}
MemtableOrder::Inner& MemtableOrder::inner(Reference reference) const {
  return *reinterpret_cast<Inner*>(arena_.at(reference));
}

std::uint32_t MemtableOrder::rank(const Node& node, BytesView key, bool and_equal) const {
  const std::uint64_t head = head_behind(key, node.prefix_bytes);
  const auto* const begin = node.heads;
  const auto* const end = node.heads + node.count;
  const auto* low = begin;
  for (std::size_t count = node.count;
       count > 0;) {  // no branch depends on a head: half of them would be mispredicted
    const std::size_t half = (count + 1) / 2;
    low += half & -static_cast<std::size_t>(low[half - 1] < head);
    count -= half;
  }
  if (low == end || *low != head) [[likely]]
    return static_cast<std::uint32_t>(low - begin);
  const auto* const high = std::upper_bound(low, end, head);
  const BytesView rest = behind(key, node.prefix_bytes);
  const auto* const first = node.records + (low - begin);
  const auto* const last = node.records + (high - begin);
  const auto* const found = std::partition_point(first, last, [&](Reference reference) {
    const int order = behind(key_of(reference), node.prefix_bytes).compare(rest);
    return order < 0 || (and_equal && order == 0);
  });
  return static_cast<std::uint32_t>(found - node.records);
}

// The leaf where `key` belongs; the way there goes to `path`, if that is wanted.
Reference MemtableOrder::descend(BytesView key, Path* path) const {
  Reference reference = root_;
  for (std::uint32_t level = 0; level < inner_level_count_; ++level) {
    Inner& step = inner(reference);
    step.prefetch();
    const std::uint32_t child = rank(step, key, true);
    if (path != nullptr) path->steps[level] = {&step, child};
    reference = step.children[child];
  }
  leaf(reference).prefetch();
  return reference;
}

void MemtableOrder::prefetch(BytesView key) const {
  if (root_ != 0) descend(key, nullptr);
}

void MemtableOrder::insert(Reference record) {
  const BytesView key = key_of(record);
  if (root_ == 0) {
    root_ = first_leaf_ = last_leaf_ = arena_.allocate(sizeof(Leaf), kCacheLineBytes);
    leaf(root_).count = leaf(root_).prefix_bytes = leaf(root_).next = leaf(root_).previous = 0;
  }
  Path path;
  const Reference left_reference = descend(key, &path);
  Leaf& left = leaf(left_reference);
  const std::uint32_t index = rank(left, key, false);
  const std::uint64_t head = head_behind(key, left.prefix_bytes);
  if (left.count < kNodeKeys) {
    left.insert(index, head, record);
    return;
  }

  // Keys that come in ascending order leave full leaves behind.
  const bool ascending = left.next == 0 && index == kNodeKeys;
  const std::uint32_t middle = ascending ? kNodeKeys : kNodeKeys / 2;
  const bool wants_prefix = left.has_equal_heads();
  const Reference right_reference = arena_.allocate(sizeof(Leaf), kCacheLineBytes);
  Leaf& right = leaf(right_reference);
  left.split_off(middle, right);
  right.next = left.next;
  right.previous = left_reference;
  left.next = right_reference;
  (right.next == 0 ? last_leaf_ : leaf(right.next).previous) = right_reference;
  if (index < middle) {
    left.insert(index, head, record);
  } else {
    right.insert(index - middle, head, record);
  }
  const Reference separator = right.records[0];
  if (wants_prefix) {
    set_prefix(left, path.lower_fence(inner_level_count_), separator);
    set_prefix(right, separator, path.upper_fence(inner_level_count_));
  }
  add_to_parent(path, inner_level_count_, separator, right_reference);
}

// `right` has been split off from the node below the first `level` steps of the path; `separator` is the
// smallest key in it.
void MemtableOrder::add_to_parent(Path& path, std::uint32_t level, Reference separator, Reference right) {
  if (level == 0) {
    assert(inner_level_count_ < Path::kLevelsMax);
    const Reference root_reference = arena_.allocate(sizeof(Inner), kCacheLineBytes);
    Inner& root = inner(root_reference);
    root.count = root.prefix_bytes = root.next = root.previous = 0;
    root.children[0] = root_;
    root.insert_child(0, head_behind(key_of(separator), 0), separator, right);
    root_ = root_reference;
    ++inner_level_count_;
    return;
  }
  const std::uint32_t parent_level = level - 1;
  Inner& parent = *path.steps[parent_level].inner;
  const std::uint32_t index = path.steps[parent_level].child;
  const BytesView key = key_of(separator);
  if (parent.count < kNodeKeys) {
    parent.insert_child(index, head_behind(key, parent.prefix_bytes), separator, right);
    return;
  }

  // The separator in the middle moves up.
  const bool ascending = index == kNodeKeys && path.upper_fence(parent_level) == 0;
  const std::uint32_t middle = ascending ? kNodeKeys - 1 : kNodeKeys / 2;
  const bool wants_prefix = parent.has_equal_heads();
  const Reference middle_separator = parent.records[middle];
  const Reference sibling_reference = arena_.allocate(sizeof(Inner), kCacheLineBytes);
  Inner& sibling = inner(sibling_reference);
  sibling.next = sibling.previous = 0;
  parent.split_off(middle + 1, sibling);
  std::copy(parent.children + middle + 1, parent.children + kNodeKeys + 1, sibling.children);
  --parent.count;
  if (wants_prefix) {
    set_prefix(parent, path.lower_fence(parent_level), middle_separator);
    set_prefix(sibling, middle_separator, path.upper_fence(parent_level));
  }
  Inner& target = index <= middle ? parent : sibling;
  target.insert_child(index <= middle ? index : index - middle - 1, head_behind(key, target.prefix_bytes),
                      separator, right);
  add_to_parent(path, parent_level, middle_separator, sibling_reference);
}

// Takes what the separators around the node have in common, and the heads behind it.
void MemtableOrder::set_prefix(Node& node, Reference lower, Reference upper) {
  if (lower == 0 || upper == 0) return;
  const std::size_t prefix_bytes = common_prefix_bytes(key_of(lower), key_of(upper));
  if (prefix_bytes == node.prefix_bytes) return;
  node.prefix_bytes = static_cast<std::uint32_t>(prefix_bytes);
  for (std::uint32_t i = 0; i < node.count; ++i) __builtin_prefetch(arena_.at(node.records[i]));
  for (std::uint32_t i = 0; i < node.count; ++i) {
    node.heads[i] = head_behind(key_of(node.records[i]), prefix_bytes);
  }
}

void MemtableOrder::replace(Reference old_record, Reference record) {
  const BytesView key = key_of(old_record);
  Path path;
  Leaf& target = leaf(descend(key, &path));
  for (std::uint32_t level = 0; level < inner_level_count_; ++level) {
    const auto [step, child] = path.steps[level];
    if (child > 0 && step->records[child - 1] == old_record) step->records[child - 1] = record;
  }
  const std::uint32_t index = rank(target, key, false);
  assert(target.records[index] == old_record);
  target.records[index] = record;
}

MemtableOrder::Position MemtableOrder::first() const { return {first_leaf_, 0}; }

MemtableOrder::Position MemtableOrder::last() const {
  if (last_leaf_ == 0) return {};
  return {last_leaf_, leaf(last_leaf_).count - 1};
}

MemtableOrder::Position MemtableOrder::lower_bound(BytesView key) const {
  if (root_ == 0) return {};
  const Reference reference = descend(key, nullptr);
  const Leaf& target = leaf(reference);
  const std::uint32_t index = rank(target, key, false);
  if (index == target.count) return {target.next, 0};
  return {reference, index};
}

MemtableOrder::Position MemtableOrder::next(Position position) const {
  const Leaf& here = leaf(position.leaf);
  if (position.index + 1 == here.count) return {here.next, 0};
  return {position.leaf, position.index + 1};
}

MemtableOrder::Position MemtableOrder::previous(Position position) const {
  if (position.index > 0) return {position.leaf, position.index - 1};
  const Reference before = leaf(position.leaf).previous;
  if (before == 0) return {};
  return {before, leaf(before).count - 1};
}

Reference MemtableOrder::record_at(Position position) const {
  return leaf(position.leaf).records[position.index];
}

void MemtableOrder::prefetch_ahead(Position position) const {
  const Leaf* here = &leaf(position.leaf);
  if (position.index == 0 && here->next != 0) leaf(here->next).prefetch();
  std::uint32_t index = position.index + kPrefetchDistance;
  if (index >= here->count) {
    if (here->next == 0) return;
    index -= here->count;
    here = &leaf(here->next);
    if (index >= here->count) return;
  }
  const std::byte* ahead = arena_.at(here->records[index]);
  __builtin_prefetch(ahead);
  __builtin_prefetch(ahead + kCacheLineBytes);
}

}  // namespace shale::engine::lsm
