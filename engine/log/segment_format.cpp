#include "engine/log/segment_format.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>

namespace shale::engine {
namespace {

constexpr std::string_view kMagic = "SHALELOG";
constexpr std::uint32_t kFormatVersion = 1;
constexpr std::string_view kSegmentSuffix = ".log";
constexpr std::string_view kSpareSuffix = ".spare";

// Offsets in the segment header; what is not named is zero.
constexpr std::size_t kVersionAt = 8;
constexpr std::size_t kNumberAt = 16;
constexpr std::size_t kIdentityAt = 24;
constexpr std::size_t kSizeAt = 32;
constexpr std::size_t kHeaderChecksumAt = 56;
static_assert(kMagic.size() == kVersionAt && kHeaderChecksumAt + 8 == SegmentHeader::kEncodedBytes);

template <class Integer>
void put(char* into, Integer value) {
  std::memcpy(into, &value, sizeof value);
}

template <class Integer>
Integer get(const char* from) {
  Integer value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

std::optional<std::uint64_t> number_before(std::string_view name, std::string_view suffix) {
  if (!name.ends_with(suffix)) return std::nullopt;
  name.remove_suffix(suffix.size());
  std::uint64_t number = 0;
  const auto [end, code] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (code != std::errc{} || end != name.data() + name.size()) return std::nullopt;
  return number;
}

}  // namespace

void SegmentHeader::encode(char* into) const {
  std::memset(into, 0, kEncodedBytes);
  std::memcpy(into, kMagic.data(), kMagic.size());
  put(into + kVersionAt, kFormatVersion);
  put(into + kNumberAt, number);
  put(into + kIdentityAt, identity);
  put(into + kSizeAt, size_bytes);
  put(into + kHeaderChecksumAt, hash_bytes({into, kHeaderChecksumAt}));
}

Result<SegmentHeader> SegmentHeader::decode(BytesView bytes, const std::string& path) {
  if (bytes.size() < kEncodedBytes) {
    return corruption(
        fmt::format("{} ends at offset {}, within the header of a log segment", path, bytes.size()));
  }
  if (!bytes.starts_with(kMagic)) {
    return corruption(fmt::format("{} at offset 0: not a log segment", path));
  }
  // Before the checksum: another version may keep it elsewhere.
  if (const auto version = get<std::uint32_t>(bytes.data() + kVersionAt); version != kFormatVersion) {
    return Error{ErrorKind::unsupported,
                 fmt::format("{}: log format {}, this build knows {}", path, version, kFormatVersion)};
  }
  if (get<std::uint64_t>(bytes.data() + kHeaderChecksumAt) !=
      hash_bytes(bytes.substr(0, kHeaderChecksumAt))) {
    return corruption(fmt::format("{} at offset 0: the segment header's checksum is wrong", path));
  }
  return SegmentHeader{get<std::uint64_t>(bytes.data() + kNumberAt),
                       get<std::uint64_t>(bytes.data() + kIdentityAt),
                       get<std::uint64_t>(bytes.data() + kSizeAt)};
}

// Layout: checksum:u64 lsn:u64 payload_bytes:u32 unsynced:u24 kind:u8
void RecordHeader::encode(char* into) const {
  put(into, checksum);
  put(into + 8, lsn);
  put(into + 16, payload_bytes);
  put(into + 20, unsynced | std::uint32_t{kind} << 24);
}

RecordHeader RecordHeader::decode(const char* bytes) {
  const auto packed = get<std::uint32_t>(bytes + 20);
  return {get<std::uint64_t>(bytes), get<Lsn>(bytes + 8), get<std::uint32_t>(bytes + 16),
          static_cast<std::uint8_t>(packed >> 24), packed & kUnsyncedUnknown};
}

std::uint64_t RecordHeader::expected_checksum(std::uint64_t identity, std::uint64_t payload_hash) const {
  char covered[8 + 8 + kEncodedBytes];
  put(covered, identity);
  put(covered + 8, payload_hash);
  encode(covered + 16);
  put(covered + 16, std::uint64_t{0});  // where the checksum itself goes
  return hash_bytes({covered, sizeof covered});
}

void RecordHeader::seal_with(std::uint64_t identity, std::uint64_t payload_hash) {
  checksum = expected_checksum(identity, payload_hash);
}

bool RecordHeader::matches(std::uint64_t identity, std::uint64_t payload_hash) const {
  return checksum == expected_checksum(identity, payload_hash);
}

std::string segment_path(const std::string& folder, std::uint64_t number) {
  return fmt::format("{}/{:012}{}", folder, number, kSegmentSuffix);
}

std::string spare_path(const std::string& folder, std::uint64_t number) {
  return fmt::format("{}/{:012}{}", folder, number, kSpareSuffix);
}

std::optional<std::uint64_t> segment_number(const std::string& name) {
  return number_before(name, kSegmentSuffix);
}

std::optional<std::uint64_t> spare_number(const std::string& name) {
  return number_before(name, kSpareSuffix);
}

}  // namespace shale::engine
