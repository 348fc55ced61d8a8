// Memtable: the newest writes of an LSM tree, in memory, until they are flushed to a table.
//
// Records live in an arena; a hash index finds one by key with two cache misses (slot, record), and a B+ tree
// keeps them in order for scans and for the flush. Only a key that is new to the memtable touches the B+
// tree: an overwrite whose value fits is done in place, and costs what a find costs.
//
// Changed only under the owner's lock. Once nobody changes it any more (it is sealed) it may be read from
// several threads without one: const calls change nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "engine/bytes.h"
#include "engine/lsm/entry.h"
#include "engine/lsm/memtable_order.h"
#include "engine/lsm/memtable_record.h"
#include "engine/memory/chunk_arena.h"
#include "engine/memory/hash_index.h"

namespace shale::engine::lsm {

class Memtable {
 public:
  class Cursor;
  // Where a key stands, or that it is not here. Valid until the next put or put_at.
  struct Slot {
    std::optional<Entry> entry;
    HashIndex::Slot* index_slot = nullptr;  // for put_at
  };

  // `chunk_bytes`: by how much memory is taken at a time, a power of two from 64 KiB to 2 MiB. At 2 MiB the
  // records lie in huge pages. Chunks come from the pool, if there is one, and go back to it.
  explicit Memtable(std::size_t chunk_bytes, ChunkPool* pool = nullptr);
  Memtable(const Memtable&) = delete;
  Memtable& operator=(const Memtable&) = delete;

  // The entry stored under key, or nothing. The views live until the next put or put_at.
  std::optional<Entry> find(const HashedKey& key) const;

  // Start fetching what find, locate and put will need: the slot's line; then, once that has arrived, the
  // first lines of the record. prefetch_order is for a key that is known not to be here and about to be put.
  void prefetch_index(const HashedKey& key) const { index_.prefetch(key.hash); }
  void prefetch_record(const HashedKey& key) const;
  void prefetch_order(const HashedKey& key) const { order_.prefetch(key.bytes); }

  // Stores a value, or a tombstone (whose `value` is empty). `balance_change` is added to the balance of the
  // entry it replaces, or is the balance of a new one; the result is -1, 0 or +1. `value` may be a view that
  // this memtable returned. Key and value together: below MemtableRecord::kBytesMax, 2 GiB.
  void put(const HashedKey& key, BytesView value, EntryType type, int balance_change);

  // put in two steps that pay for the search once: look at what is here, decide, store.
  Slot locate(const HashedKey& key);
  void put_at(const Slot& slot, const HashedKey& key, BytesView value, EntryType type, int balance_change);

  std::size_t memory_bytes() const { return arena_.memory_bytes() + index_.memory_bytes(); }  // allocated
  std::size_t live_bytes() const { return live_bytes_; }          // keys and values now stored
  std::size_t dead_bytes() const { return arena_.dead_bytes(); }  // allocated for records since replaced
  std::size_t entry_count() const { return index_.entry_count(); }

  // In key order. Must not outlive the memtable, and a put or put_at makes it invalid.
  Cursor cursor() const;

 private:
  MemtableRecord& record(Reference reference) const {
    return *reinterpret_cast<MemtableRecord*>(arena_.at(reference));
  }
  bool has_key(Reference reference, BytesView key) const;
  HashIndex::Slot* index_slot_of(const HashedKey& key);
  void store(HashIndex::Slot* slot, const HashedKey& key, BytesView value, EntryType type,
             int balance_change);
  Reference add_record(BytesView key, BytesView value, EntryTag tag, std::size_t spare_bytes);

  ChunkArena arena_;
  HashIndex index_;
  MemtableOrder order_;
  std::size_t live_bytes_ = 0;
};

class Memtable::Cursor {
 public:
  // The one way to make one is Memtable::cursor().
  Cursor(const ChunkArena& arena, const MemtableOrder& order) : arena_(&arena), order_(&order) {}

  void seek(BytesView key);         // to the first key >= `key`
  void seek_before(BytesView key);  // to the last key < `key`
  void seek_to_first();
  void seek_to_last();
  void next();      // requires valid(); past the last key the cursor is invalid, as it is when made
  void previous();  // requires valid(); before the first key likewise
  bool valid() const { return position_.leaf != 0; }
  Entry entry() const;  // requires valid(); the views live as long as the memtable is not changed

 private:
  const ChunkArena* arena_;
  const MemtableOrder* order_;
  MemtableOrder::Position position_;
};

}  // namespace shale::engine::lsm
