// The file of one large value, and how the value of a key refers to it. Every byte: docs/formats.md, "Large
// values"; why: docs/large-values.md.
//
//   file      := value  (chunk_checksum:u64)*  key  footer
//   reference := id:u64  value_bytes:u64  checksum:u64
//
// A chunk is 256 KiB of the value, the last one shorter. Each has a checksum of its own, so that a part can
// be read and checked alone.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/bytes.h"

namespace shale::engine {

inline constexpr std::uint32_t kLargeValueFormatVersion = 1;
inline constexpr std::uint32_t kLargeChunkBytes = 256U << 10;

struct LargeValueReference {
  static constexpr std::size_t kEncodedBytes = 24;

  std::uint64_t id = 0;           // names the file; never given twice
  std::uint64_t value_bytes = 0;  // at least 1
  std::uint64_t checksum = 0;     // large_value_checksum

  void append_to(Bytes& encoded) const;
  static LargeValueReference decode(std::span<const char, kEncodedBytes> from);
  bool operator==(const LargeValueReference&) const = default;
};

constexpr std::uint64_t large_chunk_count(std::uint64_t value_bytes) {
  return (value_bytes + kLargeChunkBytes - 1) / kLargeChunkBytes;
}

// Of one chunk, over the file's id, the chunk's number and its bytes, which may come in parts.
class LargeChunkHash {
 public:
  LargeChunkHash(std::uint64_t id, std::uint64_t chunk_number) {
    const std::uint64_t place[] = {id, chunk_number};
    XXH3_64bits_reset(&state_);
    XXH3_64bits_update(&state_, place, sizeof place);
  }
  void update(BytesView part) { XXH3_64bits_update(&state_, part.data(), part.size()); }
  std::uint64_t digest() const { return XXH3_64bits_digest(&state_); }

 private:
  XXH3_state_t state_;
};

// Of a whole value, over its id, its length and its chunks' checksums.
std::uint64_t large_value_checksum(std::uint64_t id, std::uint64_t value_bytes,
                                   const std::vector<std::uint64_t>& chunk_checksums);

// What follows the value.
struct LargeValueTrailer {
  enum class State : std::uint8_t { sound, not_a_large_value, damaged, newer_version };
  static constexpr std::size_t kFooterBytes = 48;

  std::uint64_t id = 0;
  std::uint64_t value_bytes = 0;
  std::vector<std::uint64_t> chunk_checksums;
  Bytes key;

  Bytes encode() const;

  // How many bytes the trailer has in front of its footer, in a file of `file_bytes`; from the footer, of
  // which the lengths are only known to be possible.
  static State decode_footer(std::span<const char, kFooterBytes> footer, std::uint64_t file_bytes,
                             std::uint64_t& bytes_before);
  // `encoded` is what encode() made: checked as a whole.
  static State decode(BytesView encoded, LargeValueTrailer& trailer);
};

}  // namespace shale::engine
