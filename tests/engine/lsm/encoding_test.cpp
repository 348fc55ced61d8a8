#include "engine/encoding.h"

#include <gtest/gtest.h>

// GCC 12 takes the memory behind a short string's bytes for ours.
#pragma GCC diagnostic ignored "-Warray-bounds"
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#pragma GCC diagnostic ignored "-Wstringop-overread"

namespace shale::engine {
namespace {

TEST(Encoding, VarintsReadBackAtEveryWidth) {
  for (unsigned bit = 0; bit != 64; ++bit) {
    for (const std::uint64_t number : {(std::uint64_t{1} << bit) - 1, std::uint64_t{1} << bit}) {
      Bytes bytes;
      append_varint(bytes, number);
      std::uint64_t read = ~number;
      EXPECT_EQ(read_varint(bytes.data(), bytes.data() + bytes.size(), read), bytes.data() + bytes.size());
      EXPECT_EQ(read, number);
      for (std::size_t cut = 0; cut != bytes.size(); ++cut) {
        EXPECT_EQ(read_varint(bytes.data(), bytes.data() + cut, read), nullptr);
      }
    }
  }
}

TEST(Encoding, VarintsBeyond64BitsAndLongFormsAreRefused) {
  std::uint64_t read = 0;
  for (const Bytes& bytes : {Bytes(10, '\xff'), Bytes("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
                             Bytes(11, '\x80'), Bytes("\x81\x00", 2)}) {
    EXPECT_EQ(read_varint(bytes.data(), bytes.data() + bytes.size(), read), nullptr);
  }
}

TEST(Encoding, BytesOnDisk) {
  Bytes bytes;
  append_u8(bytes, 0x12);
  append_u16(bytes, 0x1234);
  append_u32(bytes, 0x12345678);
  append_u64(bytes, 0x123456789abcdef0);
  append_varint(bytes, 300);
  append_signed_varint(bytes, -2);
  append_length_prefixed(bytes, "ab");
  EXPECT_EQ(bytes, BytesView("\x12\x34\x12\x78\x56\x34\x12\xf0\xde\xbc\x9a\x78\x56\x34\x12\xac\x02\x03\x02"
                             "ab",
                             21));
}

TEST(ByteReader, ReadsBackWhatWasAppended) {
  Bytes bytes;
  append_u32(bytes, 7);
  append_u64(bytes, 8);
  append_u8(bytes, 9);
  append_signed_varint(bytes, INT64_MIN);
  append_signed_varint(bytes, INT64_MAX);
  append_length_prefixed(bytes, "key");
  ByteReader reader{bytes};
  EXPECT_EQ(reader.u32(), 7U);
  EXPECT_EQ(reader.u64(), 8U);
  EXPECT_EQ(reader.u8(), 9U);
  EXPECT_EQ(reader.signed_varint(), INT64_MIN);
  EXPECT_EQ(reader.signed_varint(), INT64_MAX);
  EXPECT_EQ(reader.length_prefixed(), "key");
  EXPECT_TRUE(reader.at_end());
  EXPECT_FALSE(reader.failed());
}

TEST(ByteReader, StaysFailedAfterTheFirstValueThatDoesNotFit) {
  ByteReader reader{BytesView("\x05gh", 3)};
  EXPECT_EQ(reader.length_prefixed(), "");
  EXPECT_TRUE(reader.failed());
  EXPECT_EQ(reader.u8(), 0);
  EXPECT_EQ(reader.varint(), 0U);
}

}  // namespace
}  // namespace shale::engine
