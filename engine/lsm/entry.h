// What memtables and tables store under a key: a value or a tombstone, and how the entry counts.
//
// Counting keys without reading before writing. The number of live keys of a tree is the sum, over every
// entry it stores, shadowed ones included, of the entry's balance: +1 for a value written where there was
// none, 0 for one that replaced a value, -1 for a tombstone that hid a value. Merging two versions of a key
// adds their balances. Where a write could not tell cheaply whether the key was there (a filter says maybe,
// the block is not in memory), it assumes that it was; when compaction carries the entry to the bottom of the
// tree, where a value must stand at +1 and a tombstone at 0, a wrong guess corrects itself.
#pragma once

#include <cstdint>

#include "engine/bytes.h"

namespace shale::engine::lsm {

enum class EntryType : std::uint8_t { value = 0, tombstone = 1 };  // stored: append, never renumber

struct EntryTag {
  EntryType type = EntryType::value;
  std::int8_t balance = 0;  // -1, 0 or +1
  bool separated = false;  // the value lies in a value file; the entry has a ValueReference instead. Never in
                           // a memtable, never of a tombstone

  // One byte on disk: bit 0 the type, bits 1-2 the balance + 1, bit 3 whether the value is separated.
  constexpr std::uint8_t encode() const {
    return static_cast<std::uint8_t>(static_cast<unsigned>(type) | static_cast<unsigned>(balance + 1) << 1 |
                                     (separated ? kSeparatedBit : 0U));
  }
  static constexpr EntryTag decode(std::uint8_t byte) {
    return {static_cast<EntryType>(byte & 1), static_cast<std::int8_t>(static_cast<int>(byte >> 1 & 3) - 1),
            (byte & kSeparatedBit) != 0};
  }
  static constexpr bool is_valid(std::uint8_t byte) {
    const bool is_separated_tombstone = (byte & kSeparatedBit) != 0 && (byte & 1) != 0;
    return (byte & 7) < 6 && byte < 2 * kSeparatedBit && !is_separated_tombstone;
  }
  constexpr bool operator==(const EntryTag&) const = default;

 private:
  static constexpr unsigned kSeparatedBit = 8;
};

struct Entry {
  BytesView key;
  BytesView value;  // empty for a tombstone; an encoded ValueReference if the tag says separated
  EntryTag tag;
};

}  // namespace shale::engine::lsm
