// Reads whose leaf is not in memory.
//
// A leaf that is read for one record is a dozen records or a hundred that nobody asked for. So a copy of the
// record is kept (lsm/record_cache.h), the leaf itself only if others of its records are wanted, too: under a
// skewed load the same memory then has many times as many of the records that are read often.
#include "engine/btree/tree.h"

namespace shale::engine::btree {

Result<std::optional<BytesView>> Tree::get_cold(Leaf& leaf, const HashedKey& key, ReadContext& context) {
  if (const auto copy = record_cache_.find(key)) return std::optional{*copy};
  ++workload_.leaves_fetched;
  if (leaf.changes) {  // as it is left where the base is damaged
    const Layer changes{*leaf.changes, false};
    bool is_equal = false;
    const std::uint32_t index = changes.lower_bound(key.bytes, is_equal);
    if (is_equal && changes.tag(index).erased) return std::optional<BytesView>{};
    if (is_equal) return std::optional{changes.value(index)};
  }
  if (!load_on_the_spot(leaf)) return lacking(leaf, context);
  std::optional<BytesView> found;
  const Layers layers = leaf.layers();
  for (std::size_t i = 0; i < layers.count(); ++i) {
    bool is_equal = false;
    const std::uint32_t index = layers[i].lower_bound(key.bytes, is_equal);
    if (!is_equal) continue;
    if (!layers[i].tag(index).erased) found = layers[i].value(index);
    break;
  }
  note_use(leaf, key, found, true);
  return found;
}

// What lies in the page cache costs a copy and a check, less than the way through another thread.
bool Tree::load_on_the_spot(Leaf& leaf) {
  constexpr std::uint64_t kBytesMax = 64u << 10;  // under the lock
  if (leaf.page.bytes + std::uint64_t{leaf.changes_page.bytes} > kBytesMax) return false;
  if (!store_.pool().has_slack()) {
    store_.relieve_pool();
    return false;
  }
  LeafLoad load{*this, Leaf::Ref{&leaf}};
  if (!load.read_resident(store_.file())) return false;
  ++spot_loads_;
  hang_in(load);
  return true;
}

// Lets go of nothing: who looks at other leaves with the same lock goes on. The load's images take the place
// of those that somebody else has read meanwhile: the load promises that they stay, and only those that it
// holds do.
void Tree::hang_in(LeafLoad& load) {
  Leaf& leaf = *load.leaf_;
  const std::uint64_t before = LeafPool::image_bytes(leaf);
  if (load.base_) {
    leaf.base = load.base_;
    leaf.base_has_changes = load.base_has_changes_;
  }
  if (load.changes_) leaf.changes = load.changes_;
  if (leaf.queue == PoolQueue::none) {
    pool_of(leaf).add(leaf);
  } else {
    pool_of(leaf).resize(leaf, before);
  }
}

// A leaf that has been read for a record which is now copied has not been used yet. Nor is it by further
// reads of that record, which the copy will answer when the leaf has gone.
void Tree::note_use(Leaf& leaf, const HashedKey& key, const std::optional<BytesView>& found,
                    bool was_loaded) {
  if (leaf.queue == PoolQueue::young && found) {
    if (was_loaded && leaf.uses == 0) {
      record_cache_.insert(key, *found);
      record_charge_.set(record_cache_.memory_bytes());
      return;
    }
    if (record_cache_.record_count() != 0 && record_cache_.find(key)) return;
  }
  if (!was_loaded) LeafPool::note_use(leaf);
}

void Tree::forget_record(const HashedKey& key) {
  if (record_cache_.record_count() != 0) record_cache_.erase(key);
}

void Tree::forget_all_records() {
  record_cache_.clear();
  record_charge_.set(record_cache_.memory_bytes());
}

void Tree::adapt_record_cache() {
  constexpr std::size_t kTrimmedPerTick = 4096;
  record_cache_.set_capacity(store_.record_cache_bytes());
  record_cache_.trim(kTrimmedPerTick);
  record_charge_.set(record_cache_.memory_bytes());
}

Tree::Presence Tree::presence_below_buffer(const Leaf& leaf, const HashedKey& key) {
  const Presence known = presence_below_buffer(leaf, key.bytes);
  if (known != Presence::unknown || record_cache_.record_count() == 0) return known;
  const auto copy = record_cache_.find(key);
  // One that has expired may have been left out of the leaf meanwhile.
  const bool is_there = copy && !store_.is_obsolete(key.bytes, *copy, store_.options().clock->unix_ms());
  return is_there ? Presence::present : known;
}

}  // namespace shale::engine::btree
