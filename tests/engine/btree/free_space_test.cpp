#include "engine/btree/free_space.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "engine/btree/block_set.h"
#include "engine/testing/effort.h"
#include "engine/testing/test_seed.h"

namespace shale::engine::btree {
namespace {

TEST(BtreeFreeSpace, HandsOutOnlyBlocksThatAreWhollyFree) {
  FreeSpace space;
  space.add(4096 + 100, 4096);
  EXPECT_EQ(space.take(1, 1), std::nullopt);
  space.add(4096, 100);
  EXPECT_EQ(space.take(1, 4096), (BlockRun{4096, 4096}));
  EXPECT_EQ(space.bytes(), 100u);
}

TEST(BtreeFreeSpace, PrefersLowOffsets) {
  FreeSpace space;
  space.add(1 << 20, 64 << 10);
  space.add(16384, 8192);
  space.add(65536, 8192);
  EXPECT_EQ(space.take(5000, 5000), (BlockRun{16384, 8192}));
  EXPECT_EQ(space.take(4096, 4096), (BlockRun{65536, 4096}));
  EXPECT_EQ(space.take(16384, 32768), (BlockRun{1 << 20, 32768}));
}

TEST(BtreeFreeSpace, CutsOffWhatIsFreeAtTheEnd) {
  FreeSpace space;
  space.add(8192 + 10, 8192 - 10);
  EXPECT_EQ(space.trim(20480), 20480u);
  EXPECT_EQ(space.trim(16384), 12288u);
  EXPECT_EQ(space.bytes(), 4096u - 10);
}

// Against a map of bytes.
TEST(BtreeFreeSpace, KeepsCountOfEveryByte) {
  constexpr std::uint64_t kEnd = 64 * kBlockBytes;
  std::mt19937_64 random{test_seed()};
  SCOPED_TRACE(test_seed());
  std::vector<bool> free(kEnd, false);
  FreeSpace space;
  for (int step = 0; step < rounds_of_test(3000); ++step) {
    if (random() % 2 == 0) {
      const std::uint64_t begin = random() % kEnd;
      std::uint64_t end = begin;
      while (end < kEnd && !free[end] && end - begin < random() % 20'000) free[end++] = true;
      space.add(begin, end - begin);
    } else if (const auto run = space.take(1 + random() % 9000, 1 + random() % 30'000)) {
      ASSERT_EQ(run->offset % kBlockBytes, 0u);
      ASSERT_EQ(run->bytes % kBlockBytes, 0u);
      for (std::uint64_t i = run->offset; i < run->offset + run->bytes; ++i) {
        ASSERT_TRUE(free[i]);
        free[i] = false;
      }
    }
    ASSERT_EQ(space.bytes(), static_cast<std::uint64_t>(std::count(free.begin(), free.end(), true)));
  }
}

TEST(FreeSpace, BytesAreFoundAndTakenWhereverTheyLie) {
  FreeSpace space;
  space.add(1000, 500);
  space.add(10'000, 20'000);
  EXPECT_EQ(space.first_in(0, 1000), std::nullopt);
  EXPECT_EQ(space.first_in(0, 1200), (BlockRun{1000, 200}));
  EXPECT_EQ(space.first_in(1100, 50'000), (BlockRun{1100, 400}));
  EXPECT_EQ(space.first_in(1500, 50'000), (BlockRun{10'000, 20'000}));
  space.take_at({15'000, 100});
  EXPECT_EQ(space.bytes(), 20'400u);
  EXPECT_EQ(space.first_in(15'000, 50'000), (BlockRun{15'100, 14'900}));
  space.add(15'000, 100);
  EXPECT_EQ(space.first_in(1500, 50'000), (BlockRun{10'000, 20'000}));
}

TEST(BlockSet, TellsWhichBlocksFollowEachOther) {
  BlockSet blocks;
  EXPECT_EQ(blocks.first_from(0, 1u << 20), std::nullopt);
  blocks.add(kBlockBytes + 1, 1);
  blocks.add(3 * kBlockBytes - 1, 2);
  blocks.add(9 * kBlockBytes, kBlockBytes);
  EXPECT_EQ(blocks.bytes(), 4 * kBlockBytes);
  EXPECT_EQ(blocks.first_from(0, 1u << 20), (BlockRun{kBlockBytes, 3 * kBlockBytes}));
  EXPECT_EQ(blocks.first_from(0, 2 * kBlockBytes), (BlockRun{kBlockBytes, 2 * kBlockBytes}));
  EXPECT_EQ(blocks.first_from(4 * kBlockBytes, 1u << 20), (BlockRun{9 * kBlockBytes, kBlockBytes}));
  EXPECT_EQ(blocks.first_from(10 * kBlockBytes, 1u << 20), std::nullopt);
}

}  // namespace
}  // namespace shale::engine::btree
