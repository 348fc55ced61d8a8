// Byte strings, and the hash under which the engines know a key.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace shale::engine {

using Bytes = std::string;
using BytesView = std::string_view;

// A place in the process's one log: the sequence number of a record. Grows by one per record; 0 is "before
// the first".
using Lsn = std::uint64_t;

static_assert(std::endian::native == std::endian::little, "files are little-endian and written as memory is");

inline std::uint64_t hash_bytes(BytesView bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

// A key together with its hash, computed once per command and used by memtable, record cache and Bloom
// filters alike.
struct HashedKey {
  BytesView bytes;
  std::uint64_t hash = 0;

  HashedKey() = default;
  explicit HashedKey(BytesView key) : bytes(key), hash(hash_bytes(key)) {}
  HashedKey(BytesView key, std::uint64_t known_hash) : bytes(key), hash(known_hash) {}
};

// The first eight bytes as a big-endian integer, zero-padded: orders keys as memcmp does wherever two heads
// differ.
inline std::uint64_t key_head(BytesView key) {
  std::uint64_t head = 0;
  if (key.size() >= sizeof head) {
    std::memcpy(&head, key.data(), sizeof head);
  } else if (!key.empty()) {
    std::memcpy(&head, key.data(), key.size());
  }
  return __builtin_bswap64(head);
}

}  // namespace shale::engine
