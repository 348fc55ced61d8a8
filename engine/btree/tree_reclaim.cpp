// Giving back the space of what has become obsolete: as a class, or, in time, by itself.
#include <algorithm>

#include "engine/btree/tree.h"

namespace shale::engine::btree {

void Tree::reclaim_obsolete(Lsn lsn) {
  reclaim_lsn_ = lsn;
  reclaim_pending_ = true;
  if (any_class_lives()) {
    begin_sweep(true);
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
  forget_all_records();
  if (part_ != nullptr) part_->clear();
  pool_bytes_ = 0;
  census_.clear();
  census_.add(0);
  inner_nodes_ = 1;
  counts_ = {};
  note_changed_memory(-static_cast<std::int64_t>(changed_bytes()));
  retained_bytes_ = 0;
  ++generation_;
  sweep_wanted_ = false;
}

void Tree::begin_sweep(bool of_all) {
  sweep_wanted_ = true;
  sweeps_all_ = of_all;
  sweep_key_.clear();
  sweep_oldest_ms_ = KeyPolicy::kNeverObsolete;
  schedule_sweep();
}

// A quarter of the time until a checkpoint has it; another until a sweep, of which there are sixteen in the
// time, finds it in its leaf; and an eighth until the page that had it is wiped (TreeStore::wipe_when_due).
void Tree::expel_overdue() {
  constexpr std::int64_t kSweeps = 16;
  const std::int64_t age_max_ms = store_.options().deletion_age_max.count();
  if (age_max_ms == 0) return;
  const std::int64_t now_ms = store_.options().clock->unix_ms();
  if (first_lsn_ != 0 && first_write_ms_ + age_max_ms / 4 <= now_ms && !checkpoint_error_) {
    request_checkpoint();  // nobody may write any more
  }
  if (sweep_wanted_ || now_ms < next_expulsion_ms_) return;
  next_expulsion_ms_ = now_ms + age_max_ms / kSweeps;
  sweep_due_ms_ = now_ms - age_max_ms / 4;
  begin_sweep(false);
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
  oldest_obsolete_ms_ = sweep_oldest_ms_;
  if (sweeps_all_) forget_dead_classes();
  if (!sweeps_all_ && changed_bytes() == 0) return;
  reclaim_pending_ = true;  // pages
  request_checkpoint();
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
  constexpr std::uint64_t kBytesPassing = 64;     // and so does one that is passed by
  constexpr std::size_t kLoadsMax = 16;
  for (std::uint64_t bytes = 0; bytes < kBytesMax;) {
    Path path = path_to(sweep_key_);
    const Leaf& leaf = path.leaf();
    const bool is_swept = is_to_be_swept(leaf);
    if (is_swept && !leaf.is_resident()) {
      auto load = load_of(path.leaf());
      if (!load->failure()) {  // what cannot be read stays
        for (sweep_loads_.push_back(std::move(load)); sweep_loads_.size() < kLoadsMax && path.to_next();) {
          const bool is_wanted = is_to_be_swept(path.leaf()) && !path.leaf().is_resident();
          if (is_wanted) sweep_loads_.push_back(load_of(path.leaf()));
          if (!is_wanted && !sweeps_all_) break;
        }
        return false;
      }
    }
    bytes += is_swept ? kBytesPerLeaf + leaf.base_bytes() : kBytesPassing;
    const Bytes* const end = path.end();
    const std::optional<Bytes> next = end != nullptr ? std::optional{*end} : std::nullopt;
    if (is_swept && leaf.is_resident()) {
      sweep(path);
    } else {
      sweep_oldest_ms_ = std::min(sweep_oldest_ms_, leaf.obsolete_from_ms);
    }
    if (!next) return true;
    sweep_key_ = *next;
  }
  return false;
}

void Tree::sweep(Path& path) {
  Leaf& leaf = path.leaf();
  if (has_obsolete(leaf)) return rebuild(path);
  if (sweeps_all_) return;
  // Something that would be by now has been written over.
  const RecordPage& base = leaf.base.records();
  std::int64_t from_ms = KeyPolicy::kNeverObsolete;
  Bytes key;
  for (std::uint32_t i = 0; i < base.count(); ++i) {
    const BytesView value = base.entry(i, key);
    from_ms = std::min(from_ms, store_.options().policy->obsolete_from_ms(key, value));
  }
  leaf.obsolete_from_ms = from_ms;
}

// Changes are not looked at: what they erase, or hide, is in the base on disk.
bool Tree::has_obsolete(const Leaf& leaf) const {
  if (!sweeps_all_ && leaf.changes_page.exists()) return true;
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
