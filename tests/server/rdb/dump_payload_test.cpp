#include "src/rdb/dump_payload.h"

#include <gtest/gtest.h>

#include <random>

#include "src/rdb/crc64.h"
#include "src/rdb/lzf.h"

namespace shale::rdb {
namespace {

constexpr std::uint64_t kNoLimit = UINT64_MAX;

// The check value of CRC-64/REDIS, and one that comes in two pieces.
TEST(Crc64, HasTheKnownValues) {
  EXPECT_EQ(crc64(0, "123456789"), 0xe9c6d914c4b8d9cau);
  EXPECT_EQ(crc64(0, ""), 0u);
  const std::string_view text = "This is a test of the emergency broadcast system.";
  EXPECT_EQ(crc64(crc64(0, text.substr(0, 11)), text.substr(11)), crc64(0, text));
}

// As redis-server 7.0.15 has dumped them.
TEST(DumpPayload, HasRedissBytes) {
  const auto hexadecimal = [](const Bytes& bytes) {
    std::string text;
    for (const char byte : bytes) {
      constexpr std::string_view kDigits = "0123456789abcdef";
      text += kDigits[static_cast<unsigned char>(byte) >> 4];
      text += kDigits[static_cast<unsigned char>(byte) & 15];
    }
    return text;
  };
  EXPECT_EQ(hexadecimal(dump_string("10")), "00c00a0a006e9f57450eae63bb");
  EXPECT_EQ(hexadecimal(dump_string("-32768")), "00c100800a00b540064753bb1ace");
  EXPECT_EQ(hexadecimal(dump_string("70000")), "00c2701101000a0001a408fe953095a5");
  EXPECT_EQ(hexadecimal(dump_string("hello")), "000568656c6c6f0a006372df766534200a");
}

TEST(DumpPayload, WhatIsDumpedIsRestored) {
  std::mt19937_64 random(1);
  std::vector<Bytes> values{"", "0", "-1", "128", "-129", "32768", "2147483648", "-2147483649", "007", "+1"};
  for (const std::size_t length : {1u, 63u, 64u, 16'383u, 16'384u, 100'000u}) {
    Bytes noise;
    while (noise.size() < length) noise.push_back(static_cast<char>(random()));
    values.push_back(noise);
    values.emplace_back(length, 'a');
  }
  for (const Bytes& value : values) {
    const Bytes payload = dump_string(value);
    ASSERT_TRUE(is_sound(payload));
    const Restored restored = restore_string(payload, kNoLimit);
    EXPECT_EQ(restored.damage, Damage::none);
    EXPECT_EQ(restored.bytes, value);
  }
}

TEST(DumpPayload, ComesInPiecesAsWell) {
  const Bytes value(1000, 'x');
  const Bytes header = string_header(value.size());
  const Bytes payload = header + value + footer(crc64(crc64(0, header), value));
  ASSERT_TRUE(is_sound(payload));
  EXPECT_EQ(restore_string(payload, kNoLimit).bytes, value);
}

TEST(DumpPayload, NoticesEveryFlippedBitAndTruncation) {
  const Bytes whole = dump_string("a value, and another value, and another value");
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    Bytes damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    EXPECT_FALSE(is_sound(damaged)) << bit;
  }
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_FALSE(is_sound(BytesView{whole}.substr(0, length))) << length;
}

// Whoever makes a right checksum can say anything.
TEST(DumpPayload, AnyBytesBehindARightChecksumAreNoHarm) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 20'000; ++round) {
    Bytes body(1, static_cast<char>(random() % 8 == 0 ? random() % 20 : 0));
    if (random() % 2 == 0) body.push_back(static_cast<char>(0xc0 | random() % 5));
    for (std::size_t left = random() % 30; left > 0; --left)
      body.push_back(static_cast<char>(random() % 4 == 0 ? random() : random() % 32));
    const Bytes payload = body + footer(crc64(0, body));
    ASSERT_TRUE(is_sound(payload));
    EXPECT_LE(restore_string(payload, 1000).bytes.size(), 1000u);
  }
}

TEST(DumpPayload, AStringThatIsTooLongIsSaidToBe) {
  EXPECT_EQ(restore_string(dump_string(Bytes(1000, 'x')), 999).damage, Damage::too_long);
  EXPECT_EQ(restore_string(dump_string("hello"), 4).damage, Damage::too_long);
}

TEST(Lzf, TextShrinksAndNoiseDoesNot) {
  std::mt19937_64 random(3);
  Bytes noise;
  while (noise.size() < 5000) noise.push_back(static_cast<char>(random()));
  EXPECT_FALSE(lzf_compress(noise, noise.size() - 4));
  const auto stream = lzf_compress(Bytes(5000, 'a'), 4996);
  ASSERT_TRUE(stream);
  EXPECT_LT(stream->size(), 100u);
  EXPECT_EQ(lzf_decompress(*stream, 5000), Bytes(5000, 'a'));
  EXPECT_FALSE(lzf_decompress(*stream, 4999));
  EXPECT_FALSE(lzf_decompress(*stream, 5001));
}

TEST(Lzf, AnyTextComesBack) {
  std::mt19937_64 random(4);
  for (int round = 0; round < 300; ++round) {
    Bytes text;
    const std::size_t letters = 1 + random() % 5;
    for (std::size_t left = random() % 3000; left > 0; --left)
      text.push_back(static_cast<char>('a' + random() % letters));
    const auto stream = lzf_compress(text, text.size() + text.size() / 32 + 1);
    ASSERT_TRUE(stream);
    EXPECT_EQ(lzf_decompress(*stream, text.size()), text);
  }
}

}  // namespace
}  // namespace shale::rdb
