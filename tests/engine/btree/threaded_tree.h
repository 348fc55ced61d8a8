// A B+ tree as a server uses it: with threads in the background, on a simulated disk.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>

#include "engine/btree/tree_store.h"
#include "engine/testing/simulated_disk.h"
#include "tests/engine/test_policy.h"

namespace shale::engine::btree {

class ThreadedTree {
 public:
  explicit ThreadedTree(TreeStoreOptions options) : options_(std::move(options)) {
    options_.folder = "/btree";
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
  EngineStats stats() {
    const std::lock_guard lock{mutex_};
    return tree_->stats();
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

}  // namespace shale::engine::btree
