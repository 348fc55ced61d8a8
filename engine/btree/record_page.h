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
  static constexpr std::size_t kHeadBytes = sizeof(std::uint64_t);
  static constexpr std::size_t kArraysAt = 8;
  static constexpr std::size_t kNarrowBytesMax = 0xffff;  // of a payload

  RecordPage() = default;
  // Of a payload that parse() has accepted, now or before.
  explicit RecordPage(BytesView payload);
  // Nothing unless every count, offset and length is right and the keys ascend.
  static std::optional<RecordPage> parse(BytesView payload);

  std::uint32_t count() const { return count_; }
  // The index of the first record whose key is >= `key`; count() if there is none. `is_equal` says whether
  // that record has this key.
  std::uint32_t lower_bound(BytesView key, bool& is_equal) const;
  // The index of the key's record.
  std::optional<std::uint32_t> find(BytesView key) const { return find(key, first_with_head(key)); }

  // The same in steps, for who has something else to do while memory is fetched: prefetch_search() fetches
  // what first_with_head() will read, which fetches what find() will read.
  void prefetch_search() const;
  std::uint32_t first_with_head(BytesView key) const;
  std::optional<std::uint32_t> find(BytesView key, std::uint32_t first_with_head) const;

  RecordTag tag(std::uint32_t index) const { return parts(index).tag; }
  BytesView value(std::uint32_t index) const { return parts(index).value; }
  // Replaces what is in `into`.
  void key(std::uint32_t index, Bytes& into) const { entry(index, into); }
  // The key likewise; returns the value.
  BytesView entry(std::uint32_t index, Bytes& key) const;

 private:
  struct Parts {
    std::uint64_t suffix_bytes = 0;
    BytesView rest;
    BytesView value;
    RecordTag tag;
  };
  bool is_wide() const { return payload_bytes_ > kNarrowBytesMax; }
  const char* heads() const { return payload_ + kArraysAt; }
  const char* offsets() const { return heads() + std::size_t{count_} * kHeadBytes; }
  const char* end() const { return payload_ + payload_bytes_; }
  BytesView prefix() const { return {offsets() + std::size_t{count_} * (is_wide() ? 4 : 2), prefix_bytes_}; }
  std::uint64_t head(std::uint32_t index) const { return load_u64(heads() + index * kHeadBytes); }
  std::uint32_t offset(std::uint32_t index) const {
    return is_wide() ? load_u32(offsets() + std::size_t{index} * 4)
                     : load_u16(offsets() + std::size_t{index} * 2);
  }
  Parts parts(std::uint32_t index) const;
  // The first whose head is not below `wanted`.
  std::uint32_t lower_bound(std::uint64_t wanted) const;
  // The first from `first` on, the first with this head, whose suffix is not below `suffix`.
  std::uint32_t lower_bound(std::uint32_t first, std::uint64_t head, BytesView suffix, bool& is_equal) const;
  int compare(std::uint32_t index, std::uint64_t head, BytesView suffix) const;
  bool is_sound() const;
  bool record_is_sound(std::uint32_t index, std::uint32_t begin, std::uint32_t end) const;

  // All that a search has to know before it reads the heads, in few bytes: leaves keep one.
  const char* payload_ = nullptr;
  std::uint32_t payload_bytes_ = 0;
  std::uint32_t count_ = 0;
  std::uint32_t prefix_bytes_ = 0;
};

// At most what a record takes of a page, its part of the arrays included.
std::size_t record_bytes(std::size_t key_bytes, std::size_t value_bytes);

// A page image, without its header filled in, of records in strictly ascending key order.
PageImage::Ref build_record_page(std::span<const Record> records);

}  // namespace shale::engine::btree
