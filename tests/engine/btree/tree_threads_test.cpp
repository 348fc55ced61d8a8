// The B+ tree as a server uses it: readers, a writer and background threads at once. What goes wrong here
// shows under tsan.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "engine/btree/tree_store.h"
#include "engine/testing/simulated_disk.h"
#include "engine/testing/test_seed.h"
#include "tests/engine/lsm/tree_harness.h"

namespace shale::engine::btree {
namespace {

class ThreadedTree {
 public:
  ThreadedTree() {
    options_.folder = "/btree";
    options_.changes_bytes = 64u << 10;
    options_.pool_bytes = 16u << 10;
    options_.node_bytes = 1024;
    options_.children_max = 16;
    options_.sync_bytes = 8u << 10;
    options_.policy = &policy_;
    options_.barrier = &barrier_;
    options_.clock = clock_.get();
    store_ = std::move(TreeStore::open(disk_, *background_, options_).value());
    tree_ = store_->open_tree(1, mutex_);
  }
  ~ThreadedTree() {
    background_->stop();
    tree_.reset();
  }

  void put(const Bytes& key, const Bytes& value) {
    for (;;) {
      {
        const std::lock_guard lock{mutex_};
        const Status admitted = tree_->admit_write(key.size() + value.size());
        if (admitted) return tree_->put(HashedKey{key}, value, ++lsn_);
        ASSERT_EQ(admitted.error().kind, ErrorKind::busy) << admitted.error().message;
      }
      std::this_thread::yield();
    }
  }
  std::optional<Bytes> get(const Bytes& key) {
    ReadContext context;
    for (;;) {
      {
        const std::lock_guard lock{mutex_};
        const auto found = tree_->get(HashedKey{key}, context);
        if (found) return *found ? std::optional<Bytes>{**found} : std::nullopt;
        if (found.error().kind != ErrorKind::not_resident) throw std::runtime_error(found.error().message);
      }
      for (const auto& load : context.missing) load->run();
    }
  }
  // How many keys there are.
  std::size_t scan() {
    ReadContext context;
    for (;;) {
      {
        const std::lock_guard lock{mutex_};
        const auto cursor = tree_->cursor({}, context);
        std::size_t count = 0;
        Status moved = cursor->seek({});
        for (; moved && cursor->valid(); moved = cursor->next()) ++count;
        if (moved) return count;
        if (moved.error().kind != ErrorKind::not_resident) throw std::runtime_error(moved.error().message);
      }
      for (const auto& load : context.missing) load->run();
    }
  }
  void tick() {
    const std::lock_guard lock{mutex_};
    tree_->tick();
  }
  std::uint64_t checkpoints() {
    const std::lock_guard lock{mutex_};
    return tree_->stats().btree->checkpoints;
  }

 private:
  SimulatedDisk disk_;
  TestPolicy policy_;
  NoBarrier barrier_;
  std::unique_ptr<Clock> clock_ = make_system_clock();
  TreeStoreOptions options_;
  std::unique_ptr<Background> background_ = make_thread_background(1, 2);
  std::mutex mutex_;  // guards what follows
  std::unique_ptr<TreeStore> store_;
  std::shared_ptr<Engine> tree_;
  Lsn lsn_ = 0;
};

Bytes name(std::uint64_t number) { return fmt::format("k{:05}", number); }

TEST(BtreeThreads, ReadersFindWhatIsThereWhileAWriterAndCheckpointsGoOn) {
  constexpr std::uint64_t kKeys = 1000;
  ThreadedTree tree;
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
  EXPECT_GT(tree.checkpoints(), 3u);
}

}  // namespace
}  // namespace shale::engine::btree
