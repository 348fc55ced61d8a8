// Golden bytes: docs/formats.md shows the same. A change here is a change of the format on disk.
#include "engine/log/segment_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace shale::engine {
namespace {

using testing::HasSubstr;

Bytes from_hex(std::string_view hex) {
  Bytes bytes;
  std::string digits;
  for (const char c : hex) {
    if (c == ' ' || c == '\n') continue;
    digits += c;
    if (digits.size() < 2) continue;
    bytes += static_cast<char>(std::stoi(digits, nullptr, 16));
    digits.clear();
  }
  return bytes;
}

std::string to_hex(BytesView bytes) {
  std::string hex;
  for (const char c : bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    hex += kDigits[static_cast<unsigned char>(c) >> 4];
    hex += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return hex;
}

constexpr SegmentHeader kHeader{7, 0x1122334455667788, 65536};
constexpr std::string_view kHeaderHex =
    "5348414c454c4f47 01000000 00000000 0700000000000000 8877665544332211"
    "0000010000000000 0000000000000000 0000000000000000 d4e10d0ac35810e1";
constexpr std::string_view kRecordHex = "42e22650cf57feb3 2a00000000000000 05000000 030000 01";

TEST(SegmentFormat, SegmentHeaderIsAsDocumented) {
  char bytes[SegmentHeader::kEncodedBytes];
  kHeader.encode(bytes);
  EXPECT_EQ(to_hex({bytes, sizeof bytes}), to_hex(from_hex(kHeaderHex)));
  const auto decoded = SegmentHeader::decode({bytes, sizeof bytes}, "file");
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->number, kHeader.number);
  EXPECT_EQ(decoded->identity, kHeader.identity);
  EXPECT_EQ(decoded->size_bytes, kHeader.size_bytes);
}

TEST(SegmentFormat, RecordHeaderIsAsDocumented) {
  RecordHeader header;
  header.lsn = 42;
  header.payload_bytes = 5;
  header.kind = 1;
  header.unsynced = 3;
  header.seal_with(kHeader.identity, hash_bytes("hello"));
  char bytes[RecordHeader::kEncodedBytes];
  header.encode(bytes);
  EXPECT_EQ(to_hex({bytes, sizeof bytes}), to_hex(from_hex(kRecordHex)));
  const RecordHeader decoded = RecordHeader::decode(bytes);
  EXPECT_TRUE(decoded.matches(kHeader.identity, hash_bytes("hello")));
  EXPECT_FALSE(decoded.matches(kHeader.identity, hash_bytes("hellp")));
  EXPECT_FALSE(decoded.matches(kHeader.identity + 1, hash_bytes("hello")));
  EXPECT_EQ(decoded.lsn, 42u);
  EXPECT_EQ(decoded.kind, 1);
  EXPECT_EQ(decoded.payload_bytes, 5u);
  EXPECT_EQ(decoded.synced_before(), 38u);
}

TEST(SegmentFormat, EveryBitOfTheHeadersCounts) {
  char bytes[SegmentHeader::kEncodedBytes];
  kHeader.encode(bytes);
  for (std::size_t bit = 0; bit < 8 * sizeof bytes; ++bit) {
    bytes[bit / 8] ^= static_cast<char>(1 << bit % 8);
    EXPECT_FALSE(SegmentHeader::decode({bytes, sizeof bytes}, "file")) << bit;
    bytes[bit / 8] ^= static_cast<char>(1 << bit % 8);
  }
  RecordHeader header;
  header.lsn = 42;
  header.kind = 1;
  header.seal_with(kHeader.identity, hash_bytes({}));
  char record[RecordHeader::kEncodedBytes];
  header.encode(record);
  for (std::size_t bit = 0; bit < 8 * sizeof record; ++bit) {
    record[bit / 8] ^= static_cast<char>(1 << bit % 8);
    EXPECT_FALSE(RecordHeader::decode(record).matches(kHeader.identity, hash_bytes({}))) << bit;
    record[bit / 8] ^= static_cast<char>(1 << bit % 8);
  }
}

TEST(SegmentFormat, ANewerVersionIsRefusedAsSuch) {
  char bytes[SegmentHeader::kEncodedBytes];
  kHeader.encode(bytes);
  bytes[8] = 2;
  const auto decoded = SegmentHeader::decode({bytes, sizeof bytes}, "data/log/000000000007.log");
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().kind, ErrorKind::unsupported);
  EXPECT_THAT(decoded.error().message, HasSubstr("data/log/000000000007.log: log format 2"));
}

TEST(SegmentFormat, ALongBacklogIsUnknownRatherThanWrong) {
  RecordHeader header;
  header.lsn = 100'000'000;
  header.unsynced = RecordHeader::kUnsyncedUnknown;
  EXPECT_EQ(header.synced_before(), 0u);
}

TEST(SegmentFormat, NamesAreRecognisedAndOthersAreNot) {
  EXPECT_EQ(segment_path("log", 7), "log/000000000007.log");
  EXPECT_EQ(segment_number("000000000007.log"), 7u);
  EXPECT_EQ(spare_number("000000000007.spare"), 7u);
  EXPECT_EQ(segment_number("000000000007.spare"), std::nullopt);
  EXPECT_EQ(segment_number("7x.log"), std::nullopt);
  EXPECT_EQ(segment_number(".log"), std::nullopt);
}

}  // namespace
}  // namespace shale::engine
