// The protocol of reads that lack a block: name it, load it, read again.
#include <gtest/gtest.h>

#include <thread>

#include "engine/lsm/table.h"
#include "engine/lsm/table_cursor.h"
#include "tests/engine/lsm/table_test_support.h"

namespace shale::engine::lsm {
namespace {

class TableLoads : public testing::Test {
 protected:
  TableLoads() {
    std::vector<OwnedEntry> entries;
    for (int i = 10000; i != 20000; ++i)
      entries.push_back(value_entry("key" + std::to_string(i), Bytes(90, 'v')));
    EXPECT_TRUE(write_table(files_, entries));
  }

  std::shared_ptr<Table> open(BlockCache& cache) {
    return Table::open(files_, kTablePath, kTableNumber, cache).value();
  }
  MemoryFiles::Contents& file() { return files_[kTablePath]; }

  static bool lacks_block(const Result<std::optional<Entry>>& found) {
    return !found && found.error().kind == ErrorKind::not_resident;
  }

  MemoryFiles files_;
  const HashedKey key_{"key15000"};
  BlockCache cache_{1 << 24};
};

TEST_F(TableLoads, AReadNamesWhatItLacksAndFindsItAfterwards) {
  const auto table = open(cache_);
  ReadContext context;
  const std::uint64_t reads = file().reads;
  ASSERT_TRUE(lacks_block(table->find(key_, context)));
  EXPECT_EQ(file().reads, reads);
  ASSERT_EQ(context.missing.size(), 1U);
  ASSERT_TRUE(lacks_block(table->find(key_, context)));
  EXPECT_EQ(context.missing.size(), 1U);
  run_all(context);
  const auto found = table->find(key_, context).value();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->value, Bytes(90, 'v'));
  EXPECT_EQ(context.pins.size(), 1U);
  context.clear();
  EXPECT_TRUE(table->find(key_, context).value());
  EXPECT_EQ(file().reads, reads + 1);
}

TEST_F(TableLoads, AKeptLoadServesItsBlockWhereTheCacheDoesNot) {
  for (const std::uint64_t capacity : {0U, 1000U, 1U << 24}) {
    BlockCache cache{capacity};
    const auto table = open(cache);
    ReadContext context;
    ASSERT_TRUE(lacks_block(table->find(key_, context)));
    run_all(context);
    cache.set_capacity(0);
    EXPECT_EQ(cache.stats().blocks, 0U);
    const auto found = table->find(key_, context).value();
    ASSERT_TRUE(found);
    EXPECT_EQ(table->probe(key_), Presence::value);
    const Pin pin = context.pins.back();
    context.clear();
    EXPECT_EQ(found->value, Bytes(90, 'v'));  // pinned
    EXPECT_TRUE(lacks_block(table->find(key_, context)));
    EXPECT_EQ(table->probe(key_), Presence::unknown);
  }
}

TEST_F(TableLoads, CommandsThatWantOneBlockShareOneRead) {
  BlockCache cache{0};
  const auto table = open(cache);
  ReadContext first;
  ReadContext second;
  ASSERT_TRUE(lacks_block(table->find(key_, first)));
  ASSERT_TRUE(lacks_block(table->find(HashedKey{"key15001"}, second)));
  EXPECT_EQ(first.missing, second.missing);
  const std::uint64_t reads = file().reads;
  std::thread other{[&] { run_all(second); }};
  run_all(first);
  other.join();
  EXPECT_EQ(file().reads, reads + 1);
  EXPECT_TRUE(table->find(key_, first).value());
  first.clear();
  EXPECT_TRUE(table->find(HashedKey{"key15001"}, second).value());  // the other's keeping is enough
}

TEST_F(TableLoads, AnErrorReachesEveryReadOfTheBlockWhileItsLoadIsKeptThenTheBlockIsReadAgain) {
  const auto table = open(cache_);
  ReadContext first;
  ReadContext second;
  ASSERT_TRUE(lacks_block(table->find(key_, first)));
  ASSERT_TRUE(lacks_block(table->find(key_, second)));
  file().refuses_reads = true;
  run_all(first);
  file().refuses_reads = false;
  run_all(second);  // it has run already
  for (ReadContext* const context : {&first, &second}) {
    const auto found = table->find(key_, *context);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().kind, ErrorKind::io);
  }
  EXPECT_EQ(table->probe(key_), Presence::unknown);
  first.clear();
  second.clear();
  EXPECT_TRUE(find_with_loads(*table, key_.bytes, first).value());
}

