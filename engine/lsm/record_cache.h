// Record cache: copies of hot records that live in tables, so that a point read of one costs two cache misses
// instead of a search through levels and blocks.
//
// Copies are appended to a ring of chunks. Where the ring is full, a hand walks over the oldest records in
// the order of their addresses: one that has been hit since it was written is appended again, any other is
// forgotten. That is CLOCK without a list and without fragmentation, as in the circular buffers of Bf-Tree
// and FASTER's read cache. No call does more than a bounded number of steps of the hand; if they do not make
// room for a record, it is not cached.
//
// When the cache is full, a record is admitted the second time it is offered. A table of 16-bit marks
// remembers the first time; old marks are overwritten by new ones. So a scan, or keys that are read once,
// pass by.
//
// Used only under the owner's lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "engine/bytes.h"
#include "engine/memory/hash_index.h"
#include "engine/memory/mapped_memory.h"

namespace shale::engine::lsm {

class RecordCache {
 public:
  static constexpr std::size_t kCapacityBytesMin = std::size_t{64} << 10;  // below it, the cache is off
  static constexpr std::size_t kCapacityBytesMax = std::size_t{32} << 30;  // more is not used
  static constexpr std::size_t kRecordBytesMax = std::size_t{64} << 10;  // and never more than capacity / 64

  explicit RecordCache(std::size_t capacity_bytes) { set_capacity(capacity_bytes); }
  RecordCache(const RecordCache&) = delete;
  RecordCache& operator=(const RecordCache&) = delete;

  // The value last inserted for this key, if it is still here. The view lives until the next call that is not
  // find, nor const. Counts a hit or a miss.
  std::optional<BytesView> find(const HashedKey& key);
  // Offers a copy of what a table holds. Replaces the copy that is here, if there is one.
  void insert(const HashedKey& key, BytesView value);
  // For a key that is written: the copy is stale.
  void erase(const HashedKey& key);
  void clear();  // forgets every record, at once, and gives the memory back

  // How much memory to use for everything, index included; 0 is off. A smaller capacity is reached by and by,
  // with every insert, or by calling trim(). A cut by more than half may empty the cache instead.
  void set_capacity(std::size_t bytes);
  // Lets the hand pass at most so many records while more memory is used than there should be. Returns
  // whether none is any more.
  bool trim(std::size_t record_count_max);

  // As Memtable's.
  void prefetch_index(const HashedKey& key) const {
    if (capacity_bytes_ != 0) index_.prefetch(key.hash);
  }
  void prefetch_record(const HashedKey& key) const;

  std::size_t capacity_bytes() const { return capacity_bytes_; }
  std::size_t memory_bytes() const { return chunks_bytes_ + index_.memory_bytes() + marks_.bytes(); }
  std::size_t record_count() const { return index_.entry_count(); }
  std::uint64_t hits() const { return hits_; }  // since the cache was made
  std::uint64_t misses() const { return misses_; }

 private:
  struct Record;
  // A chunk's number, and the offset in it in units of eight bytes. Number 0 is not used, so no reference is
  // 0.
  using Reference = std::uint32_t;
  static constexpr unsigned kChunkShift = 18;
  static constexpr std::size_t kUnitBytes = 8;

  struct Chunk {
    MappedMemory memory;
    std::size_t used_bytes = 0;
  };

  Record& record(Reference reference) const;
  HashIndex::Slot* locate(const HashedKey& key);
  void forget(HashIndex::Slot* slot);
  bool admit(std::uint64_t hash);

  std::size_t projected_bytes() const;
  bool is_over_budget() const { return projected_bytes() > capacity_bytes_; }
  bool may_map_chunk() const { return projected_bytes() + chunk_bytes_ <= capacity_bytes_; }
  std::size_t open_room_bytes() const;
  bool make_room(std::size_t bytes);
  bool open_chunk();
  bool pass_record(std::size_t reserved_bytes, std::size_t& second_chances);
  void retire_oldest_chunk();
  void unmap_chunk(std::uint32_t number);
  Reference append(const HashedKey& key, BytesView value);

  std::size_t capacity_bytes_ = 0;
  std::size_t chunk_bytes_ = 0;   // of the next chunk to be mapped
  std::size_t chunks_bytes_ = 0;  // mapped
  HashIndex index_;
  MappedMemory marks_;          // uint16 each: of keys offered once
  std::size_t mark_count_ = 0;  // a power of two
  std::vector<Chunk> chunks_;   // by number
  std::vector<std::uint32_t> free_numbers_;
  std::deque<std::uint32_t> ring_;  // from the oldest chunk to the open one, which is appended to
  std::size_t hand_offset_ = 0;     // in the oldest chunk
  std::uint32_t spare_chunk_ = 0;   // mapped and empty, to be opened next; 0: none
  std::uint64_t hits_ = 0;
  std::uint64_t misses_ = 0;
};

}  // namespace shale::engine::lsm
