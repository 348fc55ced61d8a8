#include "engine/btree/page_format.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/btree/directory.h"
#include "engine/btree/inner_page.h"
#include "engine/btree/record_page.h"

namespace shale::engine::btree {
namespace {

using testing::HasSubstr;

std::string hex(BytesView bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

struct SealedPage {
  Bytes bytes;
  PageAddress address;
};

SealedPage seal(const PageImage::Ref& image, PageType type, std::uint64_t offset) {
  SealedPage page{Bytes{image->data(), image->bytes()}, {}};
  page.address = seal_page(page.bytes.data(), page.bytes.size(), type, 7, offset);
  return page;
}

// The bytes that docs/formats.md describes. If this test fails, old files can no longer be read.
TEST(BtreePageFormat, GoldenBytesOfAPageOfRecords) {
  const Record records[] = {
      {"user:1", "one", {}}, {"user:10000000two", "", {true, true}}, {"user:2", "2", {}}};
  const SealedPage page = seal(build_record_page(records), PageType::base, 8192);
  EXPECT_EQ(hex(page.bytes.substr(8, 24)),
            "00200000000000003b000000"
            "07000000"
            "0100000000000000");
  EXPECT_EQ(hex(BytesView{page.bytes}.substr(32)),
            "03000000"
            "05000000"  // records, bytes of the prefix
            "0000000000000031"
            "3030303030303031"
            "0000000000000032"  // heads
            "2b00"
            "3100"
            "3700"        // offsets
            "757365723a"  // the prefix
            "01"
            "03"
            "00"
            "6f6e65"  // suffix and value bytes, tag, value
            "0b"
            "00"
            "03"
            "74776f"  // and the rest of the key
            "01"
            "01"
            "00"
            "32");
}

TEST(BtreePageFormat, GoldenBytesOfAnInnerNode) {
  InnerPage page;
  page.children = {
      {"", {8192, 100, 0x01020304}, {}, {}}, {"ab", {8292, 300, 5}, {8592, 40, 6}, {}}, {"ac", {}, {}, {}}};
  page.children[0].keys.add(7, 200);
  page.children[1].keys.add(7, 3);
  page.children[1].keys.add(9, -1);
  page.children[1].obsolete_from_ms = 299'500;
  EXPECT_EQ(hex(page.encode()->payload()),
            "c1"
            "03"
            "0161"
            "64"
            "8040"
            "04030201"
            "00"
            "01"
            "07"
            "9003"
            "00"
            "0162"
            "ac02"
            "e440"
            "05000000"
            "28"
            "9043"
            "06000000"
            "02"
            "07"
            "06"
            "09"
            "01"
            "ac02"
            "0163"
            "00"
            "00"
            "00"
            "00");
}

// As page files of format 1 have them: without counts.
TEST(BtreePageFormat, AnInnerNodeOfFormatOneIsRead) {
  const Bytes payload{
      "\x01\x02\x00\x64\x80\x40\x04\x03\x02\x01\x00\x02"
      "ab\x00\x00",
      16};
  const auto page = InnerPage::decode(payload);
  ASSERT_TRUE(page);
  EXPECT_FALSE(page->has_counts);
  ASSERT_EQ(page->children.size(), 2u);
  EXPECT_EQ(page->children[0].page, (PageAddress{8192, 100, 0x01020304}));
  EXPECT_EQ(page->children[1].separator, "ab");
}

// As page files of format 2 have them: without times, so that it is not known since when.
TEST(BtreePageFormat, AnInnerNodeOfFormatTwoIsRead) {
  const Bytes payload{"\x81\x01\x00\x64\x80\x40\x04\x03\x02\x01\x00\x01\x07\x06", 14};
  const auto page = InnerPage::decode(payload);
  ASSERT_TRUE(page);
  EXPECT_TRUE(page->has_counts);
  ASSERT_EQ(page->children.size(), 1u);
  EXPECT_EQ(page->children[0].keys.of(7), 3);
  EXPECT_EQ(page->children[0].obsolete_from_ms, 0);
}

TEST(BtreePageFormat, TimesOfLeavesAreKeptToTheSecond) {
  InnerPage page;
  page.children = {{"", {8192, 100, 1}, {}, {}}, {"b", {9000, 1, 2}, {}, {}}};
  page.children[1].obsolete_from_ms = 1'700'000'000'999;
  const auto decoded = InnerPage::decode(page.encode()->payload());
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->children[0].obsolete_from_ms, KeyPolicy::kNeverObsolete);
  EXPECT_EQ(decoded->children[1].obsolete_from_ms, 1'700'000'000'000);
}

TEST(BtreePageFormat, GoldenBytesOfTheSuperblockAndTheDirectory) {
  const Superblock superblock{1, 3, {8192, 77, 0xcafe}};
  EXPECT_EQ(hex(superblock.encode().substr(0, 36)),
            "5348414c45504147"
            "01000000"
            "0300000000000000"
            "0020000000000000"
            "4d000000"
            "feca0000");
  Directory directory;
  directory[2].persisted_lsn = 300;
  directory[2].root = {8192, 100, 9};
  directory[2].counts.add(5, -1);
  EXPECT_EQ(hex(encode_directory(directory)->payload()),
            "01"
            "02"
            "ac02"
            "64"
            "8040"
            "09000000"
            "01"
            "05"
            "01");
}

TEST(BtreePageFormat, WhatIsEncodedIsDecoded) {
  InnerPage page;
  page.level = 2;
  page.children = {{"", {8192, 100, 1}, {}, {}},
                   {"prefix:a", {9000, 1, 2}, {}, {}},
                   {"prefix:b", {1u << 30, 3, 4}, {}, {}}};
  page.children[2].keys.add(5, 1'000'000);
  page.children[2].keys.add(6, 2);
  const auto decoded = InnerPage::decode(page.encode()->payload());
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->level, 2);
  ASSERT_EQ(decoded->children.size(), 3u);
  EXPECT_EQ(decoded->children[2].separator, "prefix:b");
  EXPECT_EQ(decoded->children[2].page, (PageAddress{1u << 30, 3, 4}));
  EXPECT_TRUE(decoded->has_counts);
  EXPECT_EQ(decoded->children[2].keys, page.children[2].keys);
  EXPECT_EQ(decoded->keys().of(5), 1'000'000);
  const Superblock superblock{1, 9, {8192, 77, 3}};
  const auto found = Superblock::decode(superblock.encode());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->sequence, 9u);
  EXPECT_EQ(found->directory, superblock.directory);
}

