// Sorted records in a page: the base of a leaf, or the changes to it. In memory as on disk.
//
//   payload := count:u32  prefix_bytes:u32  head:u64[count]  offset:u16-or-u32[count]  prefix  record*
//   record  := suffix_bytes:varint  value_bytes:varint  tag:u8  rest  value
//
// All keys begin with the prefix; what follows is a key's suffix. A head is the first eight bytes of the
// suffix as a number that orders as they do, zero-padded, and the rest is what follows those eight. So a
// search compares numbers that lie side by side, and no byte of a key is stored twice. Offsets are of records
// in the payload, and take four bytes in payloads above 65,535.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "engine/btree/page_format.h"
#include "engine/btree/record.h"
#include "engine/bytes.h"

namespace shale::engine::btree {

// Does not own the bytes. A default-constructed one has no records.
class RecordPage {
 public:
  RecordPage() = default;
  // Of a payload that parse() has accepted, now or before.
  explicit RecordPage(BytesView payload);
  // Nothing unless every count, offset and length is right and the keys ascend.
  static std::optional<RecordPage> parse(BytesView payload);

  std::uint32_t count() const { return count_; }
  // The index of the first record whose key is >= `key`; count() if there is none. `is_equal` says whether
  // that record has this key.
  std::uint32_t lower_bound(BytesView key, bool& is_equal) const;
  std::optional<std::uint32_t> find(BytesView key) const;

  RecordTag tag(std::uint32_t index) const { return parts(index).tag; }
  BytesView value(std::uint32_t index) const { return parts(index).value; }
  // Replaces what is in `into`.
  void key(std::uint32_t index, Bytes& into) const;
  // Starts fetching what a search of the page reads first.
  void prefetch() const { __builtin_prefetch(heads_ + count_ / 2 * sizeof(std::uint64_t)); }

 private:
  struct Parts {
    std::uint64_t suffix_bytes = 0;
    BytesView rest;
    BytesView value;
    RecordTag tag;
  };
  std::uint64_t head(std::uint32_t index) const { return load_u64(heads_ + index * sizeof(std::uint64_t)); }
  std::uint32_t offset(std::uint32_t index) const;
  Parts parts(std::uint32_t index) const;
  bool is_wide() const { return payload_.size() > 0xffff; }
  int compare(std::uint32_t index, std::uint64_t head, BytesView suffix) const;
  bool is_sound() const;
  bool record_is_sound(std::uint32_t index, std::uint32_t begin, std::uint32_t end) const;

  BytesView payload_;
  BytesView prefix_;
  const char* heads_ = nullptr;
  const char* offsets_ = nullptr;
  std::uint32_t count_ = 0;
};

// At most what a record takes of a page, its part of the arrays included.
std::size_t record_bytes(std::size_t key_bytes, std::size_t value_bytes);

// A page image, without its header filled in, of records in strictly ascending key order.
PageImage::Ref build_record_page(std::span<const Record> records);

}  // namespace shale::engine::btree
