// Bytes of a log segment: how headers and records are written and recognised. docs/formats.md has the tables.
//
// A segment is a header and records, each at a multiple of eight bytes, the last of them a seal. A record's
// checksum covers its header, its payload, and the segment's identity: a random number drawn anew each time
// the file is put to use, so that what is left in a recycled file of its former life is never whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engine/bytes.h"
#include "engine/result.h"

namespace shale::engine {

struct SegmentHeader {
  static constexpr std::size_t kEncodedBytes = 64;

  std::uint64_t number = 0;  // also the file's name; unique, says nothing about order
  std::uint64_t identity = 0;
  std::uint64_t size_bytes = 0;  // of the file

  void encode(char* into) const;
  // Error{corruption} or Error{unsupported}, naming `path`.
  static Result<SegmentHeader> decode(BytesView bytes, const std::string& path);
};

// Kind 0 is the seal: a record without payload that ends a segment. Its lsn is that of the record that comes
// next, in another segment. There is always room for it.
inline constexpr std::uint8_t kSealKind = 0;

struct RecordHeader {
  static constexpr std::size_t kEncodedBytes = 24;
  static constexpr std::uint32_t kUnsyncedUnknown = (1u << 24) - 1;

  std::uint64_t checksum = 0;
  Lsn lsn = 0;
  std::uint32_t payload_bytes = 0;
  std::uint8_t kind = 0;
  // How many records before this one were not known to be synced when it was written. So every record bears
  // witness that those up to synced_before() had reached the disk: if one of them is not whole, it was
  // damaged; otherwise it may just not have been written before the machine died.
  std::uint32_t unsynced = kUnsyncedUnknown;

  Lsn synced_before() const { return unsynced == kUnsyncedUnknown ? 0 : lsn - 1 - unsynced; }

  // `payload_hash` is hash_bytes(payload). Sets `checksum`.
  void seal_with(std::uint64_t identity, std::uint64_t payload_hash);
  bool matches(std::uint64_t identity, std::uint64_t payload_hash) const;
  void encode(char* into) const;
  static RecordHeader decode(const char* bytes);

 private:
  std::uint64_t expected_checksum(std::uint64_t identity, std::uint64_t payload_hash) const;
};

// From the start of one record to the start of the next.
constexpr std::uint64_t record_span(std::uint64_t payload_bytes) {
  return (RecordHeader::kEncodedBytes + payload_bytes + 7) / 8 * 8;
}

constexpr std::uint64_t kRecordsBegin = SegmentHeader::kEncodedBytes;
// Records end here at the latest, so that the seal fits behind them.
constexpr std::uint64_t records_end_max(std::uint64_t size_bytes) {
  return size_bytes / 8 * 8 - RecordHeader::kEncodedBytes;
}
// The smallest file that holds one record of this payload.
constexpr std::uint64_t segment_bytes_for(std::uint64_t payload_bytes) {
  return kRecordsBegin + record_span(payload_bytes) + RecordHeader::kEncodedBytes;
}

std::string segment_path(const std::string& folder, std::uint64_t number);
// A segment that is being prepared, or waits to be used again: no part of the log.
std::string spare_path(const std::string& folder, std::uint64_t number);
// The number in such a name, if it is one.
std::optional<std::uint64_t> segment_number(const std::string& name);
std::optional<std::uint64_t> spare_number(const std::string& name);

}  // namespace shale::engine
