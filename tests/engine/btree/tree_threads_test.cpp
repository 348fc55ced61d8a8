// The B+ tree as a server uses it: readers, a writer and background threads at once. What goes wrong here
// shows under tsan.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "engine/testing/test_seed.h"
#include "tests/engine/btree/threaded_tree.h"

namespace shale::engine::btree {
namespace {

TreeStoreOptions tiny_leaves() {
  TreeStoreOptions options;
  options.changes_bytes = 64u << 10;
  options.pool_bytes = 16u << 10;
  options.node_bytes = 1024;
  options.children_max = 16;
  options.sync_bytes = 8u << 10;
  return options;
}

Bytes name(std::uint64_t number) { return fmt::format("k{:05}", number); }

TEST(BtreeThreads, ReadersFindWhatIsThereWhileAWriterAndCheckpointsGoOn) {
  constexpr std::uint64_t kKeys = 1000;
  ThreadedTree tree{tiny_leaves()};
  for (std::uint64_t key = 0; key < kKeys; ++key) tree.put(name(key), Bytes(60, 'a'));
  std::atomic<bool> done = false;
  std::vector<std::thread> readers;
  for (std::uint64_t reader = 0; reader < 2; ++reader) {
    readers.emplace_back([&, reader] {
      std::mt19937_64 random{test_seed() + reader};
      while (!done) {
        for (int i = 0; i < 50; ++i) {
          const auto found = tree.get(name(random() % kKeys));
          EXPECT_TRUE(found && found->size() == 60 && found->front() == found->back());
        }
        EXPECT_EQ(tree.scan(), kKeys);
        tree.tick();
      }
    });
  }
  std::mt19937_64 random{test_seed()};
  for (int i = 0; i < 10'000; ++i)
    tree.put(name(random() % kKeys), Bytes(60, static_cast<char>('a' + i % 26)));
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_GT(tree.stats().btree->checkpoints, 3u);
}

}  // namespace
}  // namespace shale::engine::btree
