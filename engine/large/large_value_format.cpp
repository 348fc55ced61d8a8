#include "engine/large/large_value_format.h"

#include <cstring>

#include "engine/encoding.h"

namespace shale::engine {
namespace {

constexpr BytesView kLargeValueMagic{"SHALLRG\n", 8};

// The footer. Version, checksum and magic must stay where they are in later versions.
constexpr std::size_t kLargeValueVersionAt = 0;  // u32, then u32 bytes of a chunk
constexpr std::size_t kChunkBytesAt = 4;
constexpr std::size_t kIdAt = 8;
constexpr std::size_t kValueBytesAt = 16;
constexpr std::size_t kKeyBytesAt = 24;
constexpr std::size_t kChecksumAt = 32;  // of the trailer up to here
constexpr std::size_t kMagicAt = 40;
static_assert(LargeValueTrailer::kFooterBytes == kMagicAt + kLargeValueMagic.size());

}  // namespace

void LargeValueReference::append_to(Bytes& encoded) const {
  append_u64(encoded, id);
  append_u64(encoded, value_bytes);
  append_u64(encoded, checksum);
}

LargeValueReference LargeValueReference::decode(std::span<const char, kEncodedBytes> from) {
  return {load_u64(from.data()), load_u64(from.data() + 8), load_u64(from.data() + 16)};
}

std::uint64_t large_value_checksum(std::uint64_t id, std::uint64_t value_bytes,
                                   const std::vector<std::uint64_t>& chunk_checksums) {
  Bytes covered;
  covered.reserve((2 + chunk_checksums.size()) * sizeof(std::uint64_t));
  append_u64(covered, id);
  append_u64(covered, value_bytes);
  for (const std::uint64_t checksum : chunk_checksums) append_u64(covered, checksum);
  return hash_bytes(covered);
}

Bytes LargeValueTrailer::encode() const {
  Bytes encoded;
  encoded.reserve(chunk_checksums.size() * sizeof(std::uint64_t) + key.size() + kFooterBytes);
  for (const std::uint64_t checksum : chunk_checksums) append_u64(encoded, checksum);
  encoded.append(key);
  append_u32(encoded, kLargeValueFormatVersion);
  append_u32(encoded, kLargeChunkBytes);
  append_u64(encoded, id);
  append_u64(encoded, value_bytes);
  append_u64(encoded, key.size());
  append_u64(encoded, hash_bytes(encoded));
  encoded.append(kLargeValueMagic);
  return encoded;
}

LargeValueTrailer::State LargeValueTrailer::decode_footer(std::span<const char, kFooterBytes> footer,
                                                          std::uint64_t file_bytes,
                                                          std::uint64_t& bytes_before) {
  if (BytesView{footer.data() + kMagicAt, kLargeValueMagic.size()} != kLargeValueMagic)
    return State::not_a_large_value;
  if (load_u32(footer.data() + kLargeValueVersionAt) > kLargeValueFormatVersion) return State::newer_version;
  if (load_u32(footer.data() + kChunkBytesAt) != kLargeChunkBytes) return State::damaged;
  const std::uint64_t value_bytes = load_u64(footer.data() + kValueBytesAt);
  const std::uint64_t key_bytes = load_u64(footer.data() + kKeyBytesAt);
  if (value_bytes > file_bytes || key_bytes > file_bytes) return State::damaged;
  bytes_before = large_chunk_count(value_bytes) * sizeof(std::uint64_t) + key_bytes;
  return value_bytes + bytes_before + kFooterBytes == file_bytes ? State::sound : State::damaged;
}

LargeValueTrailer::State LargeValueTrailer::decode(BytesView encoded, LargeValueTrailer& trailer) {
  if (encoded.size() < kFooterBytes) return State::damaged;
  const char* const footer = encoded.data() + encoded.size() - kFooterBytes;
  const BytesView covered = encoded.substr(0, encoded.size() - kFooterBytes + kChecksumAt);
  if (hash_bytes(covered) != load_u64(footer + kChecksumAt)) return State::damaged;
  trailer.id = load_u64(footer + kIdAt);
  trailer.value_bytes = load_u64(footer + kValueBytesAt);
  const std::uint64_t key_bytes = load_u64(footer + kKeyBytesAt);
  const std::uint64_t chunks = large_chunk_count(trailer.value_bytes);
  if (chunks * sizeof(std::uint64_t) + key_bytes + kFooterBytes != encoded.size()) return State::damaged;
  trailer.chunk_checksums.resize(chunks);
  std::memcpy(trailer.chunk_checksums.data(), encoded.data(), chunks * sizeof(std::uint64_t));
  trailer.key = encoded.substr(chunks * sizeof(std::uint64_t), key_bytes);
  return State::sound;
}

}  // namespace shale::engine
