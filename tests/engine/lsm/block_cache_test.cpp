#include "engine/lsm/block_cache.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/engine/lsm/table_test_support.h"

namespace shale::engine::lsm {
namespace {

using Access = BlockCache::Access;

BlockHandle make_block(std::size_t value_bytes = 4000) {
  BlockBuilder builder;
  builder.add({"key", Bytes(value_bytes, 'v'), {}});
  const Bytes bytes = Bytes{builder.arrays()}.append(builder.entries());
  boost::intrusive_ptr<Block> block = Block::allocate(static_cast<std::uint32_t>(bytes.size()));
  bytes.copy(block->bytes().data(), bytes.size());
  EXPECT_TRUE(block->adopt(bytes.size()));
  return block;
}

TEST(BlockCache, ReturnsWhatWasInserted) {
  BlockCache cache{1 << 20};
  const std::uint64_t table = cache.new_table();
  EXPECT_NE(table, cache.new_table());
  const BlockHandle block = make_block();
  EXPECT_EQ(cache.find({table, 0}, Access::point), nullptr);
  cache.insert({table, 0}, block);
  EXPECT_EQ(cache.find({table, 0}, Access::point), block);
  EXPECT_EQ(cache.find({table, 1}, Access::point), nullptr);
  EXPECT_EQ(cache.find({table + 1, 0}, Access::peek), nullptr);
  cache.insert({table, 0}, make_block());  // the first stays
  EXPECT_EQ(cache.find({table, 0}, Access::scan), block);
  const BlockCacheStats stats = cache.stats();
  EXPECT_EQ(stats.hits, 2U);
  EXPECT_EQ(stats.misses, 2U);
  EXPECT_EQ(stats.insertions, 1U);
  EXPECT_EQ(stats.blocks, 1U);
}

TEST(BlockCache, StaysWithinItsCapacityAlsoWhenThatShrinks) {
  BlockCache cache{1 << 20};
  for (std::uint64_t offset = 0; offset != 2000; ++offset) {
    cache.insert({1, offset}, make_block(offset % 8000));
    ASSERT_LE(cache.stats().bytes, cache.capacity_bytes());
  }
  EXPECT_GT(cache.stats().bytes, 1000000U);
  EXPECT_GT(cache.stats().evictions, 0U);
  cache.set_capacity(100000);
  EXPECT_LE(cache.stats().bytes, 100000U);
  EXPECT_GT(cache.stats().bytes, 80000U);
  cache.set_capacity(0);
  EXPECT_EQ(cache.stats().blocks, 0U);
  cache.insert({1, 1}, make_block());
  EXPECT_EQ(cache.stats().blocks, 0U);
  EXPECT_EQ(cache.stats().refusals, 1U);
}

TEST(BlockCache, KeepsWhatIsWantedThroughAScan) {
  BlockCache cache{4 << 20};  // about 1000 blocks
  const BlockHandle block = make_block();
  constexpr std::uint64_t kWanted = 500;
  for (int round = 0; round != 3; ++round) {
    for (std::uint64_t offset = 0; offset != kWanted; ++offset) {
      if (cache.find({1, offset}, Access::point) == nullptr) cache.insert({1, offset}, block);
    }
  }
  for (std::uint64_t offset = 0; offset != 20000; ++offset) {
    cache.insert({2, offset}, block);
    cache.find({2, offset}, Access::scan);
  }
  std::uint64_t kept = 0;
  for (std::uint64_t offset = 0; offset != kWanted; ++offset) {
    kept += cache.find({1, offset}, Access::peek) != nullptr ? 1 : 0;
  }
  EXPECT_GT(kept, kWanted * 95 / 100);
}

TEST(BlockCache, ABlockThatComesBackSoonIsKept) {
  BlockCache cache{4 << 20};
  const BlockHandle block = make_block();
  std::uint64_t offset = 0;
  const auto pass_by = [&](std::uint64_t count) {
    for (; count != 0; --count) cache.insert({2, ++offset}, block);
  };
  pass_by(2000);
  cache.insert({1, 0}, block);
  while (cache.find({1, 0}, Access::peek) != nullptr) pass_by(1);
  cache.insert({1, 0}, block);  // its ghost is still there
  pass_by(5000);
  EXPECT_NE(cache.find({1, 0}, Access::peek), nullptr);
}

TEST(BlockCache, ErasesOneTableOnly) {
  BlockCache cache{64 << 20};
  const BlockHandle block = make_block(10);
  for (std::uint64_t offset = 0; offset != 30000; ++offset) cache.insert({1 + offset % 3, offset}, block);
  cache.erase_table(2);
  EXPECT_EQ(cache.stats().blocks, 20000U);
  for (std::uint64_t offset = 0; offset != 30000; ++offset) {
    ASSERT_EQ(cache.find({1 + offset % 3, offset}, Access::peek) == nullptr, offset % 3 == 1);
  }
  const std::uint64_t bytes = cache.stats().bytes;
  cache.set_capacity(bytes);  // evicts nothing: the budget knows what was erased
  EXPECT_EQ(cache.stats().blocks, 20000U);
}

TEST(BlockCache, HandlesOutliveEviction) {
  BlockCache cache{1 << 20};
  cache.insert({1, 0}, make_block());
  const BlockHandle block = cache.find({1, 0}, Access::point);
  cache.set_capacity(0);
  EXPECT_EQ(block->pin_count(), 1U);
  EXPECT_TRUE(block->view().find("key"));
}

TEST(BlockCache, ASlotHoldsItsBlockForAsLongAsTheCacheDoes) {
  BlockCache cache{1 << 20};
  const std::uint64_t table = cache.new_table();
  BlockSlot slots[2];
  EXPECT_EQ(cache.find(slots[0], table, Access::point), nullptr);
  const BlockHandle block = make_block();
  cache.insert({table, 0}, block, &slots[0]);
  cache.insert({table, 1}, make_block(), &slots[1]);
  EXPECT_EQ(cache.find(slots[0], table, Access::point), block);
  cache.insert({table, 0}, make_block(), &slots[0]);  // the one that is there stays
  EXPECT_EQ(cache.find(slots[0], table, Access::point), block);
  EXPECT_EQ(slots[0].frequency(), 2U);
  EXPECT_EQ(cache.find(slots[0], table, Access::scan), block);
  EXPECT_EQ(slots[0].frequency(), 2U);
  EXPECT_EQ(cache.stats().hits, 3U);
  EXPECT_EQ(cache.stats().misses, 1U);
  EXPECT_EQ(cache.stats().insertions, 2U);

  cache.erase({table, 1}, &slots[1]);
  cache.erase({table, 1}, &slots[1]);
  EXPECT_TRUE(slots[1].is_empty());
  EXPECT_FALSE(slots[0].is_empty());
  cache.set_capacity(0);
  EXPECT_TRUE(slots[0].is_empty());
  EXPECT_EQ(cache.stats().bytes, 0U);
  EXPECT_EQ(block->pin_count(), 1U);
}

TEST(BlockCache, SlotsKeepWhatIsWantedThroughAScan) {
  BlockCache cache{4 << 20};  // about 1000 blocks
  constexpr std::uint64_t kWanted = 500;
  const auto wanted = std::make_unique<BlockSlot[]>(kWanted);
  for (int round = 0; round != 3; ++round) {
    for (std::uint64_t i = 0; i != kWanted; ++i) {
      if (cache.find(wanted[i], 1, Access::point) == nullptr) cache.insert({1, i}, make_block(), &wanted[i]);
    }
  }
  for (std::uint64_t i = 0; i != 20000; ++i) cache.insert({2, i}, make_block(4000));
  const auto kept =
      std::count_if(&wanted[0], &wanted[kWanted], [](const BlockSlot& slot) { return !slot.is_empty(); });
  EXPECT_GT(kept, kWanted * 95 / 100);
  for (std::uint64_t i = 0; i != kWanted; ++i) cache.erase({1, i}, &wanted[i]);  // before the slots go
}

TEST(BlockCache, SlotsTakeCallsFromManyThreads) {
  BlockCache cache{1 << 20};
  constexpr std::uint64_t kBlocks = 600;  // about twice what fits
  const auto slots = std::make_unique<BlockSlot[]>(kBlocks);
  std::atomic<std::uint64_t> found = 0;
  std::vector<std::thread> threads;
  for (unsigned thread = 0; thread != 4; ++thread) {
    threads.emplace_back([&, thread] {
      std::mt19937_64 random{thread};
      for (int i = 0; i != 20000; ++i) {
        const std::uint64_t number = random() % kBlocks;
        if (const BlockHandle block = cache.find(slots[number], 1, Access::point)) {
          found += block->view().find("key")->value.size() == number ? 1 : 0;
        } else {
          cache.insert({1, number}, make_block(number), &slots[number]);
        }
        const std::uint64_t other = random() % kBlocks;
        if (i % 50 == 0) cache.erase({1, other}, &slots[other]);
        if (i % 7000 == 0) cache.set_capacity((1 + random() % 4) << 18);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(found, cache.stats().hits);
  cache.set_capacity(0);
  EXPECT_EQ(cache.stats().bytes, 0U);
  for (std::uint64_t i = 0; i != kBlocks; ++i) ASSERT_TRUE(slots[i].is_empty());
}

TEST(BlockCache, TakesCallsFromManyThreads) {
  BlockCache cache{1 << 20};
  const BlockHandle block = make_block(3000);
  std::vector<std::thread> threads;
  for (unsigned thread = 0; thread != 4; ++thread) {
    threads.emplace_back([&, thread] {
      std::mt19937_64 random{thread};
      for (int i = 0; i != 20000; ++i) {
        const BlockId id{1 + random() % 3, random() % 1000};
        if (cache.find(id, Access::point) == nullptr) cache.insert(id, block);
        if (i % 5000 == 0) cache.erase_table(1 + thread % 3);
        if (i % 7000 == 0) cache.set_capacity((1 + random() % 4) << 18);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(cache.stats().bytes, 1U << 20);
  cache.set_capacity(0);
  EXPECT_EQ(cache.stats().bytes, 0U);
  EXPECT_EQ(block->pin_count(), 1U);
}

}  // namespace
}  // namespace shale::engine::lsm
