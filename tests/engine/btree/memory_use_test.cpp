// What a tree takes of memory, counted where it is allocated: all of it together keeps the budget.
#include "engine/btree/memory_use.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <random>
#include <thread>

#include "engine/btree/record_page.h"
#include "engine/testing/test_seed.h"
#include "tests/engine/btree/threaded_tree.h"

namespace shale::engine::btree {
namespace {

constexpr std::uint64_t kMiB = 1u << 20;

TEST(BtreeMemory, IsCountedForAsLongAsSomebodyHoldsIt) {
  const std::uint64_t before = MemoryUse::bytes();
  {
    const Record records[] = {{"a", "1", {}}};
    const PageImage::Ref page = build_record_page(records);
    const PageImage::Ref again = page;
    EXPECT_GE(MemoryUse::bytes() - before, page->bytes());
    const auto buffer = LeafBuffer::make();
    const std::uint64_t empty = MemoryUse::bytes();
    buffer->append({"a", Bytes(1000, 'v'), {}});
    EXPECT_GE(MemoryUse::bytes() - empty, 1000u);
    const auto inner = InnerNode::make_empty(1);
    EXPECT_GT(MemoryUse::bytes(MemoryKind::nodes), sizeof(Leaf));
  }
  EXPECT_EQ(MemoryUse::bytes(), before);
}

TEST(BtreeMemory, IsRoundedUpAsTheAllocatorDoesIt) {
  EXPECT_EQ(allocation_bytes(0), 0u);
  EXPECT_EQ(allocation_bytes(1), 16u);
  EXPECT_EQ(allocation_bytes(128), 128u);
  EXPECT_EQ(allocation_bytes(129), 160u);
  EXPECT_EQ(allocation_bytes(16'384), 16'384u);
  EXPECT_EQ(allocation_bytes(16'385), 20'480u);
}

// Loading, overwriting, reading, with checkpoints all the time: nodes, pages that a checkpoint holds,
// leaves that have left the tree, copies of records, all included.
TEST(BtreeMemory, StaysWithinTheBudgetWhateverGoesOn) {
  constexpr std::uint64_t kKeys = 20'000;
  constexpr std::size_t kValueBytes = 300;
  TreeStoreOptions options;
  options.changes_bytes = kMiB;
  options.pool_bytes = 2 * kMiB;
  ThreadedTree tree{options};
  std::atomic<bool> done = false;
  std::uint64_t most = 0;
  std::thread watcher{[&] {
    for (; !done; std::this_thread::sleep_for(std::chrono::microseconds(50))) {
      most = std::max(most, MemoryUse::bytes());
    }
  }};
  const auto name = [](std::uint64_t number) { return fmt::format("k{:012}", number * 7919 % kKeys); };
  std::mt19937_64 random{test_seed()};
  for (std::uint64_t key = 0; key < kKeys; ++key) tree.put(name(key), Bytes(kValueBytes, 'a'));
  for (std::uint64_t i = 0; i < kKeys; ++i) {
    tree.put(name(random() % kKeys), Bytes(kValueBytes, 'b'));
    if (i % 4 == 0) {
      EXPECT_TRUE(tree.get(name(random() % kKeys)));
    }
    if (i % 1000 == 0) tree.tick();
  }
  for (std::uint64_t i = 0; i < kKeys; ++i) EXPECT_TRUE(tree.get(name(random() % 2000)));
  done = true;
  watcher.join();
  EXPECT_GT(tree.stats().btree->pool_evictions, 100u);
  EXPECT_GT(tree.stats().record_cache_hits, 100u);
  EXPECT_GT(most, 2 * kMiB);
  EXPECT_LE(most, 4 * kMiB);  // what is on its way when others have to go
}

}  // namespace
}  // namespace shale::engine::btree