TEST_F(TableLoads, DamageIsReportedWithFileAndOffset) {
  const auto table = open(cache_);
  file().bytes[table->properties().data_bytes / 2] ^= 1;
  ReadContext context;
  const auto found = find_with_loads(*table, key_.bytes, context);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::corruption);
  EXPECT_NE(found.error().message.find(kTablePath), std::string::npos);
  EXPECT_NE(found.error().message.find("offset "), std::string::npos);
  context.clear();
  EXPECT_TRUE(find_with_loads(*table, "key10000", context).value());  // the rest goes on
}

TEST_F(TableLoads, ABlockThatWasSoundOnceIsFoundDamagedWhenItIsReadAgain) {
  const auto table = open(cache_);
  ReadContext context;
  ASSERT_TRUE(find_with_loads(*table, key_.bytes, context).value());
  context.clear();
  table->drop_cached_blocks();
  ASSERT_TRUE(find_with_loads(*table, key_.bytes, context).value());
  context.clear();
  table->drop_cached_blocks();
  file().bytes[table->properties().data_bytes / 2] ^= 1;
  const auto found = find_with_loads(*table, key_.bytes, context);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::corruption);
}

TEST_F(TableLoads, ACursorLoadsAheadAndReadsNoBlockTwice) {
  const auto table = open(cache_);
  ReadContext context;
  ASSERT_TRUE(find_with_loads(*table, "key10200", context).value());
  context.clear();
  const std::uint64_t reads = file().reads;
  std::uint64_t rounds = 0;
  while (true) {
    TableCursor cursor{*table, {}, context};
    Status status = cursor.seek({});
    for (int i = 0; i != 5000 && status; ++i) status = cursor.next();
    if (status) break;
    ASSERT_EQ(status.error().kind, ErrorKind::not_resident);
    run_all(context);
    context.clear();
    ++rounds;
  }
  EXPECT_EQ(file().reads - reads, rounds);
  EXPECT_LT(rounds, table->properties().data_bytes / 2 / (50 * 1024) + 3);
  EXPECT_EQ(cache_.stats().insertions, cache_.stats().blocks);
}

TEST_F(TableLoads, ACursorLoadsAheadAlsoBackward) {
  const auto table = open(cache_);
  ReadContext context;
  const std::uint64_t reads = file().reads;
  std::uint64_t rounds = 0;
  while (true) {
    TableCursor cursor{*table, {}, context};
    Status status = cursor.seek_before("key15000");
    while (status && cursor.valid()) status = cursor.previous();
    if (status) break;
    ASSERT_EQ(status.error().kind, ErrorKind::not_resident);
    run_all(context);
    context.clear();
    ++rounds;
  }
  EXPECT_EQ(file().reads - reads, rounds);
  EXPECT_LT(rounds, table->properties().data_bytes / 2 / (50 * 1024) + 3);
  EXPECT_EQ(cache_.stats().insertions, cache_.stats().blocks);
}

TEST_F(TableLoads, ABlockInTheKernelsMemoryIsTakenFromThereAtOnce) {
  for (const std::uint64_t capacity : {0U, 1U << 24}) {
    BlockCache cache{capacity};
    const auto table = open(cache);
    ReadContext context;
    file().resident_bytes = file().bytes.size();
    EXPECT_EQ(table->probe(key_), Presence::unknown);  // that does not read
    const std::uint64_t reads = file().reads;
    const auto found = table->find(key_, context).value();
    ASSERT_TRUE(found);
    EXPECT_EQ(found->value, Bytes(90, 'v'));
    TableCursor cursor{*table, {}, context};
    int entries = 0;
    Status status = cursor.seek({});
    for (; status && cursor.valid(); status = cursor.next()) ++entries;
    EXPECT_TRUE(status);
    EXPECT_EQ(entries, 10000);
    EXPECT_TRUE(context.missing.empty());
    EXPECT_EQ(file().reads, reads);
    // Some have drawn a place in the cache.
    const std::uint64_t blocks = table->properties().block_count;
    if (capacity == 0) {
      EXPECT_EQ(cache.stats().insertions, 0U);
    } else {
      EXPECT_GT(cache.stats().insertions, blocks / 8);
      EXPECT_LT(cache.stats().insertions, blocks / 2);
    }
  }
}

