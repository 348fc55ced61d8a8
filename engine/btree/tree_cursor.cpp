#include "engine/btree/tree_cursor.h"

#include <algorithm>

namespace shale::engine::btree {

LeafRecords::LeafRecords(const Leaf& leaf) : layers_(leaf.layers()) {
  if (layers_.count() == 0) return;
  is_plain_ = layers_.count() == 1 && layers_.has_base();
  if (is_plain_) {
    count_ = layers_[0].count();
  } else {
    gather();
  }
}

// The newer layers are small: each of their keys is looked for in the base, whose records between them are
// taken as they are.
void LeafRecords::gather() {
  const auto base = static_cast<std::uint32_t>(layers_.count() - 1);
  const std::uint32_t base_count = layers_.has_base() ? layers_[base].count() : 0;
  Layers newer;
  for (std::uint32_t i = 0; i < layers_.count() - (layers_.has_base() ? 1 : 0); ++i) newer.add(layers_[i]);
  std::uint32_t next_of_base = 0;
  const auto take_base_to = [&](std::uint32_t end) {
    while (next_of_base < end) places_.push_back({base, next_of_base++});
  };
  places_.reserve(base_count + newer[0].count());
  LayersMerge merge{newer};
  while (const MergedKey* key = merge.next()) {
    bool is_in_base = false;
    if (layers_.has_base()) take_base_to(layers_[base].lower_bound(key->key, is_in_base));
    if (is_in_base) ++next_of_base;
    const auto index = static_cast<std::uint32_t>(key->index[key->newest]);
    if (newer[key->newest].tag(index).erased) continue;
    places_.push_back({static_cast<std::uint32_t>(key->newest), index});
  }
  take_base_to(base_count);
  count_ = static_cast<std::uint32_t>(places_.size());
}

std::uint32_t LeafRecords::lower_bound(BytesView key) const {
  if (count_ == 0) return 0;
  if (is_plain_) {
    bool is_equal = false;
    return layers_[0].lower_bound(key, is_equal);
  }
  Bytes scratch;
  const auto found = std::ranges::partition_point(
      places_, [&](const Place& place) { return layers_[place.layer].key(place.index, scratch) < key; });
  return static_cast<std::uint32_t>(found - places_.begin());
}

Record LeafRecords::entry(std::uint32_t number, Bytes& scratch) const {
  if (is_plain_) return layers_[0].entry(number, scratch);
  return layers_[places_[number].layer].entry(places_[number].index, scratch);
}

Status TreeCursor::seek(BytesView key) {
  valid_ = false;
  const BytesView from = std::max<BytesView>(key, begin_);
  if (!end_.empty() && from >= end_) return {};
  path_ = tree_.path_to(from);
  if (auto entered = enter_leaf(Coming::from_above); !entered) return entered;
  number_ = records_.lower_bound(from);
  return go_forward();
}

Status TreeCursor::seek_before(BytesView key) {
  valid_ = false;
  const BytesView before = end_.empty() ? key : std::min<BytesView>(key, end_);
  if (before <= begin_) return {};
  path_ = tree_.path_to(before);
  const Bytes* const begin = path_.begin();
  if (begin != nullptr && *begin == before) {  // all of this leaf is behind
    records_ = {};
    number_ = 0;
    return go_back();
  }
  if (auto entered = enter_leaf(Coming::from_above); !entered) return entered;
  number_ = records_.lower_bound(before);
  return go_back();
}

Status TreeCursor::seek_last() {
  if (!end_.empty()) return seek_before(end_);
  valid_ = false;
  path_ = tree_.path_to_last();
  if (auto entered = enter_leaf(Coming::from_above); !entered) return entered;
  number_ = records_.count();
  return go_back();
}

Status TreeCursor::next() {
  ++number_;
  return go_forward();
}

Status TreeCursor::previous() { return go_back(); }

Status TreeCursor::enter_leaf(Coming coming) {
  Leaf& leaf = path_.leaf();
  LeafWorkload& workload = tree_.workload();
  const bool is_walk = coming == Coming::from_neighbour;
  if (!leaf.is_resident()) {
    ++(is_walk ? workload.walks_fetched : workload.leaves_fetched);
    return tree_.lacking(leaf, context_);
  }
  leaf.prefetch_search();
  records_ = LeafRecords{leaf};
  if (is_walk) {
    ++workload.leaves_walked;
  } else {
    workload.records_merged += records_.merged();
  }
  return {};
}

Status TreeCursor::go_forward() {
  valid_ = false;
  while (number_ >= records_.count()) {
    const Bytes* const end = path_.end();
    if (end == nullptr || (!end_.empty() && *end >= end_)) return {};
    path_.to_next();
    if (auto entered = enter_leaf(Coming::from_neighbour); !entered) {
      read_ahead();
      return entered;
    }
    number_ = 0;
  }
  stand_at(number_);
  if (!end_.empty() && key_ >= end_) valid_ = false;
  return {};
}

Status TreeCursor::go_back() {
  valid_ = false;
  while (number_ == 0) {
    const Bytes* const begin = path_.begin();
    if (begin == nullptr || *begin <= begin_) return {};
    path_.to_previous();
    if (auto entered = enter_leaf(Coming::from_neighbour); !entered) return entered;
    number_ = records_.count();
  }
  stand_at(number_ - 1);
  if (key_ < begin_) valid_ = false;
  return {};
}

void TreeCursor::stand_at(std::uint32_t number) {
  number_ = number;
  const Record record = records_.entry(number, scratch_);
  key_ = record.key;
  value_ = record.value;
  valid_ = true;
  if (number % kStepsPerPrefetch == 0) prefetch_next_leaf(number);
}

// A walk forward comes to it next. In steps, because each needs what the one before fetched.
void TreeCursor::prefetch_next_leaf(std::uint32_t number) const {
  const Tree::Step& step = path_.last();
  if (number + 3 * kStepsPerPrefetch < records_.count() || step.index + 1 == step.node->count()) return;
  const Leaf& leaf = step.node->leaf(step.index + 1);
  if (number + 2 * kStepsPerPrefetch < records_.count()) {
    leaf.prefetch();
  } else {
    leaf.prefetch_search();
  }
}

// Who has come this far wants more, as a rule.
void TreeCursor::read_ahead() {
  constexpr int kLeaves = 7;
  Tree::Path path = path_;
  for (int i = 0; i < kLeaves; ++i) {
    const Bytes* const end = path.end();
    if (end == nullptr || (!end_.empty() && *end >= end_)) return;
    path.to_next();
    if (path.leaf().is_resident()) return;
    static_cast<void>(tree_.lacking(path.leaf(), context_));
  }
}

}  // namespace shale::engine::btree
