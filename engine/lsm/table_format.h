// The parts of a table file around the blocks' contents. Every byte: docs/formats.md, "Sorted tables".
//
//   file    := data block*  filter  index  properties  footer
//   block   := payload  trailer      (filter, index and properties too; never compressed)
//   trailer := compression:u8  raw_bytes:u32  checksum:u64
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "engine/bytes.h"
#include "engine/lsm/compression.h"
#include "engine/lsm/table_properties.h"

namespace shale::engine::lsm {

inline constexpr std::uint32_t kTableFormatVersion = 3;            // the latest that is known
inline constexpr std::uint32_t kTableFormatWithValueFiles = 2;     // has no obsolete times
inline constexpr std::uint32_t kTableFormatWithoutValueFiles = 1;  // nor references
inline constexpr std::uint64_t kTableMagic = 0x0a4c42544c414853;   // the file ends with "SHALTBL\n"

struct BlockTrailer {
  static constexpr std::size_t kEncodedBytes = 1 + 4 + 8;

  Compression compression = Compression::none;
  std::uint32_t raw_bytes = 0;  // what the payload decompresses to; its own length if it is not compressed
  std::uint64_t checksum = 0;

  std::array<char, kEncodedBytes> encode() const;
  static BlockTrailer decode(std::span<const char, kEncodedBytes> from);
};

// Covers what is in the block, how it is stored, and where it belongs: a block from elsewhere does not match.
// `payload_hash` is the XXH3-64 of the payload.
std::uint64_t block_checksum(std::uint64_t payload_hash, const BlockTrailer& trailer,
                             std::uint64_t table_number, std::uint64_t offset);

struct TableFooter {
  static constexpr std::size_t kEncodedBytes = 56;

  std::uint32_t format_version = kTableFormatVersion;
  std::uint64_t table_number = 0;
  std::uint64_t filter_offset = 0;      // where the data blocks end
  std::uint64_t index_offset = 0;       // where the filter ends
  std::uint64_t properties_offset = 0;  // where the index ends

  std::array<char, kEncodedBytes> encode() const;
};

// What is wrong with the footer, or that it is not.
enum class FooterState : std::uint8_t { sound, not_a_table, damaged, newer_version };
FooterState decode_footer(std::span<const char, TableFooter::kEncodedBytes> from, bool verify_checksum,
                          TableFooter& footer);

// The earliest format that can hold them: earlier builds read what they can.
std::uint32_t format_version_for(const TableProperties& properties);
// In the format that properties.format_version names, which must be one that can hold them.
Bytes encode_properties(const TableProperties& properties);
// Leaves table number, format version and file_bytes, which the footer knows, at 0.
std::optional<TableProperties> decode_properties(BytesView stored, std::uint32_t format_version);

}  // namespace shale::engine::lsm
