// The parts of a value file. Every byte: docs/formats.md, "Value files".
//
//   file   := header  record*  footer
//   record := checksum:u64  key_bytes:varint  value_bytes:varint  key  value
//
// Records follow one another without gaps. The key is there so that a reference that leads to the wrong place
// is noticed, and so that the file can be read without the tree.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "engine/bytes.h"
#include "engine/encoding.h"

namespace shale::engine::lsm {

inline constexpr std::uint32_t kValueFileFormatVersion = 1;

// Of a header or footer, what is wrong with it, or that nothing is.
enum class ValueFileState : std::uint8_t { sound, not_a_value_file, damaged, newer_version };

struct ValueFileHeader {
  static constexpr std::size_t kEncodedBytes = 32;

  std::uint32_t format_version = kValueFileFormatVersion;
  std::uint64_t file_number = 0;

  std::array<char, kEncodedBytes> encode() const;
  static ValueFileState decode(std::span<const char, kEncodedBytes> from, ValueFileHeader& header);
};

struct ValueFileFooter {
  static constexpr std::size_t kEncodedBytes = 32;

  std::uint64_t record_count = 0;
  std::uint64_t record_bytes = 0;  // of all records together

  // The file's number goes into the checksum.
  std::array<char, kEncodedBytes> encode(std::uint64_t file_number) const;
  static ValueFileState decode(std::span<const char, kEncodedBytes> from, std::uint64_t file_number,
                               ValueFileFooter& footer);
};

// What stands before a record's key.
struct ValueRecordHead {
  static constexpr std::size_t kChecksumBytes = sizeof(std::uint64_t);
  static constexpr std::size_t kEncodedBytesMax = kChecksumBytes + 2 * kVarintBytesMax;

  std::uint64_t checksum = 0;
  std::uint64_t key_bytes = 0;
  std::uint64_t value_bytes = 0;
  std::size_t encoded_bytes = 0;  // of this head

  // From the beginning of `from`, which may be longer or too short; nothing if no head fits.
  static std::optional<ValueRecordHead> decode(BytesView from);
};

// The length of a whole record.
std::uint64_t value_record_bytes(std::uint64_t key_bytes, std::uint64_t value_bytes);

// The checksum of a record, over the file's number, the record's offset, and what follows the checksum, given
// in as many parts as the caller has.
class ValueRecordHash {
 public:
  ValueRecordHash(std::uint64_t file_number, std::uint64_t offset) {
    const std::uint64_t place[] = {file_number, offset};
    XXH3_64bits_reset(&state_);
    XXH3_64bits_update(&state_, place, sizeof place);
  }
  void update(BytesView part) { XXH3_64bits_update(&state_, part.data(), part.size()); }
  std::uint64_t digest() const { return XXH3_64bits_digest(&state_); }

 private:
  XXH3_state_t state_;
};

}  // namespace shale::engine::lsm
