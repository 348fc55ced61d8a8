// Data blocks: some KiB of entries in key order, and the arrays that make a point read touch few of them.
//
//   block   := entry_count:u32  restart_count:u32  prefix_bytes:u32
//              head:u32[restart_count]  offset:u16-or-u32[restart_count]  entry*
//   entry   := shared:varint  unshared:varint  value_bytes:varint  tag:u8  key suffix  value
//
// Entries come in groups. The first of a group, its restart point, has its whole key; the others leave out
// what they share with that first key. A group ends after kGroupEntriesMax, or before a key that shares less
// than kSharedBytesMin with it: keys with uniformly distributed tokens share nothing worth the copying and
// stand alone, the records of one small collection form a group. A head is the four bytes of a restart key
// behind what all keys of the block begin with, as a number: a search compares numbers that lie side by side
// and meets, as a rule, only the one entry it wants. Every byte: docs/formats.md, "Sorted tables".
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/bytes.h"
#include "engine/lsm/entry.h"
#include "engine/memory/pinned.h"

namespace shale::engine::lsm {

inline constexpr std::uint32_t kGroupEntriesMax = 16;
inline constexpr std::uint32_t kSharedBytesMin = 4;

// Collects entries, which must come in strictly ascending key order, and lays them out as a block.
class BlockBuilder {
 public:
  // What the block would come to with one more entry of these sizes, at most.
  std::uint64_t bytes_with(std::size_t key_bytes, std::size_t value_bytes) const;
  bool empty() const { return entry_count_ == 0; }

  // The block must stay below 4 GiB: ask bytes_with first.
  void add(const Entry& entry);

  // The block is `arrays()` followed by `entries()`; views valid until clear(). Not empty.
  BytesView arrays();
  BytesView entries() const { return entries_; }

  BytesView first_key() const { return first_key_; }
  BytesView last_key() const { return last_key_; }
  void clear();

 private:
  std::uint32_t entry_count_ = 0;
  std::uint32_t group_entries_ = 0;
  Bytes entries_;
  std::vector<std::uint32_t> restarts_;  // offsets in entries_
  Bytes restart_key_;
  Bytes first_key_;
  Bytes last_key_;
  Bytes arrays_;
};

// A block's bytes, checked once and then believed. Does not own them.
class BlockView {
 public:
  BlockView() = default;
  // Nothing unless every count, offset and length is right and the keys ascend.
  static std::optional<BlockView> parse(BytesView bytes);
  // Of bytes that parse() has accepted before.
  static BlockView parse_trusted(BytesView bytes);

  // The entry with this key, whose view becomes the entry's key; its value is a view of the block.
  std::optional<Entry> find(BytesView key) const;

  std::uint32_t entry_count() const { return entry_count_; }

 private:
  friend class BlockCursor;

  BytesView bytes() const { return {bytes_, size_}; }
  bool is_wide() const { return size_ > 0xffff; }
  std::uint32_t head(std::uint32_t restart) const;
  std::uint32_t entry_offset(std::uint32_t restart) const;  // in bytes(); size_ for restart_count_
  BytesView restart_key(std::uint32_t restart) const;
  BytesView prefix() const;  // what all keys begin with
  // The last restart point whose key is <= `key`, or nothing. `key` must begin with prefix().
  std::optional<std::uint32_t> restart_at_or_before(BytesView key) const;
  bool check() const;

  const char* bytes_ = nullptr;
  std::uint32_t size_ = 0;
  std::uint32_t entry_count_ = 0;
  std::uint32_t restart_count_ = 0;
  std::uint32_t prefix_bytes_ = 0;
};

// Walks a block. The block's bytes must outlive it. Not movable: the current key may be a view of the cursor.
class BlockCursor {
 public:
  BlockCursor() = default;
  BlockCursor(const BlockCursor&) = delete;
  BlockCursor& operator=(const BlockCursor&) = delete;

  void reset(const BlockView& block);  // onto no entry
  void seek(BytesView key);            // to the first key >= `key`
  void seek_before(BytesView key);     // to the last key < `key`
  void seek_first();
  void seek_last();
  void next();      // requires valid()
  void previous();  // requires valid()

  bool valid() const { return valid_; }
  const Entry& entry() const { return entry_; }  // views valid until the next call

 private:
  void enter(std::uint32_t restart);  // onto its first entry
  void read(std::uint32_t offset);
  void list_group();

  BlockView block_;
  bool valid_ = false;
  std::uint32_t restart_ = 0;      // of the current entry
  std::uint32_t offset_ = 0;       // of the current entry
  std::uint32_t next_offset_ = 0;  // behind it
  // Where the entries of one group begin, for walks backward: looked up once for all of them.
  std::vector<std::uint32_t> group_;
  std::optional<std::uint32_t> listed_restart_;
  BytesView restart_key_;
  Entry entry_;
  Bytes key_;  // of an entry that shares bytes with its restart point
};

struct BlockCacheEntry;

// A block in memory: counts, this object and the bytes are one allocation. Also used for the records of value
// files, which are not adopted and have no view.
// The alignment leaves four bits of an address to who refers to it (block_slot.h).
class alignas(16) Block final : public Pinned {
 public:
  // With room for `size` bytes, to be filled and adopted before others see it. Throws std::bad_alloc.
  static boost::intrusive_ptr<Block> allocate(std::size_t size);

  std::span<char> bytes();
  BytesView stored() const { return {reinterpret_cast<const char*>(this + 1), size_}; }  // the same
  enum class Structure : std::uint8_t { unknown, checked_before };
  // Checks what the first `used` of bytes() hold now; false if that is no block. Once these very bytes have
  // been checked, they need not be again.
  bool adopt(std::size_t used, Structure structure = Structure::unknown);
  const BlockView& view() const { return view_; }
  std::size_t memory_bytes() const;  // of the whole allocation

  // Starts fetching what a point read looks at first: this object, and the heads and offsets of a block of
  // the default size.
  void prefetch() const {
    constexpr std::ptrdiff_t kLineBytes = 64;
    constexpr std::ptrdiff_t kLines = 5;
    const char* const begin = reinterpret_cast<const char*>(this);
    for (std::ptrdiff_t line = 0; line != kLines; ++line) __builtin_prefetch(begin + line * kLineBytes);
  }

  static void operator delete(void* block) { ::operator delete(block); }  // bytes included

 private:
  explicit Block(std::size_t size) : size_(size) {}
  ~Block() override = default;

  friend class BlockCache;

  const std::size_t size_;
  BlockView view_;
  // What the cache notes of it while it is there; the cache's alone, under a lock of its own.
  mutable BlockCacheEntry* cache_entry_ = nullptr;
};

// Keeps a block in memory, also after the cache has let go of it. The last holder frees it.
using BlockHandle = boost::intrusive_ptr<const Block>;

}  // namespace shale::engine::lsm
