#include "engine/lsm/memtable.h"

#include <algorithm>
#include <cassert>

#include "engine/memory/cache_line.h"

namespace shale::engine::lsm {

namespace {

constexpr std::size_t kGrowthSlackBytesMax = std::size_t{1} << 20;

// A value that outgrows its record a second time is likely to be appended to again: it gets room for half as
// much more, so that all its records together stay within a few times its last size.
std::size_t slack_bytes(const MemtableRecord& replaced, std::size_t value_bytes) {
  return replaced.grown() ? std::min(value_bytes / 2, kGrowthSlackBytesMax) : 0;
}

// The line with the header is about to be waited for: let the next ones come at the same time.
void prefetch_rest(const std::byte* record) {
  __builtin_prefetch(record + kCacheLineBytes);
  __builtin_prefetch(record + 2 * kCacheLineBytes);
}

EntryTag make_tag(EntryType type, int balance) {
  assert(balance >= -1 && balance <= 1);
  return {type, static_cast<std::int8_t>(balance)};
}

}  // namespace

Memtable::Memtable(std::size_t chunk_bytes, ChunkPool* pool) : arena_(chunk_bytes, pool), order_(arena_) {}

bool Memtable::has_key(Reference reference, BytesView key) const {
  prefetch_rest(arena_.at(reference));
  return record(reference).key() == key;
}

std::optional<Entry> Memtable::find(const HashedKey& key) const {
  const auto* slot =
      index_.find(key.hash, [&](Reference reference) { return has_key(reference, key.bytes); });
  if (slot == nullptr) return std::nullopt;
  return record(slot->reference).entry();
}

void Memtable::prefetch_record(const HashedKey& key) const {
  const Reference reference = index_.first_candidate(key.hash);
  if (reference == 0) return;
  const std::byte* begin = arena_.at(reference);
  __builtin_prefetch(begin);
  prefetch_rest(begin);
}

void Memtable::put(const HashedKey& key, BytesView value, EntryType type, int balance_change) {
  store(index_slot_of(key), key, value, type, balance_change);
}

Memtable::Slot Memtable::locate(const HashedKey& key) {
  auto* slot = index_slot_of(key);
  if (slot == nullptr) return {};
  return {record(slot->reference).entry(), slot};
}

void Memtable::put_at(const Slot& slot, const HashedKey& key, BytesView value, EntryType type,
                      int balance_change) {
  store(slot.index_slot, key, value, type, balance_change);
}

HashIndex::Slot* Memtable::index_slot_of(const HashedKey& key) {
  return index_.find(key.hash, [&](Reference reference) { return has_key(reference, key.bytes); });
}

void Memtable::store(HashIndex::Slot* slot, const HashedKey& key, BytesView value, EntryType type,
                     int balance_change) {
  assert(type == EntryType::value || value.empty());
  if (slot == nullptr) {
    const Reference reference = add_record(key.bytes, value, make_tag(type, balance_change), 0);
    index_.insert(key.hash, reference);
    order_.insert(reference);
    live_bytes_ += key.bytes.size() + value.size();
    return;
  }

  const Reference old_reference = slot->reference;
  MemtableRecord& old = record(old_reference);
  const EntryTag tag = make_tag(type, old.tag().balance + balance_change);
  live_bytes_ += value.size() - old.value().size();
  if (value.size() <= old.value_capacity()) {
    old.set_value(value);
    old.set_tag(tag);
    return;
  }
  const Reference reference = add_record(old.key(), value, tag, slack_bytes(old, value.size()));
  record(reference).set_grown();
  order_.replace(old_reference, reference);
  slot->reference = reference;
  arena_.release(old_reference, old.bytes());
}

Reference Memtable::add_record(BytesView key, BytesView value, EntryTag tag, std::size_t spare_bytes) {
  const std::size_t bytes = MemtableRecord::bytes_for(key.size(), value.size() + spare_bytes);
  assert(bytes <= MemtableRecord::kBytesMax);
  const Reference reference = arena_.allocate(bytes);
  MemtableRecord& record = MemtableRecord::create(arena_.at(reference), bytes, key);
  record.set_value(value);
  record.set_tag(tag);
  return reference;
}

Memtable::Cursor Memtable::cursor() const { return {arena_, order_}; }

void Memtable::Cursor::seek(BytesView key) { position_ = order_->lower_bound(key); }
void Memtable::Cursor::seek_before(BytesView key) {
  const MemtableOrder::Position at_or_behind = order_->lower_bound(key);
  position_ = at_or_behind.leaf == 0 ? order_->last() : order_->previous(at_or_behind);
}
void Memtable::Cursor::seek_to_first() { position_ = order_->first(); }
void Memtable::Cursor::seek_to_last() { position_ = order_->last(); }

void Memtable::Cursor::next() {
  assert(valid());
  position_ = order_->next(position_);
  if (valid()) order_->prefetch_ahead(position_);
}

void Memtable::Cursor::previous() {
  assert(valid());
  position_ = order_->previous(position_);
}

Entry Memtable::Cursor::entry() const {
  assert(valid());
  return reinterpret_cast<const MemtableRecord*>(arena_->at(order_->record_at(position_)))->entry();
}

}  // namespace shale::engine::lsm
