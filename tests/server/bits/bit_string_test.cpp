#include "src/bits/bit_string.h"

#include <gtest/gtest.h>

#include <random>

namespace shale::bits {
namespace {

bool bit_of(BytesView bytes, std::uint64_t offset) {
  return (static_cast<unsigned char>(bytes[offset / 8]) >> (7 - offset % 8) & 1) != 0;
}

Bytes random_bytes(std::size_t count, std::mt19937_64& random) {
  // Long runs of equal bytes as well, so that searches come past words.
  Bytes bytes(count, random() % 2 == 0 ? '\0' : '\xff');
  for (std::size_t changed = random() % 4; changed > 0 && count != 0; --changed)
    bytes[random() % count] = static_cast<char>(random());
  return bytes;
}

TEST(BitString, CountsAndFindsLikeALoopOverBits) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 2000; ++round) {
    const Bytes bytes = random_bytes(1 + random() % 100, random);
    const auto bits = static_cast<std::int64_t>(bytes.size() * 8);
    BitRange range{static_cast<std::int64_t>(random() % bits), static_cast<std::int64_t>(random() % bits)};
    if (range.last < range.first) std::swap(range.first, range.last);
    std::uint64_t ones = 0;
    std::optional<std::uint64_t> first[2];
    for (auto bit = static_cast<std::uint64_t>(range.first); bit <= static_cast<std::uint64_t>(range.last);
         ++bit) {
      const bool set = bit_of(bytes, bit);
      ones += set;
      if (!first[set]) first[set] = bit;
    }
    EXPECT_EQ(count_ones(bytes, range), ones);
    EXPECT_EQ(find_bit(bytes, range, false), first[0]);
    EXPECT_EQ(find_bit(bytes, range, true), first[1]);
  }
}

TEST(BitString, AnEmptyRangeHasNothing) {
  EXPECT_EQ(count_ones("abc", {}), 0u);
  EXPECT_EQ(find_bit("abc", {}, true), std::nullopt);
  EXPECT_EQ(count_ones(""), 0u);
}

TEST(BitString, CombinesWithZerosBehindTheShorterOne) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 200; ++round) {
    const Bytes a = random_bytes(random() % 40, random);
    const Bytes b = random_bytes(random() % (a.size() + 1), random);
    const auto byte_of = [&](std::size_t at) { return at < b.size() ? b[at] : '\0'; };
    Bytes with_and = a;
    Bytes with_or = a;
    Bytes with_xor = a;
    Bytes inverted = a;
    combine(Operation::bit_and, with_and, b);
    combine(Operation::bit_or, with_or, b);
    combine(Operation::bit_xor, with_xor, b);
    invert(inverted);
    for (std::size_t at = 0; at < a.size(); ++at) {
      EXPECT_EQ(with_and[at], static_cast<char>(a[at] & byte_of(at)));
      EXPECT_EQ(with_or[at], static_cast<char>(a[at] | byte_of(at)));
      EXPECT_EQ(with_xor[at], static_cast<char>(a[at] ^ byte_of(at)));
      EXPECT_EQ(inverted[at], static_cast<char>(~a[at]));
    }
  }
}

TEST(BitString, FieldsOfAnyWidthComeBackAndLeaveTheirNeighbours) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 2000; ++round) {
    Bytes bytes = random_bytes(20, random);
    const Bytes before = bytes;
    const auto width = static_cast<unsigned>(1 + random() % 64);
    const std::uint64_t offset = random() % (160 - width + 1);
    const std::uint64_t value = random() & (width == 64 ? UINT64_MAX : (std::uint64_t{1} << width) - 1);
    write_field(bytes, offset, width, value);
    EXPECT_EQ(read_field(bytes, offset, width), value);
    for (std::uint64_t bit = 0; bit < 160; ++bit) {
      if (bit >= offset && bit < offset + width) continue;
      EXPECT_EQ(bit_of(bytes, bit), bit_of(before, bit));
    }
  }
}

TEST(BitString, FieldsGoOnInZerosBehindTheEnd) {
  EXPECT_EQ(read_field("\xff", 4, 8), 0xf0u);
  EXPECT_EQ(read_field("", 1000, 64), 0u);
}

}  // namespace
}  // namespace shale::bits