TEST(BtreePageFormat, EveryFlippedBitOfAPageIsFound) {
  const Record records[] = {{"a", "1", {}}, {"b", "2", {}}};
  const SealedPage page = seal(build_record_page(records), PageType::base, 4096);
  ASSERT_TRUE(check_page(page.bytes, page.address, PageType::base, "/pages"));
  for (std::size_t bit = 0; bit < 8 * page.bytes.size(); ++bit) {
    Bytes damaged = page.bytes;
    damaged[bit / 8] ^= static_cast<char>(1 << bit % 8);
    const Status status = check_page(damaged, page.address, PageType::base, "/pages");
    ASSERT_FALSE(status) << "bit " << bit;
    EXPECT_THAT(status.error().message, HasSubstr("/pages: page at offset 4096"));
  }
}

TEST(BtreePageFormat, APageElsewhereOrOfAnotherTimeIsFound) {
  const Record first[] = {{"a", "1", {}}};
  const Record second[] = {{"a", "2", {}}};
  const SealedPage page = seal(build_record_page(first), PageType::base, 4096);
  PageAddress moved = page.address;
  moved.offset = 8192;
  EXPECT_FALSE(check_page(page.bytes, moved, PageType::base, "/pages"));
  EXPECT_FALSE(check_page(page.bytes, page.address, PageType::changes, "/pages"));
  const SealedPage later = seal(build_record_page(second), PageType::base, 4096);
  EXPECT_FALSE(check_page(page.bytes, later.address, PageType::base, "/pages"));
}

// Whatever bytes come, decoding ends, and does not read outside of them (under asan).
TEST(BtreePageFormat, DecodingDamagedBytesIsHarmless) {
  InnerPage inner;
  inner.children = {{"", {8192, 100, 1}, {}, {}}, {"prefix:a", {9000, 1, 2}, {}, {}}};
  inner.children[1].keys.add(3, 4);
  const Record records[] = {{"key:1", "one", {}}, {"key:2 and more", "two", {true, false}}};
  Directory directory;
  directory[1].counts.add(1, 1);
  for (const PageImage::Ref& image :
       {inner.encode(), build_record_page(records), encode_directory(directory)}) {
    const Bytes payload{image->payload()};
    for (std::size_t bit = 0; bit < 8 * payload.size(); ++bit) {
      Bytes damaged = payload;
      damaged[bit / 8] ^= static_cast<char>(1 << bit % 8);
      damaged.shrink_to_fit();
      static_cast<void>(InnerPage::decode(damaged));
      static_cast<void>(RecordPage::parse(damaged));
      static_cast<void>(decode_directory(damaged));
      static_cast<void>(RecordPage::parse(BytesView{damaged}.substr(0, bit / 8)));
    }
  }
}

}  // namespace
}  // namespace shale::engine::btree
