// A record as the layers of a leaf hold it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/bytes.h"

namespace shale::engine::btree {

// What a record says of its key. One byte on disk: bit 0 erased, bit 1 guessed.
struct RecordTag {
  bool erased = false;   // the key is gone; only where there is a layer below
  bool guessed = false;  // written by someone who could not see the layers below, and counted as if a value
                         // had been there

  constexpr std::uint8_t encode() const {
    return static_cast<std::uint8_t>((erased ? 1U : 0U) | (guessed ? 2U : 0U));
  }
  static constexpr RecordTag decode(std::uint8_t byte) { return {(byte & 1) != 0, (byte & 2) != 0}; }
  static constexpr bool is_valid(std::uint8_t byte) { return byte < 4; }
  constexpr bool operator==(const RecordTag&) const = default;
};

struct Record {
  BytesView key;
  BytesView value;  // empty if erased
  RecordTag tag;
};

// How two keys begin alike.
inline std::size_t shared_bytes(BytesView a, BytesView b) {
  const std::size_t most = a.size() < b.size() ? a.size() : b.size();
  std::size_t shared = 0;
  while (shared < most && a[shared] == b[shared]) ++shared;
  return shared;
}

}  // namespace shale::engine::btree
