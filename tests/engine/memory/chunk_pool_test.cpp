#include "engine/memory/chunk_pool.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include "engine/memory/chunk_arena.h"

namespace shale::engine {
namespace {

constexpr std::size_t kChunk = std::size_t{64} << 10;

TEST(ChunkPool, GivesOutWhatItWasGiven) {
  ChunkPool pool{4 * kChunk};
  MappedMemory chunk = pool.take(kChunk);
  const std::byte* const begin = chunk.begin();
  ASSERT_NE(begin, nullptr);
  pool.give_back(std::move(chunk));
  EXPECT_EQ(pool.bytes(), kChunk);
  EXPECT_EQ(pool.take(kChunk).begin(), begin);
  EXPECT_EQ(pool.bytes(), 0U);
}

TEST(ChunkPool, KeepsNoMoreThanItMay) {
  ChunkPool pool{2 * kChunk};
  for (int i = 0; i != 5; ++i) pool.give_back(MappedMemory{kChunk});
  EXPECT_EQ(pool.bytes(), 2 * kChunk);
  pool.set_bytes_max(kChunk);
  EXPECT_EQ(pool.bytes(), kChunk);
  pool.set_bytes_max(0);
  EXPECT_EQ(pool.bytes(), 0U);
  pool.give_back(MappedMemory{kChunk});
  EXPECT_EQ(pool.bytes(), 0U);
}

TEST(ChunkPool, LetsGoOfASizeThatNobodyAsksForAnyMore) {
  ChunkPool pool{100 * kChunk};
  pool.give_back(MappedMemory{kChunk});
  pool.give_back(MappedMemory{2 * kChunk});  // not beside others
  EXPECT_EQ(pool.bytes(), kChunk);
  EXPECT_EQ(pool.take(2 * kChunk).bytes(), 2 * kChunk);
  EXPECT_EQ(pool.bytes(), 0U);
}

TEST(ChunkPool, AnArenaTakesAndReturnsItsChunks) {
  ChunkPool pool{100 * kChunk};
  for (int round = 0; round != 3; ++round) {
    ChunkArena arena{kChunk, &pool};
    for (int i = 0; i != 1000; ++i) std::memset(arena.at(arena.allocate(1000)), 0xab, 1000);
    const Reference large = arena.allocate(3 * kChunk);
    arena.release(large, 3 * kChunk);
    arena.allocate(kChunk / 2);  // a mapping of its own, which is no chunk
    EXPECT_EQ(pool.bytes(), 0U);
  }
  EXPECT_EQ(pool.bytes(), 16 * kChunk);  // 65 allocations to a chunk
}

TEST(ChunkPool, ManyThreadsTakeAndGiveBack) {
  ChunkPool pool{8 * kChunk};
  std::vector<std::thread> threads;
  for (int thread = 0; thread != 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i != 500; ++i) {
        MappedMemory chunk = pool.take(kChunk);
        std::memset(chunk.begin(), thread, kChunk);
        for (std::size_t at = 0; at < kChunk; at += 4096) ASSERT_EQ(chunk.begin()[at], std::byte(thread));
        pool.give_back(std::move(chunk));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(pool.bytes(), 4 * kChunk);
}

}  // namespace
}  // namespace shale::engine
