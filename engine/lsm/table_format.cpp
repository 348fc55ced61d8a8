#include "engine/lsm/table_format.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "engine/encoding.h"

namespace shale::engine::lsm {
namespace {

// Footer: magic is last, so that any version can be recognised by the end of the file.
constexpr std::size_t kFooterVersionAt = 0;  // u32, then u32 zero
constexpr std::size_t kFooterReservedAt = 4;
constexpr std::size_t kFooterNumberAt = 8;
constexpr std::size_t kFilterAt = 16;
constexpr std::size_t kIndexAt = 24;
constexpr std::size_t kPropertiesAt = 32;
constexpr std::size_t kChecksumAt = 40;  // of the 40 bytes before it
constexpr std::size_t kMagicAt = 48;
static_assert(TableFooter::kEncodedBytes == kMagicAt + sizeof kTableMagic);

// 0 stands for never.
void append_time(Bytes& encoded, std::int64_t time_ms) {
  const bool never = time_ms == ObsoleteTimes::kNever;
  append_varint(encoded, never ? 0 : static_cast<std::uint64_t>(std::max<std::int64_t>(time_ms, 1)));
}

std::int64_t take_time(ByteReader& reader) {
  const std::uint64_t encoded = reader.varint();
  return encoded == 0 || encoded > INT64_MAX ? ObsoleteTimes::kNever : static_cast<std::int64_t>(encoded);
}

bool decode_value_files(ByteReader& reader, std::vector<ValueFileUse>& uses) {
  const std::uint64_t count = reader.varint();
  if (count > reader.rest().size()) return false;
  for (std::uint64_t i = 0; i != count; ++i) {
    ValueFileUse use;
    use.file = reader.varint();
    use.record_count = reader.varint();
    use.record_bytes = reader.varint();
    if (!uses.empty() && uses.back().file >= use.file) return false;
    uses.push_back(use);
  }
  return true;
}

}  // namespace

std::array<char, BlockTrailer::kEncodedBytes> BlockTrailer::encode() const {
  std::array<char, kEncodedBytes> bytes;
  bytes[0] = static_cast<char>(compression);
  store_number(bytes.data() + 1, raw_bytes);
  store_number(bytes.data() + 5, checksum);
  return bytes;
}

BlockTrailer BlockTrailer::decode(std::span<const char, kEncodedBytes> from) {
  return {static_cast<Compression>(from[0]), load_u32(from.data() + 1), load_u64(from.data() + 5)};
}

std::uint64_t block_checksum(std::uint64_t payload_hash, const BlockTrailer& trailer,
                             std::uint64_t table_number, std::uint64_t offset) {
  char covered[8 + 8 + 8 + 4 + 1];
  store_number(covered, payload_hash);
  store_number(covered + 8, table_number);
  store_number(covered + 16, offset);
  store_number(covered + 24, trailer.raw_bytes);
  covered[28] = static_cast<char>(trailer.compression);
  return XXH3_64bits(covered, sizeof covered);
}

std::array<char, TableFooter::kEncodedBytes> TableFooter::encode() const {
  std::array<char, kEncodedBytes> bytes;
  store_number(bytes.data() + kFooterVersionAt, format_version);
  store_number(bytes.data() + kFooterReservedAt, std::uint32_t{0});
  store_number(bytes.data() + kFooterNumberAt, table_number);
  store_number(bytes.data() + kFilterAt, filter_offset);
  store_number(bytes.data() + kIndexAt, index_offset);
  store_number(bytes.data() + kPropertiesAt, properties_offset);
  store_number(bytes.data() + kChecksumAt, std::uint64_t{XXH3_64bits(bytes.data(), kChecksumAt)});
  store_number(bytes.data() + kMagicAt, kTableMagic);
  return bytes;
}

FooterState decode_footer(std::span<const char, TableFooter::kEncodedBytes> from, bool verify_checksum,
                          TableFooter& footer) {
  if (load_u64(from.data() + kMagicAt) != kTableMagic) return FooterState::not_a_table;
  if (verify_checksum && load_u64(from.data() + kChecksumAt) != XXH3_64bits(from.data(), kChecksumAt)) {
    return FooterState::damaged;
  }
  footer.format_version = load_u32(from.data() + kFooterVersionAt);
  if (footer.format_version > kTableFormatVersion) return FooterState::newer_version;
  if (footer.format_version == 0 || load_u32(from.data() + kFooterReservedAt) != 0)
    return FooterState::damaged;
  footer.table_number = load_u64(from.data() + kFooterNumberAt);
  footer.filter_offset = load_u64(from.data() + kFilterAt);
  footer.index_offset = load_u64(from.data() + kIndexAt);
  footer.properties_offset = load_u64(from.data() + kPropertiesAt);
  return FooterState::sound;
}

std::uint32_t format_version_for(const TableProperties& properties) {
  if (properties.obsolete_times != ObsoleteTimes{}) return kTableFormatVersion;
  return properties.value_files.empty() ? kTableFormatWithoutValueFiles : kTableFormatWithValueFiles;
}

Bytes encode_properties(const TableProperties& properties) {
  assert(properties.format_version >= format_version_for(properties));
  Bytes encoded;
  append_varint(encoded, properties.entry_count);
  append_varint(encoded, properties.tombstone_count);
  append_varint(encoded, properties.raw_key_bytes);
  append_varint(encoded, properties.raw_value_bytes);
  append_varint(encoded, properties.block_count);
  append_length_prefixed(encoded, properties.smallest_key);
  append_length_prefixed(encoded, properties.largest_key);
  append_varint(encoded, properties.balances.size());
  for (const ClassBalance& balance : properties.balances) {
    append_varint(encoded, balance.count_class);
    append_signed_varint(encoded, balance.sum);
  }
  if (properties.format_version == kTableFormatWithoutValueFiles) return encoded;
  append_varint(encoded, properties.value_files.size());
  for (const ValueFileUse& use : properties.value_files) {
    append_varint(encoded, use.file);
    append_varint(encoded, use.record_count);
    append_varint(encoded, use.record_bytes);
  }
  if (properties.format_version == kTableFormatWithValueFiles) return encoded;
  append_time(encoded, properties.obsolete_times.oldest_tombstone_ms);
  append_time(encoded, properties.obsolete_times.earliest_expiry_ms);
  return encoded;
}

std::optional<TableProperties> decode_properties(BytesView stored, std::uint32_t format_version) {
  ByteReader reader{stored};
  TableProperties properties;
  properties.entry_count = reader.varint();
  properties.tombstone_count = reader.varint();
  properties.raw_key_bytes = reader.varint();
  properties.raw_value_bytes = reader.varint();
  properties.block_count = reader.varint();
  properties.smallest_key = reader.length_prefixed();
  properties.largest_key = reader.length_prefixed();
  const std::uint64_t balance_count = reader.varint();
  if (balance_count > reader.rest().size()) return std::nullopt;
  for (std::uint64_t i = 0; i != balance_count; ++i) {
    const std::uint64_t count_class = reader.varint();
    const std::int64_t sum = reader.signed_varint();
    if (count_class > UINT32_MAX) return std::nullopt;
    if (!properties.balances.empty() && properties.balances.back().count_class >= count_class)
      return std::nullopt;
    properties.balances.push_back({static_cast<std::uint32_t>(count_class), sum});
  }
  if (format_version != kTableFormatWithoutValueFiles &&
      !decode_value_files(reader, properties.value_files)) {
    return std::nullopt;
  }
  if (format_version > kTableFormatWithValueFiles) {
    properties.obsolete_times.oldest_tombstone_ms = take_time(reader);
    properties.obsolete_times.earliest_expiry_ms = take_time(reader);
  }
  if (reader.failed() || !reader.at_end()) return std::nullopt;
  if (properties.tombstone_count > properties.entry_count ||
      properties.smallest_key > properties.largest_key) {
    return std::nullopt;
  }
  return properties;
}

}  // namespace shale::engine::lsm
