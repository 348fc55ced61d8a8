// No damage to a table file goes unnoticed, and none makes reading it unsafe.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/lsm/table.h"
#include "engine/lsm/table_scanner.h"
#include "engine/testing/effort.h"
#include "tests/engine/lsm/table_fuzz_body.h"
#include "tests/engine/lsm/table_test_support.h"
#include "tests/fuzz/corpus.h"

namespace shale::engine::lsm {
namespace {

// Opens the table and reads all of it.
Status verify(MemoryFiles& files) {
  BlockCache cache{1 << 20};
  const auto table = Table::open(files, kTablePath, kTableNumber, cache);
  if (!table) return table.error();
  TableScanner scanner{*table};
  Status status = scanner.seek_first();
  while (status && scanner.valid()) status = scanner.next();
  return status;
}

void expect_damage_is_named(MemoryFiles& files) {
  const Status status = verify(files);
  ASSERT_FALSE(status);
  ASSERT_EQ(status.error().kind, ErrorKind::corruption) << status.error().message;
  ASSERT_NE(status.error().message.find(kTablePath), std::string::npos) << status.error().message;
  ASSERT_NE(status.error().message.find("offset "), std::string::npos) << status.error().message;
}

std::vector<OwnedEntry> small_entries() {
  std::vector<OwnedEntry> entries;
  for (int i = 10; i != 40; ++i) entries.push_back(value_entry("user:" + std::to_string(i), Bytes(20, 'v')));
  entries.push_back(tombstone_entry("x"));
  return entries;
}

class TableDamage : public testing::TestWithParam<Compression> {
 protected:
  TableDamage() {
    EXPECT_TRUE(write_table(files_, small_entries(), {.block_bytes = 256, .compression = GetParam()}));
    sound_ = files_[kTablePath].bytes;
  }
  MemoryFiles files_;
  Bytes sound_;
};
INSTANTIATE_TEST_SUITE_P(All, TableDamage,
                         testing::Values(Compression::none, Compression::lz4, Compression::zstd));

TEST_P(TableDamage, EveryFlippedBitIsFound) {
  ASSERT_TRUE(verify(files_));
  for (std::size_t bit = 0; bit != sound_.size() * 8; ++bit) {
    files_[kTablePath].bytes = sound_;
    files_[kTablePath].bytes[bit / 8] ^= static_cast<char>(1 << bit % 8);
    SCOPED_TRACE(bit);
    expect_damage_is_named(files_);
    if (HasFailure()) return;
  }
}

TEST_P(TableDamage, EveryTruncationAndAnyAppendedByteIsFound) {
  for (std::size_t bytes = 0; bytes != sound_.size(); ++bytes) {
    files_[kTablePath].bytes = sound_.substr(0, bytes);
    SCOPED_TRACE(bytes);
    expect_damage_is_named(files_);
    if (HasFailure()) return;
  }
  files_[kTablePath].bytes = sound_ + '\0';
  expect_damage_is_named(files_);
}

TEST(TableMisplacement, ABlockInAnothersPlaceIsFound) {
  // Values of one length, so that the blocks have one length too and each is sound by itself.
  std::vector<OwnedEntry> entries;
  for (int i = 100; i != 200; ++i)
    entries.push_back(value_entry("user:" + std::to_string(i), Bytes(900, 'v')));
  MemoryFiles files;
  const auto properties = write_table(files, entries, {.block_bytes = 1024}).value();
  Bytes& bytes = files[kTablePath].bytes;
  const std::size_t block_bytes = properties.data_bytes / properties.block_count;
  ASSERT_EQ(block_bytes * properties.block_count, properties.data_bytes);
  std::swap_ranges(&bytes[0], &bytes[block_bytes], &bytes[block_bytes]);
  expect_damage_is_named(files);
}

TEST(TableMisplacement, ABlockOfAnotherTableIsFound) {
  MemoryFiles files;
  const auto properties = write_table(files, small_entries()).value();
  const Bytes mine = files[kTablePath].bytes;
  ASSERT_TRUE(write_table(files, small_entries(), {.table_number = kTableNumber + 1}));
  files[kTablePath].bytes.replace(properties.data_bytes, Bytes::npos, mine, properties.data_bytes);
  expect_damage_is_named(files);
}

TEST(TableMisplacement, ATableUnderAnothersNameIsRefused) {
  MemoryFiles files;
  ASSERT_TRUE(write_table(files, small_entries(), {.table_number = kTableNumber + 1}));
  expect_damage_is_named(files);
}

TEST(TableMisplacement, ATableOfALaterFormatIsRefusedAsSuch) {
  MemoryFiles files;
  ASSERT_TRUE(write_table(files, small_entries()));
  TableFooter footer;
  Bytes& bytes = files[kTablePath].bytes;
  const std::size_t at = bytes.size() - TableFooter::kEncodedBytes;
  const std::span<const char, TableFooter::kEncodedBytes> stored{bytes.data() + at,
                                                                 TableFooter::kEncodedBytes};
  ASSERT_EQ(decode_footer(stored, true, footer), FooterState::sound);
  footer.format_version = kTableFormatVersion + 1;
  const auto encoded = footer.encode();
  bytes.replace(at, encoded.size(), encoded.data(), encoded.size());
  const Status status = verify(files);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::unsupported);
}

// With the checksums out of the way, all that stands between damage and the reader is the checks of
// structure.
TEST(TableFuzz, ArbitraryEditsAreHarmless) {
  SHALE_TRACE_SEED;
  std::mt19937_64 random{test_seed()};
  for (int round = 0; round != rounds_of_test(30'000); ++round) {
    Bytes input(1, static_cast<char>(random() % 3));
    for (std::uint64_t edits = 1 + random() % 4; edits != 0; --edits) {
      for (int i = 0; i != 4; ++i) input.push_back(static_cast<char>(random()));
      if (random() % 2 == 0) input.back() = static_cast<char>(random() % 8);
    }
    fuzz_table_once(input);
  }
}

TEST(FuzzCorpora, Table) { for_each_of_corpus("table", fuzz_table_once); }

}  // namespace
}  // namespace shale::engine::lsm
