// How a memtable keeps an entry in its arena.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "engine/lsm/entry.h"

namespace shale::engine::lsm {

// record := key_bytes:u32  value_bytes:u32  units:28 grown:1 tag:3  key  value  spare, aligned to 8 bytes.
// The spare bytes are what a longer value may grow into; a record never moves.
class MemtableRecord {
 public:
  static constexpr std::size_t kHeaderBytes = 12;
  static constexpr std::size_t kUnitBytes = 8;
  static constexpr std::size_t kBytesMax = ((std::size_t{1} << 28) - 1) * kUnitBytes;

  static constexpr std::size_t bytes_for(std::size_t key_bytes, std::size_t value_bytes) {
    return (kHeaderBytes + key_bytes + value_bytes + kUnitBytes - 1) / kUnitBytes * kUnitBytes;
  }

  // Makes a record of `bytes` (from bytes_for, or more) at `place`.
  static MemtableRecord& create(std::byte* place, std::size_t bytes, BytesView key) {
    auto* record = reinterpret_cast<MemtableRecord*>(place);
    record->key_bytes_ = static_cast<std::uint32_t>(key.size());
    record->value_bytes_ = 0;
    record->units_ = static_cast<std::uint32_t>(bytes / kUnitBytes) & 0xfff'ffff;
    record->grown_ = 0;
    if (!key.empty()) std::memcpy(record->data(), key.data(), key.size());
    return *record;
  }

  BytesView key() const { return {data(), key_bytes_}; }
  BytesView value() const { return {data() + key_bytes_, value_bytes_}; }
  EntryTag tag() const { return EntryTag::decode(tag_); }
  Entry entry() const { return {key(), value(), tag()}; }
  std::size_t bytes() const { return units_ * kUnitBytes; }
  std::size_t value_capacity() const { return bytes() - kHeaderBytes - key_bytes_; }
  bool grown() const { return grown_ != 0; }

  void set_tag(EntryTag tag) { tag_ = tag.encode() & 7; }
  void set_grown() { grown_ = 1; }
  // Requires value.size() <= value_capacity(). `value` may be a view of this record.
  void set_value(BytesView value) {
    if (!value.empty()) std::memmove(data() + key_bytes_, value.data(), value.size());
    value_bytes_ = static_cast<std::uint32_t>(value.size());
  }

 private:
  const char* data() const { return reinterpret_cast<const char*>(this) + kHeaderBytes; }
  char* data() { return reinterpret_cast<char*>(this) + kHeaderBytes; }

  std::uint32_t key_bytes_;
  std::uint32_t value_bytes_;
  std::uint32_t units_ : 28;
  std::uint32_t grown_ : 1;  // took the place of a record that was too short
  std::uint32_t tag_ : 3;
};
static_assert(sizeof(MemtableRecord) == MemtableRecord::kHeaderBytes);

}  // namespace shale::engine::lsm
