// Giving back the space of what has become obsolete as a class.
#include <algorithm>

#include "engine/btree/tree.h"

namespace shale::engine::btree {

void Tree::reclaim_obsolete(Lsn lsn) {
  reclaim_lsn_ = lsn;
  reclaim_pending_ = true;
  if (any_class_lives()) {
    sweep_wanted_ = true;
    sweep_key_.clear();
    schedule_sweep();
  } else {
    drop_everything();
    flush();
  }
}

void Tree::reclaim_dead() {
  dead_looked_for_ = true;
  const bool has_dead = std::ranges::any_of(counts_.all(), [this](const lsm::ClassBalance& known) {
    return known.sum != 0 && !store_.options().policy->is_live_class(known.count_class);
  });
  if (has_dead) reclaim_obsolete(reclaim_lsn_);
}

// Classes are listed once a key of theirs has been written, whatever their count: that may be a guess.
bool Tree::any_class_lives() const {
  return std::ranges::any_of(counts_.all(), [this](const lsm::ClassBalance& known) {
    return store_.options().policy->is_live_class(known.count_class);
  });
}

// In time that does not depend on how much there is: the next checkpoint looks for the pages.
void Tree::drop_everything() {
  dropped_roots_.push_back(std::exchange(root_, InnerNode::make_empty(epoch_)));
  pool_.clear();
  if (part_ != nullptr) part_->clear();
  pool_bytes_ = 0;
  census_.clear();
  census_.add(0);
  inner_nodes_ = 1;
  counts_ = {};
  note_changed_memory(-static_cast<std::int64_t>(changed_bytes()));
  ++generation_;
  sweep_wanted_ = false;
}

void Tree::schedule_sweep() {
  if (stopping_ || !sweep_wanted_ || sweep_running_) return;
  sweep_running_ = true;
  store_.background().submit(Priority::deep_compaction, [self = shared_from_this()] { self->run_sweep(); });
}

void Tree::run_sweep() {
  std::vector<std::shared_ptr<LeafLoad>> loads;
  {
    const std::lock_guard lock{owner_};
    loads = std::exchange(sweep_loads_, {});
  }
  for (const auto& load : loads) load->run();
  const std::lock_guard lock{owner_};
  sweep_running_ = false;
  if (!sweep_wanted_) return;
  if (store_.wants_checkpoint()) {
    write_changes_out();  // the sweep goes on with a tick
    return;
  }
  if (!sweep_some()) return schedule_sweep();
  sweep_wanted_ = false;
  forget_dead_classes();
  reclaim_pending_ = true;
  flush();
}

// Those of which nothing is left.
void Tree::forget_dead_classes() {
  lsm::ClassCounts kept;
  for (const lsm::ClassBalance& known : counts_.all()) {
    const bool is_live = store_.options().policy->is_live_class(known.count_class);
    if (is_live || known.sum != 0) kept.add(known.count_class, known.sum);
  }
  counts_ = std::move(kept);
}

bool Tree::sweep_some() {
  constexpr std::uint64_t kBytesMax = 64u << 10;  // with the lock held, so some hundred microseconds
  constexpr std::uint64_t kBytesPerLeaf = 256;    // at least: an empty one takes time, too
  constexpr std::size_t kLoadsMax = 16;
  for (std::uint64_t bytes = 0; bytes < kBytesMax;) {
    Path path = path_to(sweep_key_);
    Leaf& leaf = path.leaf();
    if (!leaf.is_resident()) {
      auto load = load_of(leaf);
      if (!load->failure()) {  // what cannot be read stays
        for (sweep_loads_.push_back(std::move(load)); sweep_loads_.size() < kLoadsMax && path.to_next();) {
          if (!path.leaf().is_resident()) sweep_loads_.push_back(load_of(path.leaf()));
        }
        return false;
      }
    }
    bytes += kBytesPerLeaf + leaf.base_bytes();
    const Bytes* const end = path.end();
    const std::optional<Bytes> next = end != nullptr ? std::optional{*end} : std::nullopt;
    if (leaf.is_resident() && has_obsolete(leaf)) rebuild(path);
    if (!next) return true;
    sweep_key_ = *next;
  }
  return false;
}

bool Tree::has_obsolete(const Leaf& leaf) const {
  const std::int64_t now_ms = store_.options().clock->unix_ms();
  const Layers layers = leaf.layers();
  LayersMerge merge{layers};
  while (const MergedKey* key = merge.next()) {
    const auto index = static_cast<std::uint32_t>(key->index[key->newest]);
    const Layer& layer = layers[key->newest];
    if (!layer.tag(index).erased && store_.is_obsolete(key->key, layer.value(index), now_ms)) return true;
  }
  return false;
}

}  // namespace shale::engine::btree
