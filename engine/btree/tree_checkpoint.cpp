// The tree's side of checkpoints: when one begins, and what becomes of what it has written.
#include <algorithm>
#include <array>
#include <cassert>
#include <thread>
#include <utility>

#include "engine/btree/checkpoint.h"
#include "engine/btree/leaf_size.h"
#include "engine/btree/tree.h"

namespace shale::engine::btree {

std::optional<Lsn> Tree::oldest_unpersisted_lsn() const {
  if (snapshot_ && snapshot_->first_lsn != 0) return snapshot_->first_lsn;
  if (first_lsn_ != 0) return first_lsn_;
  return {};
}

void Tree::flush() {
  if (stopping_) return;
  is_checkpoint_urgent_ = true;
  request_checkpoint();
}

void Tree::request_checkpoint() {
  if (stopping_) return;
  if (snapshot_) {
    checkpoint_wanted_ = has_unpersisted();
  } else if (has_unpersisted()) {
    begin_checkpoint();
  }
}

void Tree::relieve_changes() {
  const std::lock_guard lock{owner_};
  if (store_.wants_checkpoint()) write_changes_out();
}

// For the memory's sake: also leaves that were only built anew, with no record that is not on disk.
void Tree::write_changes_out() {
  if (stopping_ || snapshot_) return;
  if (has_unpersisted() || changed_bytes() != 0) begin_checkpoint();
}

void Tree::resume_work() {
  stopping_ = false;
  schedule_resolution();
  schedule_sweep();
  if (store_.wants_checkpoint()) write_changes_out();
}

// What left the tree goes with the checkpoint after, and there has been none.
std::vector<PageAddress> Tree::own_pages() const {
  std::vector<PageAddress> pages = retired_;
  pages.insert(pages.end(), retiring_.begin(), retiring_.end());
  for (const InnerNode::Ref& root : dropped_roots_) append_pages(*root, pages);
  append_pages(*root_, pages);
  return pages;
}

std::vector<PageAddress> Tree::pages() const {
  std::vector<PageAddress> all = own_pages();
  for (const auto& shared : shared_pages_) {
    const std::vector<PageAddress> more = shared->pages();
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

std::vector<PageAddress> Tree::take_pages() {
  std::vector<PageAddress> taken = own_pages();
  retired_.clear();
  retiring_.clear();
  dropped_roots_.clear();
  shared_pages_.clear();
  return taken;
}

void Tree::tick() {
  if (!dead_looked_for_) reclaim_dead();
  adapt();
  adapt_record_cache();
  look_up_guesses_when_idle();
  expel_overdue();
  schedule_sweep();
  move_pages();
  store_.wipe_when_due();
}

// One step: the checkpoint moves them. A tree whose last one found none there waits until the file has become
// shorter by the doing of others; one that found no room further in front, until it has something to write.
void Tree::move_pages() {
  constexpr std::chrono::seconds kPause{1};
  const std::uint64_t from = store_.file().move_from();
  if (from == PageFile::kNowhere || from >= nothing_to_move_from_) return;
  if (snapshot_ || checkpoint_error_ || store_.now() - checkpoint_ended_ < kPause) return;
  reclaim_pending_ = true;
  request_checkpoint();
}

void Tree::begin_checkpoint() {
  assert(!snapshot_ && !stopping_);
  checkpoint_wanted_ = false;
  reclaim_pending_ = false;
  Snapshot snapshot;
  snapshot.root = root_;
  snapshot.epoch = epoch_++;
  snapshot.first_lsn = std::exchange(first_lsn_, 0);
  snapshot.lsn = std::max(last_lsn_, persisted_lsn_);
  snapshot.counts = counts_;
  snapshot.changed_bytes = changed_bytes();
  snapshot.user_bytes = user_bytes_written_ - std::exchange(user_bytes_at_checkpoint_, user_bytes_written_);
  snapshot.work_per_byte = work_per_byte_;
  snapshot.generation = generation_;
  snapshot.writes = workload_.writes - std::exchange(writes_at_checkpoint_, workload_.writes);
  constexpr double kWrongPart = 0.01;
  snapshot.looks_up_guesses = wrong_guess_part_ > kWrongPart;
  snapshot.dropped_roots = std::exchange(dropped_roots_, {});
  snapshot.shared_pages = std::exchange(shared_pages_, {});
  open_guesses_ = 0;
  snapshot_ = std::move(snapshot);
  is_writing_checkpoint_ = true;
  retiring_.insert(retiring_.end(), retired_.begin(), retired_.end());
  retired_.clear();
  store_.background().submit(Priority::flush, [self = shared_from_this()] { self->run_checkpoint(); });
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
  std::vector<PageAddress> released = std::move(progress.superseded);
  InnerNode::Ref root;  // all let go of without the lock
  std::vector<InnerNode::Ref> dropped;
  std::vector<std::shared_ptr<SharedPages>> shared;
  {
    const std::lock_guard lock{owner_};
    last_checkpoint_ = store_.now() - begin;
    root = std::move(snapshot_->root);
    note_changed_memory(-static_cast<std::int64_t>(std::exchange(retained_bytes_, 0)));
    dropped = std::move(snapshot_->dropped_roots);
    // Few left the tree otherwise, while a checkpoint may have superseded very many.
    released.insert(released.end(), retiring_.begin(), retiring_.end());
    retiring_.clear();
    shared = std::move(snapshot_->shared_pages);
    if (!status) {
      retiring_.swap(released);
      shared_pages_.insert(shared_pages_.end(), shared.begin(), shared.end());
    }
    finish_checkpoint(status, progress);
  }
  for (const PageAddress& page : released) store_.file().release(page.offset, page.bytes);
  if (!released.empty()) store_.file().cut_tail();
}

// Nodes that have moved are installed in their new places, below nodes that still say the old ones, and that
// nothing else has changed: those must be written before the old places are free.
void Tree::mark_changed(InnerNode& node) const {
  node.changed_epoch = epoch_;
  if (node.level() == 1) return;
  for (std::size_t i = 0; i < node.count(); ++i) mark_changed(node.inner(i));
}

void Tree::finish_checkpoint(const Status& status, const CheckpointProgress& progress) {
  checkpoint_bytes_written_ += progress.bytes_written;
  checkpoint_bytes_read_ += progress.bytes_read;
  moved_bytes_ += progress.moved_bytes;
  if (progress.found_no_room) {
    nothing_to_move_from_ = 0;
  } else {
    nothing_to_move_from_ = progress.moved_bytes == 0 ? progress.moved_from : PageFile::kNowhere;
  }
  bases_written_ += progress.bases;
  changes_written_ += progress.changes;
  note_guesses_looked_up(progress.guesses, progress.wrong_guesses);
  checkpoint_ended_ = store_.now();
  const Snapshot snapshot = std::move(*snapshot_);
  snapshot_.reset();
  is_writing_checkpoint_ = false;
  if (!checkpoint_wanted_) is_checkpoint_urgent_ = false;  // else somebody waits for the one that follows
  if (!status) {
    // The next one takes it all again.
    if (progress.moved_from != PageFile::kNowhere) mark_changed(*root_);
    if (snapshot.first_lsn != 0) first_lsn_ = snapshot.first_lsn;
    reclaim_pending_ = true;
    if (status.error().kind != ErrorKind::busy) {
      checkpoint_error_ = status.error();
      store_.failed_checkpoints().note(*this, *checkpoint_error_);
    }
    return;
  }
  // A checkpoint of a handful of records, as an idle tree writes it, says nothing of the workload.
  constexpr std::uint64_t kWritesThatTell = 256;
  if (snapshot.writes >= kWritesThatTell) {
    last_costs_ = {snapshot.writes,         census_.leaves(),     census_.bytes(),
                   progress.leaves_changed, progress.fresh_bytes, progress.merged_bytes};
  }
  note_work(snapshot, progress);
  checkpoint_error_.reset();
  store_.failed_checkpoints().forget(*this);
  ++checkpoints_;
  persisted_lsn_ = snapshot.lsn;
  store_.note_drained(snapshot.changed_bytes);
  if (checkpoint_wanted_) request_checkpoint();
}

// What a checkpoint of few records costs is mostly inner nodes.
void Tree::note_work(const Snapshot& snapshot, const CheckpointProgress& progress) {
  constexpr std::uint64_t kBytesThatTell = 64u << 10;
  constexpr double kWeight = 0.5;  // of the newest
  if (snapshot.user_bytes < kBytesThatTell) return;
  const auto work = static_cast<double>(progress.bytes_read + progress.bytes_written - progress.moved_bytes);
  work_per_byte_ += kWeight * (work / static_cast<double>(snapshot.user_bytes) - work_per_byte_);
}

// --- Installing what has been written

// A part at a time: whoever waits for the lock waits for one. Between two parts it takes a moment's sleep to
// let others have it, since a mutex that is free at once goes to who asks first.
void Tree::install(std::vector<WrittenLeaf>& leaves, std::vector<WrittenInner>& inner,
                   CheckpointProgress& progress) {
  constexpr std::size_t kLeaves = 32;
  constexpr std::size_t kInnerNodes = 256;
  constexpr std::chrono::microseconds kMoment{50};
  for (std::span<WrittenLeaf> rest{leaves}; !rest.empty();) {
    const auto part = rest.first(std::min(rest.size(), kLeaves));
    rest = rest.subspan(part.size());
    install_some(part, progress);
    if (!rest.empty()) std::this_thread::sleep_for(kMoment);
  }
  for (std::span<WrittenInner> rest{inner}; !rest.empty();) {
    const auto part = rest.first(std::min(rest.size(), kInnerNodes));
    rest = rest.subspan(part.size());
    install_some(part, progress);
  }
}

void Tree::install_some(std::span<WrittenLeaf> leaves, CheckpointProgress& progress) {
  const std::lock_guard lock{owner_};
  for (WrittenLeaf& written : leaves) install(written, progress);
  if (generation_ == snapshot_->generation) join_small(leaves, progress);
  make_room();
}

void Tree::install_some(std::span<WrittenInner> inner, CheckpointProgress& progress) {
  const std::lock_guard lock{owner_};
  for (const WrittenInner& written : inner) {
    InnerNode& node = *written.node;
    if (node.is_retired) {
      retired_.push_back(written.page);  // the old one went there when the node did
    } else if (node.page.exists()) {
      progress.superseded.push_back(node.page);
    }
    node.page = written.page;
    node.written_keys = written.keys;
    node.written_epoch = snapshot_->epoch;
  }
}

// No one else looks at it: who reads the tree finds others in its place.
void Tree::let_go_of_memory(Leaf& leaf) {
  leaf.buffer.reset();
  leaf.frozen.reset();
  leaf.changes.reset();
  leaf.base.reset();
  const std::uint64_t retained = std::exchange(leaf.retained_bytes, 0);
  if (snapshot_->generation != generation_) return;  // all of it has been dropped
  note_changed_memory(-static_cast<std::int64_t>(retained));
  retained_bytes_ -= retained;
}

// The pages that it has no longer, or, if it has left the tree, never had.
void Tree::let_go_of_pages(const WrittenLeaf& written, CheckpointProgress& progress) {
  const Leaf& leaf = *written.taken.leaf;
  const std::array before{leaf.page, leaf.changes_page};
  const std::array now{written.page, written.changes_page};
  const auto lacks = [](const auto& pages, const PageAddress& page) {
    return page.exists() && std::ranges::find(pages, page) == pages.end();
  };
  for (const PageAddress& page : before) {
    if (lacks(now, page) && !leaf.is_retired) progress.superseded.push_back(page);
  }
  for (const PageAddress& page : now) {
    if (lacks(before, page) && leaf.is_retired) retired_.push_back(page);
  }
}

void Tree::install(WrittenLeaf& written, CheckpointProgress& progress) {
  if (!written.pieces.empty()) return install_pieces(written, progress);
  Leaf& leaf = *written.taken.leaf;
  let_go_of_pages(written, progress);
  if (written.taken.is_moved) {
    leaf.set_pages(written.page, written.changes_page);
    return;
  }
  settle_counts(written, progress);
  const bool is_in_tree = !leaf.is_retired && snapshot_->generation == generation_;
  const bool was_written = leaf.base_is_written();
  const std::uint64_t memory_before = changed_memory(leaf);
  const std::uint64_t images_before = LeafPool::image_bytes(leaf);
  if (is_in_tree) census_.remove(leaf.base_bytes());
  // What was in memory stays there: all of a leaf that had no page, be it a buffer only.
  const bool keeps = leaf.queue != PoolQueue::none || !leaf.page.exists();
  if (leaf.page != written.page || !was_written || written.base_has_changes) {
    leaf.base = keeps ? written.base : nullptr;
  }
  // A base with earlier changes applied is as good below the new ones, which repeat them.
  leaf.base_has_changes = keeps && written.base_has_changes;
  leaf.changes = keeps ? written.changes : nullptr;
  leaf.set_pages(written.page, written.changes_page);
  leaf.keys = std::move(written.keys);
  leaf.obsolete_from_ms = written.obsolete_from_ms;
  leaf.frozen.swap(written.taken.frozen);
  leaf.frozen.reset();
  if (!is_in_tree) return let_go_of_memory(leaf);
  census_.add(leaf.base_bytes());
  note_changed_memory(static_cast<std::int64_t>(changed_memory(leaf)) -
                      static_cast<std::int64_t>(memory_before));
  if (leaf.queue != PoolQueue::none) {
    pool_.resize(leaf, images_before);
  } else if (keeps && LeafPool::image_bytes(leaf) != 0) {
    pool_.add(leaf);
  }
}

// The leaf is written as several: they take its place, with what it has been written since.
void Tree::install_pieces(WrittenLeaf& written, CheckpointProgress& progress) {
  Leaf& leaf = *written.taken.leaf;
  settle_counts(written, progress);
  if (!leaf.is_retired) {
    for (const PageAddress& page : {leaf.page, leaf.changes_page}) {
      if (page.exists()) progress.superseded.push_back(page);
    }
  }
  if (!leaf.is_retired && snapshot_->generation == generation_) {
    const bool keeps_images = leaf.queue != PoolQueue::none || !leaf.base_is_written();
    std::vector<InnerNode::Child> leaves = leaves_of_pieces(written, keeps_images);
    Path path = path_to(written.taken.frozen->at(0).key);
    assert(&path.leaf() == &leaf);
    take_out(leaf);
    const std::vector<InnerNode::Child> installed = leaves;
    replace_leaves(path, path.last().index, 1, std::move(leaves));
    for (const InnerNode::Child& child : installed) {
      if (keeps_images) pool_.add(static_cast<Leaf&>(*child.node));
    }
  } else {  // only the state that is about to be committed has them
    for (const WrittenPiece& piece : written.pieces) retired_.push_back(piece.page);
  }
  leaf.set_pages({}, {});
  let_go_of_memory(leaf);
}

// How a record of a buffer is counted, where the base below it is all that there is.
std::int64_t Tree::balance_over(const PageImage::Ref& base, const Record& record) {
  const bool was_there = record.tag.guessed || RecordPage{base->payload()}.find(record.key);
  return (record.tag.erased ? 0 : 1) - (was_there ? 1 : 0);
}

std::vector<InnerNode::Child> Tree::leaves_of_pieces(const WrittenLeaf& written, bool keeps_images) const {
  const KeyPolicy& policy = *store_.options().policy;
  const Leaf& leaf = *written.taken.leaf;
  std::vector<InnerNode::Child> leaves;
  std::uint32_t next = 0;  // record of the buffer
  for (std::size_t i = 0; i < written.pieces.size(); ++i) {
    const WrittenPiece& piece = written.pieces[i];
    Leaf::Ref part{new Leaf};
    part->page = piece.page;
    part->keys = piece.keys;
    part->obsolete_from_ms = piece.obsolete_from_ms;
    if (keeps_images) part->base = piece.base;
    const Bytes* const end = i + 1 < written.pieces.size() ? &written.pieces[i + 1].separator : nullptr;
    while (leaf.buffer && next < leaf.buffer->count()) {
      const Record record = leaf.buffer->at(next);
      if (end != nullptr && record.key >= *end) break;
      if (!part->buffer) part->buffer = LeafBuffer::make();
      part->buffer->append(record);
      part->buffer->add_balance(policy.count_class(record.key), balance_over(piece.base, record));
      ++next;
    }
    part->buffer_epoch = leaf.buffer_epoch;
    leaves.push_back({piece.separator, std::move(part)});
  }
  return leaves;
}

// A key that was dropped and has been written again meanwhile was counted as replaced: it stands for itself
// now. If that was a guess, the guess is wrong now, and will be corrected.
void Tree::settle_counts(const WrittenLeaf& written, CheckpointProgress& progress) {
  const KeyPolicy& policy = *store_.options().policy;
  const Leaf& leaf = *written.taken.leaf;
  const bool is_in_tree = !leaf.is_retired && snapshot_->generation == generation_;
  written.corrections.for_each([&](std::uint32_t count_class, std::int64_t change) {
    progress.count_changes.add(count_class, change);
    if (is_in_tree) counts_.add(count_class, change);
  });
  for (const Bytes& key : written.dropped_keys) {
    progress.count_changes.add(policy.count_class(key), -1);
    if (!is_in_tree) continue;
    bool is_written = false;
    const std::uint32_t index = leaf.buffer ? leaf.buffer->lower_bound(key, is_written) : 0;
    if (is_written && !leaf.buffer->at(index).tag.guessed) {
      leaf.buffer->add_balance(policy.count_class(key), 1);
      continue;
    }
    counts_.add(policy.count_class(key), -1);
  }
}

// Leaves that have shrunk. What is built in memory is not on disk, and takes room that writes want: so no
// more than a part of it per checkpoint.
void Tree::join_small(std::span<const WrittenLeaf> leaves, CheckpointProgress& progress) {
  const std::size_t bytes_min = leaf_bytes_min(target_bytes());
  for (const WrittenLeaf& written : leaves) {
    if (progress.joined_bytes > store_.changes_bytes_max() / 4) return;
    Leaf& leaf = *written.taken.leaf;
    if (leaf.is_retired || !written.taken.frozen || leaf.page.bytes >= bytes_min) continue;
    Path path = path_to(written.taken.frozen->at(0).key);
    if (!leaf.is_resident() && has_resident_neighbour(path)) keep_image(leaf, written);
    if (!leaf.is_resident()) continue;
    if (leaf.page.exists() && !has_resident_neighbour(path)) continue;
    const std::uint64_t before = changed_bytes();
    rebuild(path);
    progress.joined_bytes += std::max(before, changed_bytes()) - before;
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
