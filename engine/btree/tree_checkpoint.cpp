// The tree's side of checkpoints: when one begins, and what becomes of what it has written.
#include <algorithm>
#include <cassert>

#include "engine/btree/checkpoint.h"
#include "engine/btree/tree.h"

namespace shale::engine::btree {

std::optional<Lsn> Tree::oldest_unpersisted_lsn() const {
  if (snapshot_ && snapshot_->first_lsn != 0) return snapshot_->first_lsn;
  if (first_lsn_ != 0) return first_lsn_;
  return {};
}

void Tree::flush() {
  if (snapshot_) {
    checkpoint_wanted_ = has_unpersisted();
  } else if (has_unpersisted()) {
    begin_checkpoint();
  }
}

void Tree::relieve_changes() {
  const std::lock_guard lock{owner_};
  if (!snapshot_ && store_.wants_checkpoint()) flush();
}

void Tree::tick() {
  if (!dead_looked_for_) reclaim_dead();
  look_up_guesses_when_idle();
  schedule_sweep();
}

void Tree::begin_checkpoint() {
  assert(!snapshot_);
  checkpoint_wanted_ = false;
  reclaim_pending_ = false;
  Snapshot snapshot;
  snapshot.root = root_;
  snapshot.epoch = epoch_++;
  snapshot.first_lsn = std::exchange(first_lsn_, 0);
  snapshot.lsn = std::max(last_lsn_, persisted_lsn_);
  snapshot.counts = counts_;
  snapshot.changed_bytes = changed_bytes();
  snapshot.generation = generation_;
  constexpr double kWrongPart = 0.01;
  snapshot.looks_up_guesses = wrong_guess_part_ > kWrongPart;
  snapshot.dropped_roots = std::exchange(dropped_roots_, {});
  open_guesses_ = 0;
  snapshot_ = std::move(snapshot);
  retiring_.insert(retiring_.end(), retired_.begin(), retired_.end());
  retired_.clear();
  store_.background().submit(Priority::flush, [this] { run_checkpoint(); });
}

void Tree::run_checkpoint() {
  const auto begin = store_.now();
  Status status;
  CheckpointProgress progress;
  {
    Checkpoint checkpoint{*this, *snapshot_};
    status = checkpoint.run();
    progress = std::move(checkpoint.progress());
  }
  std::vector<PageAddress> released;
  InnerNode::Ref root;  // both let go of without the lock
  std::vector<InnerNode::Ref> dropped;
  {
    const std::lock_guard lock{owner_};
    last_checkpoint_ = store_.now() - begin;
    root = std::move(snapshot_->root);
    dropped = std::move(snapshot_->dropped_roots);
    retiring_.insert(retiring_.end(), progress.superseded.begin(), progress.superseded.end());
    if (status) released = std::exchange(retiring_, {});
    finish_checkpoint(status, progress);
  }
  for (const PageAddress& page : released) store_.file().release(page.offset, page.bytes);
  if (!released.empty()) store_.file().cut_tail();
}

void Tree::finish_checkpoint(const Status& status, const CheckpointProgress& progress) {
  checkpoint_bytes_written_ += progress.bytes_written;
  checkpoint_bytes_read_ += progress.bytes_read;
  bases_written_ += progress.bases;
  changes_written_ += progress.changes;
  note_guesses_looked_up(progress.guesses, progress.wrong_guesses);
  checkpoint_ended_ = store_.now();
  const Snapshot snapshot = std::move(*snapshot_);
  snapshot_.reset();
  if (!status) {
    // The next one takes it all again.
    if (snapshot.first_lsn != 0) first_lsn_ = snapshot.first_lsn;
    reclaim_pending_ = true;
    if (status.error().kind != ErrorKind::busy) checkpoint_error_ = status.error();
    return;
  }
  checkpoint_error_.reset();
  ++checkpoints_;
  persisted_lsn_ = snapshot.lsn;
  store_.note_drained(snapshot.changed_bytes);
  if (checkpoint_wanted_) flush();
}

// --- Installing what has been written

void Tree::install(std::vector<WrittenLeaf>& leaves, std::vector<WrittenInner>& inner,
                   CheckpointProgress& progress) {
  const std::lock_guard lock{owner_};
  for (WrittenLeaf& written : leaves) install(written, progress);
  for (const WrittenInner& written : inner) {
    InnerNode& node = *written.node;
    if (node.is_retired) {
      retired_.push_back(written.page);  // the old one went there when the node did
    } else if (node.page.exists()) {
      progress.superseded.push_back(node.page);
    }
    node.page = written.page;
    node.written_epoch = snapshot_->epoch;
  }
  if (generation_ == snapshot_->generation) rebuild_badly_sized(leaves);
  make_room();
}

void Tree::install(WrittenLeaf& written, CheckpointProgress& progress) {
  Leaf& leaf = *written.taken.leaf;
  const auto supersede = [&](const PageAddress& before, const PageAddress& now) {
    if (before == now) return;
    if (before.exists() && !leaf.is_retired) progress.superseded.push_back(before);
    if (now.exists() && leaf.is_retired) retired_.push_back(now);
  };
  supersede(leaf.page, written.page);
  supersede(leaf.changes_page, written.changes_page);
  progress.count_changes.add(written.corrections.all());
  for (const Bytes& key : written.dropped_keys) {
    progress.count_changes.add(store_.options().policy->count_class(key), -1);
  }
  const bool is_in_tree = !leaf.is_retired && snapshot_->generation == generation_;
  const bool was_written = leaf.base_is_written();
  const std::uint64_t memory_before = changed_memory(leaf);
  const std::uint64_t images_before = LeafPool::image_bytes(leaf);
  if (is_in_tree) {
    settle_counts(written);
    census_.remove(leaf.base_bytes());
  }
  // What was in memory stays there.
  const bool keeps = leaf.queue != PoolQueue::none || !was_written;
  if (leaf.page != written.page || !was_written || written.base_has_changes) {
    leaf.base = keeps ? written.base : nullptr;
  }
  // A base with earlier changes applied is as good below the new ones, which repeat them.
  leaf.base_has_changes = keeps && written.base_has_changes;
  leaf.changes = keeps ? written.changes : nullptr;
  leaf.page = written.page;
  leaf.changes_page = written.changes_page;
  leaf.frozen.swap(written.taken.frozen);
  leaf.frozen.reset();
  if (!is_in_tree) return;
  census_.add(leaf.base_bytes());
  note_changed_memory(static_cast<std::int64_t>(changed_memory(leaf)) -
                      static_cast<std::int64_t>(memory_before));
  if (leaf.queue != PoolQueue::none) {
    pool_.resize(leaf, images_before);
  } else if (keeps && LeafPool::image_bytes(leaf) != 0) {
    pool_.add(leaf);
  }
}

// A key that was dropped and has been written again meanwhile was counted as replaced: it stands for itself
// now. If that was a guess, the guess is wrong now, and will be corrected.
void Tree::settle_counts(const WrittenLeaf& written) {
  counts_.add(written.corrections.all());
  const Leaf& leaf = *written.taken.leaf;
  for (const Bytes& key : written.dropped_keys) {
    bool is_written = false;
    const std::uint32_t index = leaf.buffer ? leaf.buffer->lower_bound(key, is_written) : 0;
    if (is_written && !leaf.buffer->at(index).tag.guessed) continue;
    counts_.add(store_.options().policy->count_class(key), -1);
  }
}

// Leaves that have grown or shrunk without being in memory.
void Tree::rebuild_badly_sized(const std::vector<WrittenLeaf>& leaves) {
  const std::size_t target = store_.options().node_bytes;
  for (const WrittenLeaf& written : leaves) {
    Leaf& leaf = *written.taken.leaf;
    const bool is_large = leaf.page.bytes > 2 * target;
    const bool is_small = leaf.page.bytes < target / 4;
    if (leaf.is_retired || !written.taken.frozen || (!is_large && !is_small)) continue;
    Path path = path_to(written.taken.frozen->at(0).key);
    if (&path.leaf() != &leaf) continue;
    if (!leaf.is_resident() && (is_large || has_resident_neighbour(path))) keep_image(leaf, written);
    if (!leaf.is_resident()) continue;
    const bool is_single = leaf.base && RecordPage{leaf.base->payload()}.count() < 2;
    if (is_large ? !is_single : !leaf.page.exists() || has_resident_neighbour(path)) rebuild(path);
  }
}

void Tree::keep_image(Leaf& leaf, const WrittenLeaf& written) {
  if (leaf.queue != PoolQueue::none || leaf.changes_page.exists() || !written.base) return;
  leaf.base = written.base;
  pool_.add(leaf);
}

bool Tree::has_resident_neighbour(const Path& path) {
  const Step& step = path.steps[path.depth - 1];
  const InnerNode& parent = *step.node;
  if (parent.count() < 2) return false;
  return parent.leaf(step.index > 0 ? step.index - 1 : step.index + 1).is_resident();
}

}  // namespace shale::engine::btree
