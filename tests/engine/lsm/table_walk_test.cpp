// Walks over blocks that lie in the kernel's memory: several are read at once, as many as walks go to.
#include <gtest/gtest.h>

#include "engine/lsm/table.h"
#include "engine/lsm/table_cursor.h"
#include "tests/engine/lsm/table_test_support.h"

namespace shale::engine::lsm {
namespace {

constexpr int kEntries = 10000;
constexpr int kFirstKey = 10000;

std::string key_of(int number) { return "key" + std::to_string(kFirstKey + number); }

class TableWalks : public testing::TestWithParam<Compression> {
 protected:
  TableWalks() {
    std::vector<OwnedEntry> entries;
    for (int i = 0; i != kEntries; ++i) entries.push_back(value_entry(key_of(i), Bytes(90, 'v')));
    EXPECT_TRUE(write_table(files_, entries, {.compression = GetParam()}));
    table_ = Table::open(files_, kTablePath, kTableNumber, cache_).value();
    file().resident_bytes = file().bytes.size();
  }
  MemoryFiles::Contents& file() { return files_[kTablePath]; }

  // Walks over that many entries from `begin` on, checks them, and says how often the kernel was asked.
  std::uint64_t walk(int begin, int count, ReadContext& context) {
    const std::uint64_t before = file().resident_reads;
    TableCursor cursor{*table_, {}, context};
    Status status = cursor.seek(key_of(begin));
    for (int i = 0; i != count; ++i) {
      EXPECT_TRUE(status);
      if (!status || !cursor.valid()) break;
      EXPECT_EQ(cursor.entry().key, key_of(begin + i));
      EXPECT_EQ(cursor.entry().value, Bytes(90, 'v'));
      status = cursor.next();
    }
    return file().resident_reads - before;
  }
  std::uint64_t walk_back(int end, int count, ReadContext& context) {
    const std::uint64_t before = file().resident_reads;
    TableCursor cursor{*table_, {}, context};
    Status status = cursor.seek_before(key_of(end));
    for (int i = 1; i <= count; ++i) {
      EXPECT_TRUE(status);
      if (!status || !cursor.valid()) break;
      EXPECT_EQ(cursor.entry().key, key_of(end - i));
      status = cursor.previous();
    }
    return file().resident_reads - before;
  }
  int entries_per_block() const { return kEntries / static_cast<int>(table_->properties().block_count); }

  MemoryFiles files_;
  BlockCache cache_{0};  // keeps nothing: what is found was read
  std::shared_ptr<Table> table_;
};

INSTANTIATE_TEST_SUITE_P(Compressions, TableWalks, testing::Values(Compression::none, Compression::lz4),
                         [](const auto& param) {
                           return param.param == Compression::none ? "plain" : "lz4";
                         });

TEST_P(TableWalks, ALongWalkReadsManyBlocksAtOnce) {
  ReadContext context;
  const std::uint64_t blocks = table_->properties().block_count;
  const std::uint64_t stored_bytes = table_->properties().data_bytes;
  const std::uint64_t most = 5 + 2 * stored_bytes / TableCursor::kReadAheadBytes;
  ASSERT_LT(most, blocks / 4);
  EXPECT_LE(walk(0, kEntries, context), most);
  EXPECT_LE(walk_back(kEntries, kEntries, context), most);
  EXPECT_TRUE(context.missing.empty());
}

TEST_P(TableWalks, ASeekReadsAsFarAsWalksHaveLatelyGone) {
  ReadContext context;
  EXPECT_EQ(walk(0, 1, context), 1U);
  const int length = 4 * entries_per_block();
  for (int i = 0; i != 100; ++i) walk(i * 50, length, context);
  std::uint64_t reads = 0;
  for (int i = 0; i != 20; ++i) reads += walk(i * 100, length, context);
  EXPECT_LE(reads, 25U);
  // And forgets it: a seek reads one block again.
  for (int i = 0; i != 100; ++i) walk(i * 50, 1, context);
  const std::uint64_t bytes_before = file().resident_read_bytes;
  walk(5000, 1, context);
  EXPECT_LT(file().resident_read_bytes - bytes_before, 5000U);
}

// Wherever the kernel's part of the file ends: what is there is used, the next block is asked of the disk.
TEST_P(TableWalks, WhatTheKernelHasAPartOfIsUsedAsFarAsItGoes) {
  const int length = 6 * entries_per_block();
  {
    ReadContext context;
    for (int i = 0; i != 100; ++i) walk(i * 50, length, context);  // from now on seeks read ahead
  }
  const std::uint64_t data_bytes = table_->properties().data_bytes;
  for (std::uint64_t resident = data_bytes / 3; resident < data_bytes / 2; resident += data_bytes / 97) {
    file().resident_bytes = resident;
    ReadContext context;
    TableCursor cursor{*table_, {}, context};
    int number = kEntries / 4;
    Status status = cursor.seek(key_of(number));
    for (; status && cursor.valid(); status = cursor.next()) {
      ASSERT_EQ(cursor.entry().key, key_of(number++));
    }
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, ErrorKind::not_resident);
    EXPECT_EQ(context.missing.size(), 1U);
    // As far as there are whole blocks: less than one is left.
    const double reached = static_cast<double>(number) / kEntries * static_cast<double>(data_bytes);
    EXPECT_NEAR(reached, static_cast<double>(resident),
                3.0 * static_cast<double>(data_bytes) / table_->properties().block_count);
  }
}

TEST_P(TableWalks, ABackwardSeekWhoseBlockIsMissingUsesNothingBeforeIt) {
  ReadContext context;
  for (int i = 0; i != 100; ++i) walk_back(kEntries - i * 50, 6 * entries_per_block(), context);
  // A read that ends with the wanted block finds what comes before it and not the block.
  file().resident_bytes = table_->properties().data_bytes / 2;
  TableCursor cursor{*table_, {}, context};
  const Status behind = cursor.seek_before(key_of(kEntries * 3 / 4));
  ASSERT_FALSE(behind);
  EXPECT_EQ(behind.error().kind, ErrorKind::not_resident);
  walk_back(kEntries / 3, kEntries / 10, context);
}

TEST_P(TableWalks, DamageInWhatAWalkReadsIsSaidByTheLoad) {
  ReadContext context;
  file().bytes[table_->properties().data_bytes / 2] ^= 1;
  TableCursor cursor{*table_, {}, context};
  Status status = cursor.seek({});
  int entries = 0;
  for (; status && cursor.valid(); status = cursor.next()) ++entries;
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::not_resident);
  EXPECT_GT(entries, kEntries / 3);
  ASSERT_EQ(context.missing.size(), 1U);
  context.missing.front()->run();
  TableCursor again{*table_, {}, context};
  status = again.seek({});
  while (status && again.valid()) status = again.next();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::corruption);
}

}  // namespace
}  // namespace shale::engine::lsm
