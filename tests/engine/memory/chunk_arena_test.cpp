#include "engine/memory/chunk_arena.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "tests/engine/memory/seeded_random.h"

namespace shale::engine {
namespace {

constexpr std::size_t kSmallChunk = std::size_t{64} << 10;

TEST(ChunkArena, KeepsWhatIsWrittenApartAndAligned) {
  SeededRandom random;
  for (const std::size_t chunk_bytes : {kSmallChunk, kHugePageBytes}) {
    struct Block {
      Reference reference;
      std::size_t bytes;
      char fill;
    };
    ChunkArena arena{chunk_bytes};
    std::vector<Block> blocks;
    for (int i = 0; i < 3000; ++i) {
      const std::size_t bytes = 1 + random.below(random.one_in(50) ? 3 * kSmallChunk : 2000);
      const std::size_t alignment = std::size_t{8} << random.below(4);
      const Reference reference = arena.allocate(bytes, alignment);
      ASSERT_NE(reference, 0u);
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(arena.at(reference)) % alignment, 0u);
      std::memset(arena.at(reference), i, bytes);
      blocks.push_back({reference, bytes, static_cast<char>(i)});
      if (random.one_in(10)) {
        const std::size_t victim = random.below(blocks.size());
        arena.release(blocks[victim].reference, blocks[victim].bytes);
        blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(victim));
      }
    }
    for (const Block& block : blocks) {
      const std::string expected(block.bytes, block.fill);
      ASSERT_EQ(std::memcmp(arena.at(block.reference), expected.data(), block.bytes), 0);
    }
  }
}

TEST(ChunkArena, GivesLargeMemoryBackAtOnceAndUsesItsNumberAgain) {
  ChunkArena arena{kSmallChunk};
  arena.allocate(8);
  const std::size_t before = arena.memory_bytes();
  Reference last = 0;
  for (int i = 0; i < 1000; ++i) {
    last = arena.allocate(10 * kSmallChunk);
    EXPECT_EQ(arena.memory_bytes(), before + 10 * kSmallChunk);
    arena.release(last, 10 * kSmallChunk);
  }
  EXPECT_EQ(arena.memory_bytes(), before);
  EXPECT_EQ(arena.dead_bytes(), 0u);
  EXPECT_EQ(arena.allocate(10 * kSmallChunk), last);
}

TEST(ChunkArena, CountsSmallMemoryThatWasReleasedAsDead) {
  ChunkArena arena{kSmallChunk};
  arena.release(arena.allocate(100), 100);
  EXPECT_EQ(arena.dead_bytes(), 100u);
  EXPECT_EQ(arena.memory_bytes(), kSmallChunk);
}

TEST(MappedMemory, StartsOnAHugePageWhenItIsThatLarge) {
  const MappedMemory memory{kHugePageBytes + 1};
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory.begin()) % kHugePageBytes, 0u);
  EXPECT_EQ(memory.bytes(), kHugePageBytes + kPageBytes);
}

}  // namespace
}  // namespace shale::engine
