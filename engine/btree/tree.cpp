#include "engine/btree/tree.h"

#include <algorithm>
#include <cassert>

#include "engine/btree/tree_cursor.h"

namespace shale::engine::btree {
namespace {

constexpr std::uint32_t kFirstTargetBytes = 16u << 10;  // of a tree without data

// Calls `visit` for every node below and including `node`.
template <class Visit>
void for_each_node(const Node& node, Visit visit) {
  visit(node);
  if (node.is_leaf()) return;
  const auto& inner = static_cast<const InnerNode&>(node);
  for (std::size_t i = 0; i < inner.count(); ++i) for_each_node(inner.child(i), visit);
}

}  // namespace

Tree::Tree(TreeStore& store, std::uint32_t id, std::mutex& owner, const TreeState& state, InnerNode::Ref root)
    : store_(store),
      id_(id),
      owner_(owner),
      root_(root ? std::move(root) : InnerNode::make_empty(0)),
      pool_(store.pool()),
      record_cache_(store.record_cache_bytes()),
      advisor_(store.options().leaf_sizes),
      counts_(state.counts),
      persisted_lsn_(state.persisted_lsn) {
  for_each_node(*root_, [this](const Node& node) {
    if (node.is_leaf()) {
      census_.add(node.page.bytes);
    } else {
      ++inner_nodes_;
    }
  });
  // Of a page file of format 1: a checkpoint writes all inner nodes anew, with counts.
  reclaim_pending_ = root_->changed_epoch > root_->written_epoch && root_->page.exists();
  target_bytes_ = first_target();
  checkpoint_ended_ = store_.now();
  store_.add_tree(*this);
}

Tree::~Tree() {
  store_.remove_tree(*this);
  store_.note_changed(-static_cast<std::int64_t>(changed_bytes()));
}

// A tree that is opened again aims at what its leaves are: so the target need not be stored.
std::uint32_t Tree::first_target() const {
  constexpr std::uint64_t kLeavesThatTell = 16;
  const TreeStoreOptions& options = store_.options();
  if (options.node_bytes != 0) return options.node_bytes;
  const bool is_known = census_.leaves() >= kLeavesThatTell;
  return nearest_size(is_known ? census_.bytes() / census_.leaves() : kFirstTargetBytes, options.leaf_sizes);
}

// --- Reading

Result<std::optional<BytesView>> Tree::get(const HashedKey& key, ReadContext& context) {
  ++reads_;
  Leaf& leaf = leaf_of(key.bytes);
  // Most of the time here is spent waiting for memory. So what is read last, the base, is searched first: its
  // record comes while the newer layers are looked at.
  leaf.prefetch_search();
  const RecordPage& base = leaf.base.records();
  const std::uint32_t first_with_head = base.first_with_head(key.bytes);
  const auto found_in = [](const Layer& layer, std::uint32_t index) {
    return layer.tag(index).erased ? std::optional<BytesView>{} : std::optional{layer.value(index)};
  };
  bool is_equal = false;
  for (const LeafBuffer* const buffer :
       {static_cast<const LeafBuffer*>(leaf.buffer.get()), leaf.frozen.get()}) {
    if (buffer == nullptr) continue;
    const std::uint32_t index = buffer->lower_bound(key.bytes, is_equal);
    if (is_equal) return found_in(Layer{*buffer}, index);
  }
  if (!leaf.is_resident()) return get_cold(leaf, key, context);
  if (leaf.changes && !leaf.base_has_changes) {
    const Layer changes{*leaf.changes, false};
    const std::uint32_t index = changes.lower_bound(key.bytes, is_equal);
    if (is_equal) {
      const auto found = found_in(changes, index);
      note_use(leaf, key, found, !context.missing.empty());
      return found;
    }
  }
  const auto index = leaf.base ? base.find(key.bytes, first_with_head) : std::nullopt;
  const auto found = index ? std::optional{base.value(*index)} : std::optional<BytesView>{};
  note_use(leaf, key, found, !context.missing.empty());
  return found;
}

Error Tree::lacking(Leaf& leaf, ReadContext& context) {
  std::shared_ptr<LeafLoad> load = load_of(leaf);
  if (load->failure()) return *load->failure();
  ++not_resident_;
  if (std::ranges::find(context.missing, load) == context.missing.end())
    context.missing.push_back(std::move(load));
  return {ErrorKind::not_resident, {}};
}

std::shared_ptr<LeafLoad> Tree::load_of(Leaf& leaf) {
  constexpr std::size_t kLoadsKept = 1024;
  if (loads_.size() > kLoadsKept) {
    std::erase_if(loads_, [](const auto& known) { return known.second.expired(); });
  }
  std::weak_ptr<LeafLoad>& known = loads_[&leaf];
  std::shared_ptr<LeafLoad> load = known.lock();
  if (!load || !load->is_current()) {
    load = std::make_shared<LeafLoad>(*this, Leaf::Ref{&leaf});
    known = load;
  }
  return load;
}

void Tree::take_loaded(LeafLoad& load, const Status& status) {
  const std::lock_guard lock{owner_};
  if (is_handed_over_) return;  // whoever wanted it asks its new tree
  const Leaf& leaf = *load.leaf_;
  // What has been written anew meanwhile is another load's business; its place may hold anything by now.
  if (!load.is_current() || leaf.is_retired || load.generation_ != generation_) return;
  if (!status) {
    load.failure_ = status.error();
    if (store_.options().on_damage && status.error().kind == ErrorKind::corruption) {
      store_.options().on_damage(status.error().message);
    }
    if (!load.changes_) return;  // the changes of a leaf whose base is damaged can be read
  }
  hang_in(load);
  make_room();
}

// Lets go of its own pages, but not below the share that is its own; others are asked for the rest.
void Tree::make_room() {
  evict_down_to(store_.pool_share());
  if (store_.pool().is_exceeded()) store_.relieve_pool();
}

void Tree::relieve_pool() {
  const std::lock_guard lock{owner_};
  evict_down_to(0);
}

void Tree::evict_down_to(std::uint64_t bytes_min) {
  const PoolBudget& budget = store_.pool();
  if (budget.is_exceeded()) {
    const std::uint64_t excess = budget.used_bytes() - budget.capacity_bytes();
    const std::uint64_t rest = pool_.bytes() > excess ? pool_.bytes() - excess : 0;
    pool_.evict_down_to(std::max(rest, bytes_min));
  }
  pool_bytes_.store(pool_.bytes(), std::memory_order_relaxed);
}

void Tree::prefetch_index(const HashedKey& key) const { leaf_of(key.bytes).prefetch(); }

void Tree::prefetch_record(const HashedKey& key) const {
  const Leaf& leaf = leaf_of(key.bytes);
  leaf.prefetch_search();
}

std::unique_ptr<Cursor> Tree::cursor(CursorBounds bounds, ReadContext& context) {
  ++seeks_;
  return std::make_unique<TreeCursor>(*this, bounds, context);
}

// --- Writing

Status Tree::admit_write(std::size_t bytes) {
  if (checkpoint_error_) {
    const Error error = *checkpoint_error_;
    // Nothing is lost by a full disk: the changes are in the log and in memory. Try again.
    if (error.kind == ErrorKind::no_space && !snapshot_) flush();
    return error;
  }
  if (store_.wants_checkpoint()) {
    // As a rule it is the tree that is written to most that has most to write, and mostly that is this one.
    if (changed_bytes() > store_.changes_bytes_max() / 4) {
      write_changes_out();
    } else {
      store_.relieve_changes();
    }
  }
  if (store_.pool().is_exceeded()) store_.relieve_pool();  // writes take what pages had
  const auto now = store_.now();
  if (!store_.has_room(bytes)) {
    ++refused_writes_;
    if (!busy_since_) busy_since_ = now;
    if (!snapshot_) store_.relieve_changes();
    if (auto failed = store_.failed_checkpoints().any()) {
      // What this tree holds is all the room that is sure to come.
      if (!snapshot_ && !has_unpersisted()) return *failed;
      flush();
    }
    return Error{ErrorKind::busy, {}};
  }
  if (busy_since_) longest_write_wait_ = std::max(longest_write_wait_, now - *busy_since_);
  busy_since_.reset();
  return {};
}

std::chrono::microseconds Tree::write_delay(std::size_t bytes) {
  const auto pause = store_.write_pause(bytes);
  if (pause.count() > 0) {
    ++delayed_writes_;
    longest_write_wait_ = std::max<std::chrono::steady_clock::duration>(longest_write_wait_, pause);
  }
  return pause;
}

Tree::Presence Tree::presence_below_buffer(const Leaf& leaf, BytesView key) {
  bool is_equal = false;
  if (leaf.frozen) {
    const std::uint32_t index = leaf.frozen->lower_bound(key, is_equal);
    if (is_equal) return leaf.frozen->at(index).tag.erased ? Presence::absent : Presence::present;
  }
  if (!leaf.has_changes_image()) return Presence::unknown;
  if (leaf.changes && !leaf.base_has_changes) {
    const RecordPage changes{leaf.changes->payload()};
    const std::uint32_t index = changes.lower_bound(key, is_equal);
    if (is_equal) return changes.tag(index).erased ? Presence::absent : Presence::present;
  }
  if (!leaf.has_base_image()) return Presence::unknown;
  if (!leaf.base) return Presence::absent;
  return leaf.base.records().find(key) ? Presence::present : Presence::absent;
}

void Tree::write(const HashedKey& key, BytesView value, RecordTag tag, Lsn lsn) {
  Record record{key.bytes, value, tag};
  note_lsn(lsn);
  ++workload_.writes;
  user_bytes_written_ += record.key.size() + record.value.size();
  store_.note_committed(record.key.size() + record.value.size());
  Path path = path_to(record.key);
  Leaf& leaf = path.leaf();
  if (!leaf.buffer || leaf.buffer_epoch != epoch_) begin_buffer(path, leaf);
  bool is_equal = false;
  const std::uint32_t index = leaf.buffer->lower_bound(record.key, is_equal);
  bool was_there = false;
  if (is_equal) {
    const RecordTag known = leaf.buffer->at(index).tag;
    was_there = !known.erased;
    record.tag.guessed = known.guessed;
  } else {
    const Presence below = presence_below_buffer(leaf, key);
    forget_record(key);
    if (below == Presence::absent && record.tag.erased) return;
    was_there = below != Presence::absent;
    record.tag.guessed = below == Presence::unknown;
    if (record.tag.guessed) note_guess(record.key);
  }
  const int balance = (record.tag.erased ? 0 : 1) - (was_there ? 1 : 0);
  const std::uint32_t count_class = store_.options().policy->count_class(record.key);
  counts_.add(count_class, balance);  // also 0: that the class is there
  leaf.buffer->add_balance(count_class, balance);
  if (is_of_part(leaf)) part_->keys.add(count_class, balance);
  const std::size_t memory_before = leaf.buffer->memory_bytes();
  leaf.buffer->put_at(index, is_equal, record);
  if (leaf.buffer->memory_bytes() != memory_before) {
    note_changed_memory(leaf, static_cast<std::int64_t>(leaf.buffer->memory_bytes()) -
                                  static_cast<std::int64_t>(memory_before));
  }
  if (is_due_for_merge(leaf)) rebuild(path);
}

void Tree::note_lsn(Lsn lsn) {
  assert(lsn >= last_lsn_);
  if (first_lsn_ == 0) {
    first_lsn_ = lsn;
    first_write_ms_ = store_.options().clock->unix_ms();
  }
  last_lsn_ = lsn;
}

// A buffer of an earlier epoch is what a checkpoint wants, or failed to take.
void Tree::begin_buffer(const Path& path, Leaf& leaf) {
  note_changed_memory(leaf, freeze(leaf));
  leaf.buffer = LeafBuffer::make();
  leaf.buffer_epoch = epoch_;
  note_changed_memory(leaf, static_cast<std::int64_t>(leaf.buffer->memory_bytes()));
  mark_changed(path);
}

std::int64_t Tree::freeze(Leaf& leaf) {
  if (!leaf.buffer) return 0;
  const LeafBuffer::Ref buffer = std::exchange(leaf.buffer, nullptr);
  const auto buffer_bytes = static_cast<std::int64_t>(buffer->memory_bytes());
  if (buffer->count() == 0) return -buffer_bytes;  // of writes that had nothing to erase
  if (!leaf.frozen) {
    leaf.frozen = buffer;
    return 0;
  }
  // Left over from a checkpoint that failed.
  const auto before = static_cast<std::int64_t>(leaf.frozen->memory_bytes()) + buffer_bytes;
  Layers layers;
  layers.add(Layer{*buffer});
  layers.add(Layer{*leaf.frozen});
  const auto merged = LeafBuffer::make();
  LayersMerge merge{layers};
  while (const MergedKey* key = merge.next()) {
    const auto index = static_cast<std::uint32_t>(key->index[key->newest]);
    merged->append({key->key, layers[key->newest].value(index), resolve(layers, *key, false).tag});
  }
  merged->add_balance(leaf.frozen->balance());
  merged->add_balance(buffer->balance());
  leaf.frozen = merged;
  return static_cast<std::int64_t>(merged->memory_bytes()) - before;
}

void Tree::note_changed_memory(std::int64_t bytes) {
  changed_bytes_.fetch_add(static_cast<std::uint64_t>(bytes), std::memory_order_relaxed);
  store_.note_changed(bytes);
}

void Tree::note_changed_memory(const Leaf& leaf, std::int64_t bytes) {
  note_changed_memory(bytes);
  if (is_of_part(leaf)) part_->changed_bytes += bytes;
}

std::uint64_t Tree::changed_memory(const Leaf& leaf) {
  return (leaf.buffer ? leaf.buffer->memory_bytes() : 0) + (leaf.frozen ? leaf.frozen->memory_bytes() : 0) +
         (leaf.base_is_written() ? 0 : leaf.base->memory_bytes());
}

// --- Adapting

void Tree::adapt() {
  if (store_.options().node_bytes != 0) return;
  const auto step = advisor_.advise(workload_, last_costs_, target_bytes_, store_.now());
  if (!step) return;
  target_bytes_ = step->target_bytes;
  target_reason_ = step->reason;
  ++target_changes_;
}

// Subtrees of one level are taken to be of one size.
std::optional<Bytes> Tree::middle_key() const {
  const InnerNode* node = root_.get();
  while (node->count() < 2 && node->level() > 1) node = &node->inner(0);
  if (node->count() >= 2) return node->separator(node->count() / 2);
  const Leaf& leaf = node->leaf(0);
  if (!leaf.is_resident()) return {};
  std::vector<Bytes> keys;
  const Layers layers = leaf.layers();
  LayersMerge merge{layers};
  while (const MergedKey* key = merge.next()) keys.emplace_back(key->key);
  return keys.size() < 2 ? std::nullopt : std::optional{keys[keys.size() / 2]};
}

// --- Being looked at

EngineStats Tree::stats() const {
  EngineStats stats;
  const PageFileStats file = store_.file().stats();
  BtreeStats tree;
  tree.height = root_->level() + 1U;
  tree.inner_nodes = inner_nodes_;
  tree.leaves = census_.leaves();
  tree.leaf_bytes = census_.bytes();
  tree.leaves_by_size.assign(census_.by_size().begin(), census_.by_size().end());
  tree.node_bytes = target_bytes();
  tree.pool_bytes = pool_.bytes();
  tree.pool_leaves = pool_.leaves();
  tree.pool_evictions = pool_.evictions();
  tree.changed_bytes = changed_bytes();
  tree.checkpoint_running = snapshot_.has_value();
  tree.checkpoints = checkpoints_;
  tree.checkpoint_age =
      std::chrono::duration_cast<std::chrono::milliseconds>(store_.now() - checkpoint_ended_);
  tree.last_checkpoint = std::chrono::duration_cast<std::chrono::milliseconds>(last_checkpoint_);
  tree.bases_written = bases_written_;
  tree.changes_written = changes_written_;
  tree.moved_bytes = moved_bytes_;
  tree.splits = splits_;
  tree.joins = joins_;
  tree.file_bytes = file.file_bytes;
  tree.file_free_bytes = file.free_bytes;
  stats.btree = std::move(tree);
  stats.shape = "B+ tree";
  stats.shape_reason = target_reason_;
  stats.shape_changes = target_changes_;
  stats.memtable_bytes = changed_bytes();
  stats.disk_bytes = census_.bytes();
  stats.user_bytes_written = user_bytes_written_;
  stats.flush_bytes_written = checkpoint_bytes_written_;
  stats.disk_bytes_written = checkpoint_bytes_written_;
  stats.compaction_bytes_read = checkpoint_bytes_read_;
  stats.flushes = checkpoints_;
  stats.pressure = store_.pressure();
  stats.delayed_writes = delayed_writes_;
  stats.refused_writes = refused_writes_;
  stats.longest_write_wait = std::chrono::duration_cast<std::chrono::microseconds>(longest_write_wait_);
  stats.reads = reads_;
  stats.seeks = seeks_;
  stats.not_resident = not_resident_;
  const std::int64_t obsolete_ms = store_.options().clock->unix_ms() - oldest_obsolete_ms_;
  stats.obsolete_age = std::chrono::milliseconds{std::max<std::int64_t>(0, obsolete_ms)};
  stats.record_cache_hits = record_cache_.hits();
  stats.record_cache_misses = record_cache_.misses();
  stats.record_cache_bytes = record_cache_.memory_bytes();
  return stats;
}

}  // namespace shale::engine::btree
