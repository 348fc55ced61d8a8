// The bytes of a small table, as docs/formats.md explains them. If this fails, the format has changed: give
// it a new version, and keep reading this one.
#include "engine/lsm/table_format.h"

#include <gtest/gtest.h>

#include "engine/lsm/table_scanner.h"
#include "tests/engine/lsm/table_test_support.h"

namespace shale::engine::lsm {
namespace {

// clang-format off
constexpr std::string_view kGolden =
    // 0: data block 0: counts, head, offset; "user:1" = "one", "user:1:x" = "" (balance 0); trailer
    "02000000 01000000 06000000  00000000 1200"
    "00 06 03 04 757365723a31 6f6e65"
    "06 02 00 02 3a78"
    "00 25000000 6d85693641985d48"
    // 50: data block 1: tombstone "user:2", "z" = "last"
    "02000000 02000000 00000000  72657375 0000007a 1800 2200"
    "00 06 00 01 757365723a32"
    "00 01 04 04 7a 6c617374"
    "00 2b000000 e38e403afda2b8e4"
    // 106: filter: one block of 64 bytes, 2 probes
    "01000000 02000000"
    "00000002000000000000000000000000 00000000000000400000000001100080"
    "00000000000000040000000400000000 00000000000000000000020000000000"
    "00 48000000 25689cf3b10f62d8"
    // 191: index: block 0 of 50 bytes from "user:1" on, block 1 of 56 bytes from "user:2" on
    "02000000  32 0c 757365723a31  38 0c 757365723a32"
    "00 14000000 93a83691526f670e"
    // 224: properties
    "04 01 15 07 02  06 757365723a31  01 7a  01 00 02"
    "00 11000000 a2413ba193656c6a"
    // 254: footer
    "01000000 00000000 0700000000000000 6a00000000000000 bf00000000000000 e000000000000000"
    "c97c924c795b9bfc 5348414c54424c0a";
// clang-format on

std::vector<OwnedEntry> golden_entries() {
  return {value_entry("user:1", "one"), value_entry("user:1:x", "", 0), tombstone_entry("user:2"),
          value_entry("z", "last")};
}

TEST(TableFormat, BytesOnDisk) {
  MemoryFiles files;
  const auto properties = write_table(files, golden_entries(), {.block_bytes = 70, .filter_bits_per_key = 4});
  ASSERT_TRUE(properties);
  EXPECT_EQ(files[kTablePath].bytes, from_hex(kGolden));
}

TEST(TableFormat, TheseBytesAreStillRead) {
  MemoryFiles files;
  files.put(kTablePath, from_hex(kGolden));
  BlockCache cache{1 << 20};
  const auto table = Table::open(files, kTablePath, kTableNumber, cache).value();
  EXPECT_EQ(table->properties().entry_count, 4U);
  EXPECT_EQ(table->properties().balances, std::vector<ClassBalance>({{0, 1}}));
  TableScanner scanner{table};
  ASSERT_TRUE(scanner.seek_first());
  for (const OwnedEntry& entry : golden_entries()) {
    ASSERT_TRUE(scanner.valid());
    EXPECT_EQ(scanner.entry().key, entry.key);
    EXPECT_EQ(scanner.entry().value, entry.value);
    EXPECT_EQ(scanner.entry().tag, entry.tag);
    EXPECT_TRUE(table->may_contain(hash_bytes(entry.key)));
    ASSERT_TRUE(scanner.next());
  }
  EXPECT_FALSE(scanner.valid());
}

// A table whose entries refer to value files is in format 2: one more tag, one more list.
TEST(TableFormat, BytesOfReferences) {
  TableProperties properties;
  properties.format_version = 2;
  properties.entry_count = 3;
  properties.smallest_key = "a";
  properties.largest_key = "b";
  properties.balances = {{0, 2}};
  properties.value_files = {{9, 1, 5010}, {300, 2, 8200}};
  const Bytes golden = from_hex("03 00 00 00 00 01 61 01 62 01 00 04  02  09 01 9227  ac02 02 8840");
  EXPECT_EQ(encode_properties(properties), golden);
  properties.format_version = 0;  // which the footer knows
  EXPECT_EQ(decode_properties(golden, 2), properties);
  EXPECT_EQ(decode_properties(golden, 1), std::nullopt);
  for (const std::int8_t balance : {-1, 0, 1}) {
    EXPECT_EQ((EntryTag{EntryType::value, balance, true}.encode()), 8 + 2 * (balance + 1));
  }
}

// One that holds tombstones, or values that will expire, is in format 3: two more times.
TEST(TableFormat, BytesOfObsoleteTimes) {
  TableProperties properties;
  properties.format_version = 3;
  properties.entry_count = 2;
  properties.tombstone_count = 1;
  properties.smallest_key = "a";
  properties.largest_key = "b";
  properties.balances = {{0, 1}};
  properties.obsolete_times.earliest_expiry_ms = 1'700'000'000'000;
  const Bytes golden = from_hex("02 01 00 00 00 01 61 01 62 01 00 02  00  00 80d095ffbc31");
  EXPECT_EQ(format_version_for(properties), 3U);
  EXPECT_EQ(encode_properties(properties), golden);
  properties.format_version = 0;  // which the footer knows
  EXPECT_EQ(decode_properties(golden, 3), properties);
  EXPECT_EQ(decode_properties(golden, 2), std::nullopt);
  properties.obsolete_times.oldest_tombstone_ms = 1;
  properties.format_version = 3;
  EXPECT_EQ(encode_properties(properties),
            from_hex("02 01 00 00 00 01 61 01 62 01 00 02  00  01 80d095ffbc31"));
}

}  // namespace
}  // namespace shale::engine::lsm