TEST_F(TableLoads, ABlockOfWhichTheKernelHasAPartIsLoaded) {
  const auto table = open(cache_);
  ReadContext context;
  // From where no byte of the block can be there, byte by byte or nearly so.
  int lacking = 0;
  for (std::size_t bytes = table->properties().data_bytes / 2 - 10000;; bytes += 100, ++lacking) {
    file().resident_bytes = bytes;
    const auto found = table->find(key_, context);
    if (found) {
      EXPECT_EQ((*found)->value, Bytes(90, 'v'));
      break;
    }
    ASSERT_TRUE(lacks_block(found));
    ASSERT_LT(bytes, file().bytes.size());
    context.clear();
  }
  EXPECT_GT(lacking, 40);  // a block has about as many hundreds of bytes
}

TEST_F(TableLoads, WhatIsWrongWithABlockInTheKernelsMemoryIsSaidByItsLoad) {
  const auto table = open(cache_);
  file().resident_bytes = file().bytes.size();
  file().bytes[table->properties().data_bytes / 2] ^= 1;
  ReadContext context;
  ASSERT_TRUE(lacks_block(table->find(key_, context)));
  run_all(context);
  const auto found = table->find(key_, context);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::corruption);
  context.clear();
  EXPECT_TRUE(table->find(HashedKey{"key10000"}, context).value());
}

TEST_F(TableLoads, ALoadAnnouncesWhatItWillRead) {
  const auto table = open(cache_);
  ReadContext context;
  ASSERT_TRUE(lacks_block(table->find(key_, context)));
  context.missing.front()->announce();
  const std::uint64_t announced = file().announced_bytes;
  EXPECT_GT(announced, 3000U);
  EXPECT_LT(announced, 5000U);
  run_all(context);
  context.missing.front()->announce();
  EXPECT_EQ(file().announced_bytes, announced);  // it is here
}

// As the blocks of a small young run, which every seek of a tree meets.
TEST_F(TableLoads, WhatSeeksLeadToStaysWhileAWalkGoesBy) {
  BlockCache cache{256 << 10};  // a quarter of the table
  const auto table = open(cache);
  ReadContext context;
  for (int seeks = 0; seeks != 4; ++seeks) {
    TableCursor cursor{*table, {}, context};
    if (!cursor.seek(key_.bytes)) run_all(context);
    context.clear();
  }
  ASSERT_EQ(table->probe(key_), Presence::value);
  for (bool through = false; !through; run_all(context)) {
    TableCursor cursor{*table, {"key16000", ""}, context};
    Status status = cursor.seek({});
    while (status && cursor.valid()) status = cursor.next();
    through = status.has_value();
  }
  context.clear();
  EXPECT_EQ(table->probe(key_), Presence::value);
  EXPECT_EQ(table->probe(HashedKey{"key16500"}), Presence::unknown);
}

// Some 36 entries lie in a block.
TEST_F(TableLoads, ACursorReadsNoBlockOutsideOfItsBounds) {
  const auto table = open(cache_);
  const auto blocks_read = [&](CursorBounds bounds, auto walk) {
    cache_.set_capacity(0);
    cache_.set_capacity(1 << 24);
    const std::uint64_t before = cache_.stats().insertions;
    ReadContext context;
    for (;; run_all(context)) {
      TableCursor cursor{*table, bounds, context};
      if (walk(cursor)) return cache_.stats().insertions - before;
    }
  };
  const auto forward = [](TableCursor& cursor) {
    Status status = cursor.seek({});
    while (status && cursor.valid()) status = cursor.next();
    return status.has_value();
  };
  const auto backward = [](TableCursor& cursor) {
    Status status = cursor.seek_last();
    while (status && cursor.valid()) status = cursor.previous();
    return status.has_value();
  };
  const std::uint64_t all = blocks_read({}, forward);
  EXPECT_EQ(all, table->properties().block_count);
  EXPECT_EQ(blocks_read({}, backward), all);
  EXPECT_LE(blocks_read({"key15000", "key15200"}, forward), 8u);
  EXPECT_LE(blocks_read({"key15000", "key15200"}, backward), 8u);
  EXPECT_LE(blocks_read({"key15000", "key15001"}, backward), 2u);
  EXPECT_EQ(blocks_read({"key15000", "key15000"}, forward), 0u);
  EXPECT_EQ(blocks_read({"key15000", "key15000"}, backward), 0u);
  EXPECT_EQ(blocks_read({"", "key1"}, backward), 0u);
  // The whole blocks of a range, no more: from one block's first key to another's.
  const Bytes begin = table->key_at(table->block_offset(20)).value();
  const Bytes end = table->key_at(table->block_offset(60)).value();
  EXPECT_EQ(blocks_read({begin, end}, forward), 40u);
  EXPECT_EQ(blocks_read({begin, end}, backward), 40u);
}

