// The newest writes to one leaf: sorted, in memory. Small as a rule, some dozens of records; a leaf that is
// not in memory, or that takes a bulk load, may gather thousands.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/btree/key_counts.h"
#include "engine/btree/memory_use.h"
#include "engine/btree/record.h"
#include "engine/bytes.h"
#include "engine/memory/pinned.h"

namespace shale::engine::btree {

// Not thread-safe; const calls may run in several threads while nobody changes it.
class LeafBuffer final : public Pinned {
 public:
  using Ref = boost::intrusive_ptr<const LeafBuffer>;
  using MutableRef = boost::intrusive_ptr<LeafBuffer>;

  static MutableRef make() { return MutableRef{new LeafBuffer}; }

  std::uint32_t count() const { return static_cast<std::uint32_t>(slots_.size()); }
  // The index of the first record whose key is >= `key`; count() if there is none. `is_equal` says whether
  // that record has this key.
  std::uint32_t lower_bound(BytesView key, bool& is_equal) const;
  // Views are valid until the next put.
  Record at(std::uint32_t index) const;
  // Starts fetching what a search reads.
  void prefetch_search() const {
    constexpr std::size_t kLine = 64;
    constexpr std::size_t kBytesMax = 8 * kLine;
    const auto* const bytes = reinterpret_cast<const char*>(slots_.data());
    const std::size_t end = std::min(slots_.size() * sizeof(Slot), kBytesMax);
    for (std::size_t at = 0; at < end; at += kLine) __builtin_prefetch(bytes + at);
  }

  // `index` and `is_equal` as lower_bound has just said for this key.
  void put_at(std::uint32_t index, bool is_equal, const Record& record);
  void set_tag(std::uint32_t index, RecordTag tag);
  // By how many the records here change the leaf's keys, as counted when they were written.
  const KeyCounts& balance() const { return balance_; }
  void add_balance(std::uint32_t count_class, std::int64_t change) { balance_.add(count_class, change); }
  void add_balance(const KeyCounts& change) { balance_.add(change); }
  // The key is larger than all that are here.
  void append(const Record& record) { put_at(count(), false, record); }

  // About what the records would take in a page, and what of that the erased ones.
  std::size_t page_bytes() const { return page_bytes_; }
  std::size_t erased_bytes() const;
  std::size_t guess_count() const;
  std::size_t memory_bytes() const { return charge_.bytes(); }

 private:
  struct Slot {
    std::uint64_t head;
    std::uint32_t offset;  // into arena_
  };
  struct Header {  // in front of key and value
    std::uint32_t key_bytes;
    std::uint32_t value_bytes;
    std::uint32_t value_room;  // as much as the value may grow to in its place
    std::uint8_t tag;
  };

  LeafBuffer() { note_memory(); }
  void note_memory();
  Header header(const Slot& slot) const;
  BytesView key(const Slot& slot) const;
  std::uint32_t append_record(const Record& record);
  void replace(Slot& slot, const Record& record);
  void compact();

  std::vector<Slot> slots_;
  Bytes arena_;
  std::size_t dead_bytes_ = 0;  // of arena_
  std::size_t page_bytes_ = 0;
  KeyCounts balance_;
  MemoryCharge charge_{MemoryKind::buffers};
};

}  // namespace shale::engine::btree
