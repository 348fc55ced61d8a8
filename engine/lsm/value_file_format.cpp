#include "engine/lsm/value_file_format.h"

#include <bit>
#include <cstring>

namespace shale::engine::lsm {
namespace {

constexpr char kHeaderMagic[] = {'S', 'H', 'A', 'L', 'E', 'V', 'A', 'L'};
constexpr char kFooterMagic[] = {'S', 'H', 'A', 'L', 'V', 'A', 'L', '\n'};

// Header: magic, version and checksum must stay where they are in later versions.
constexpr std::size_t kHeaderVersionAt = 8;  // u32, then u32 zero
constexpr std::size_t kHeaderReservedAt = 12;
constexpr std::size_t kHeaderNumberAt = 16;
constexpr std::size_t kHeaderChecksumAt = 24;  // of the bytes before it
static_assert(ValueFileHeader::kEncodedBytes == kHeaderChecksumAt + sizeof(std::uint64_t));

constexpr std::size_t kRecordCountAt = 0;
constexpr std::size_t kRecordBytesAt = 8;
constexpr std::size_t kFooterChecksumAt = 16;
constexpr std::size_t kFooterMagicAt = 24;
static_assert(ValueFileFooter::kEncodedBytes == kFooterMagicAt + sizeof kFooterMagic);

std::uint64_t footer_checksum(std::uint64_t file_number, const ValueFileFooter& footer) {
  const std::uint64_t covered[] = {file_number, footer.record_count, footer.record_bytes};
  return XXH3_64bits(covered, sizeof covered);
}

constexpr std::uint64_t varint_bytes(std::uint64_t value) {
  return (static_cast<std::uint64_t>(std::bit_width(value | 1)) + 6) / 7;
}

}  // namespace

std::array<char, ValueFileHeader::kEncodedBytes> ValueFileHeader::encode() const {
  std::array<char, kEncodedBytes> bytes;
  std::memcpy(bytes.data(), kHeaderMagic, sizeof kHeaderMagic);
  store_number(bytes.data() + kHeaderVersionAt, format_version);
  store_number(bytes.data() + kHeaderReservedAt, std::uint32_t{0});
  store_number(bytes.data() + kHeaderNumberAt, file_number);
  store_number(bytes.data() + kHeaderChecksumAt, std::uint64_t{XXH3_64bits(bytes.data(), kHeaderChecksumAt)});
  return bytes;
}

ValueFileState ValueFileHeader::decode(std::span<const char, kEncodedBytes> from, ValueFileHeader& header) {
  if (std::memcmp(from.data(), kHeaderMagic, sizeof kHeaderMagic) != 0)
    return ValueFileState::not_a_value_file;
  if (load_u64(from.data() + kHeaderChecksumAt) != XXH3_64bits(from.data(), kHeaderChecksumAt)) {
    return ValueFileState::damaged;
  }
  header.format_version = load_u32(from.data() + kHeaderVersionAt);
  if (header.format_version > kValueFileFormatVersion) return ValueFileState::newer_version;
  if (header.format_version == 0 || load_u32(from.data() + kHeaderReservedAt) != 0)
    return ValueFileState::damaged;
  header.file_number = load_u64(from.data() + kHeaderNumberAt);
  return ValueFileState::sound;
}

std::array<char, ValueFileFooter::kEncodedBytes> ValueFileFooter::encode(std::uint64_t file_number) const {
  std::array<char, kEncodedBytes> bytes;
  store_number(bytes.data() + kRecordCountAt, record_count);
  store_number(bytes.data() + kRecordBytesAt, record_bytes);
  store_number(bytes.data() + kFooterChecksumAt, footer_checksum(file_number, *this));
  std::memcpy(bytes.data() + kFooterMagicAt, kFooterMagic, sizeof kFooterMagic);
  return bytes;
}

ValueFileState ValueFileFooter::decode(std::span<const char, kEncodedBytes> from, std::uint64_t file_number,
                                       ValueFileFooter& footer) {
  if (std::memcmp(from.data() + kFooterMagicAt, kFooterMagic, sizeof kFooterMagic) != 0) {
    return ValueFileState::not_a_value_file;
  }
  footer.record_count = load_u64(from.data() + kRecordCountAt);
  footer.record_bytes = load_u64(from.data() + kRecordBytesAt);
  const bool matches = load_u64(from.data() + kFooterChecksumAt) == footer_checksum(file_number, footer);
  return matches ? ValueFileState::sound : ValueFileState::damaged;
}

std::optional<ValueRecordHead> ValueRecordHead::decode(BytesView from) {
  ByteReader reader{from};
  ValueRecordHead head;
  head.checksum = reader.u64();
  head.key_bytes = reader.varint();
  head.value_bytes = reader.varint();
  if (reader.failed()) return std::nullopt;
  head.encoded_bytes = from.size() - reader.rest().size();
  return head;
}

std::uint64_t value_record_bytes(std::uint64_t key_bytes, std::uint64_t value_bytes) {
  return ValueRecordHead::kChecksumBytes + varint_bytes(key_bytes) + varint_bytes(value_bytes) + key_bytes +
         value_bytes;
}

}  // namespace shale::engine::lsm