TEST_F(TableLoads, AReadSharesWhatACursorLoadsAhead) {
  BlockCache cache{0};
  const auto table = open(cache);
  ReadContext scan;
  ReadContext read;
  TableCursor cursor{*table, {}, scan};
  ASSERT_FALSE(cursor.seek(key_.bytes));
  run_all(scan);
  const auto seek_loads = std::exchange(scan.missing, {});
  for (Status moved = cursor.seek(key_.bytes); moved; moved = cursor.next()) {
  }
  ASSERT_TRUE(lacks_block(table->find(HashedKey{"key15100"}, read)));
  EXPECT_EQ(scan.missing, read.missing);
  run_all(scan);
  EXPECT_TRUE(table->find(HashedKey{"key15100"}, read).value());
}

TEST_F(TableLoads, OneDamagedBlockDoesNotSpoilTheOthersReadWithIt) {
  const auto table = open(cache_);
  file().bytes[10000] ^= 1;
  ReadContext context;
  TableCursor cursor{*table, {}, context};
  int entries = 0;
  Status status;
  do {
    run_all(context);
    entries = 0;
    for (status = cursor.seek({}); status; status = cursor.next()) ++entries;
  } while (status.error().kind == ErrorKind::not_resident);
  EXPECT_GT(entries, 50);
  EXPECT_EQ(status.error().kind, ErrorKind::corruption);
}

TEST_F(TableLoads, ALoadKeepsItsTableOpen) {
  auto table = open(cache_);
  ReadContext context;
  ASSERT_TRUE(lacks_block(table->find(key_, context)));
  const std::weak_ptr<Table> watched = table;
  table = nullptr;
  run_all(context);
  EXPECT_FALSE(watched.expired());
  context.clear();
  EXPECT_TRUE(watched.expired());
}

TEST_F(TableLoads, DroppedBlocksAreLoadedAgain) {
  const auto table = open(cache_);
  ReadContext context;
  ASSERT_TRUE(find_with_loads(*table, key_.bytes, context).value());
  context.clear();
  table->drop_cached_blocks();
  EXPECT_EQ(cache_.stats().blocks, 0U);
  EXPECT_TRUE(lacks_block(table->find(key_, context)));
}

TEST_F(TableLoads, ATableThatIsClosedTakesItsBlocksOutOfTheCache) {
  auto table = open(cache_);
  ReadContext context;
  ASSERT_TRUE(find_with_loads(*table, key_.bytes, context).value());
  const BlockCacheStats before = cache_.stats();
  EXPECT_EQ(before.blocks, 1U);
  const Pin pin = context.pins.back();
  context.clear();
  table = nullptr;
  EXPECT_EQ(cache_.stats().blocks, 0U);
  EXPECT_EQ(cache_.stats().bytes, 0U);
  EXPECT_EQ(pin->pin_count(), 1U);  // readers keep theirs
}

TEST_F(TableLoads, TablesOfOneNumberInOneCacheStayApart) {
  ASSERT_TRUE(write_table(files_, {value_entry(key_.bytes, "another tree's")}, {}, "other"));
  const auto table = open(cache_);
  const auto other = Table::open(files_, "other", kTableNumber, cache_).value();
  for (int round = 0; round != 2; ++round) {
    ReadContext context;
    EXPECT_EQ(find_with_loads(*table, key_.bytes, context).value()->value, Bytes(90, 'v'));
    EXPECT_EQ(find_with_loads(*other, key_.bytes, context).value()->value, "another tree's");
  }
}

}  // namespace
}  // namespace shale::engine::lsm
