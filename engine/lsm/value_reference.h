// What the tree stores under a key whose value lies in a value file (value_file.h): where the value is, how
// long, and how it begins. Encoded, it is the value of an entry whose tag says `separated` (entry.h).
//
//   reference := file:varint  offset:varint  value_bytes:varint  head
//
// The head is the first kValueHeadBytes bytes of the value, or all of a shorter one: what a KeyPolicy and
// scans look at in a value (type, expiry) is at its beginning, and should not cost a read of the value file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "engine/bytes.h"
#include "engine/encoding.h"
#include "engine/lsm/entry.h"

namespace shale::engine::lsm {

inline constexpr std::size_t kValueHeadBytes = 16;

struct ValueReference {
  static constexpr std::size_t kEncodedBytesMax = 3 * kVarintBytesMax + kValueHeadBytes;

  std::uint64_t file = 0;         // its number
  std::uint64_t offset = 0;       // of the record in the file
  std::uint64_t value_bytes = 0;  // of the value alone
  BytesView head;                 // a view of the value or, after decode(), of the encoded reference

  // The reference to `value`, whose record begins at `offset`. The head is a view of `value`.
  static ValueReference to(BytesView value, std::uint64_t file, std::uint64_t offset) {
    return {file, offset, value.size(), value.substr(0, kValueHeadBytes)};
  }

  void append_to(Bytes& encoded) const;
  // Nothing unless `encoded` is exactly one reference.
  static std::optional<ValueReference> decode(BytesView encoded);

  bool operator==(const ValueReference&) const = default;
};

// How the entry's value begins, at least kValueHeadBytes of it or all there is, wherever the value is. Of an
// entry that comes from a table: there a reference has been checked.
BytesView value_head(const Entry& entry);

}  // namespace shale::engine::lsm
