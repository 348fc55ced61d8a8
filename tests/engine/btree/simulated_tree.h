// A B+ tree on a simulated disk whose background work runs when the test says so: one thread, so a seed
// repeats a run. The test plays the log: what it has written, it may write again after a crash.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/btree/tree.h"
#include "engine/btree/tree_store.h"
#include "engine/testing/manual_background.h"
#include "engine/testing/manual_clock.h"
#include "engine/testing/simulated_disk.h"
#include "tests/engine/lsm/tree_harness.h"

namespace shale::engine::btree {

using lsm::NoBarrier;
using lsm::TestPolicy;

// Leaves of some records, a pool of some leaves, several syncs per checkpoint.
inline TreeStoreOptions tiny_nodes() {
  TreeStoreOptions options;
  options.changes_bytes = 256u << 10;
  options.pool_bytes = 8u << 10;
  options.node_bytes = 512;
  options.children_max = 12;
  options.sync_bytes = 2u << 10;
  return options;
}

class SimulatedTree {
 public:
  SimulatedTree(SimulatedDisk& disk, const KeyPolicy& policy, TreeStoreOptions options = tiny_nodes())
      : disk_(disk), options_(std::move(options)) {
    options_.folder = "/btree";
    options_.policy = &policy;
    options_.barrier = &barrier_;
    options_.clock = &clock_;
    options_.on_damage = [this](const std::string& line) { damage.push_back(line); };
  }
  ~SimulatedTree() { close(); }

  // Background work runs in the order that `seed` draws, or by priority.
  Status open(std::optional<std::uint64_t> seed = {}) {
    background_ = seed ? std::make_unique<ManualBackground>(*seed) : std::make_unique<ManualBackground>();
    auto store = TreeStore::open(disk_, *background_, options_);
    if (!store) return store.error();
    store_ = std::move(*store);
    tree_ = store_->open_tree(1, mutex_);
    return {};
  }
  // What is not persisted is gone, and what waits in the background is not done.
  void close() {
    if (background_) background_->stop();
    tree_.reset();
    store_.reset();
    background_.reset();
  }

  Status put(BytesView key, BytesView value, Lsn lsn) { return write(key, value, lsn); }
  Status erase(BytesView key, Lsn lsn) { return write(key, {}, lsn); }
  Result<std::optional<Bytes>> get(BytesView key) {
    ReadContext context;
    for (;;) {
      {
        const std::lock_guard lock{mutex_};
        context.pins.clear();
        const auto found = tree_->get(HashedKey{key}, context);
        if (found) return *found ? std::optional<Bytes>{**found} : std::nullopt;
        if (found.error().kind != ErrorKind::not_resident) return found.error();
      }
      for (const auto& load : context.missing) load->run();
    }
  }
  // All keys from `from` on.
  Result<std::map<Bytes, Bytes>> scan(BytesView from = {}) {
    ReadContext context;
    for (;;) {
      {
        const std::lock_guard lock{mutex_};
        std::map<Bytes, Bytes> found;
        const Status walked = walk(from, context, found);
        if (walked) return found;
        if (walked.error().kind != ErrorKind::not_resident) return walked.error();
      }
      for (const auto& load : context.missing) load->run();
    }
  }
  void begin_flush() {
    const std::lock_guard lock{mutex_};
    tree_->flush();
  }
  // Persists what is in memory, as far as the disk allows; other background work may run, too.
  void flush() {
    begin_flush();
    while (oldest_unpersisted_lsn() && run_one()) {
    }
  }
  bool run_one() { return background_->run_one(); }
  // Returns whether there was an end to it.
  bool settle() {
    constexpr std::size_t kLimit = 100'000;
    for (;;) {
      if (background_->run_all(kLimit) == kLimit) return false;
      const std::lock_guard lock{mutex_};
      tree_->tick();
      if (background_->waiting() == 0) return true;
    }
  }
  void reclaim_obsolete(Lsn lsn) {
    const std::lock_guard lock{mutex_};
    tree_->reclaim_obsolete(lsn);
  }
  EngineStats stats() {
    const std::lock_guard lock{mutex_};
    return tree_->stats();
  }
  std::int64_t key_count(char count_class) {
    const std::lock_guard lock{mutex_};
    return tree_->key_count(static_cast<std::uint8_t>(count_class));
  }
  Lsn persisted_lsn() {
    const std::lock_guard lock{mutex_};
    return tree_->persisted_lsn();
  }
  std::optional<Lsn> oldest_unpersisted_lsn() {
    const std::lock_guard lock{mutex_};
    return tree_->oldest_unpersisted_lsn();
  }
  Tree& tree() { return static_cast<Tree&>(*tree_); }
  TreeStore& store() { return *store_; }
  bool is_open() const { return tree_ != nullptr; }

  std::vector<std::string> damage;  // that has been reported

 private:
  // An empty value erases.
  Status write(BytesView key, BytesView value, Lsn lsn) {
    for (;;) {
      {
        const std::lock_guard lock{mutex_};
        Status admitted = tree_->admit_write(key.size() + value.size());
        if (admitted) {
          if (value.empty()) {
            tree_->erase(HashedKey{key}, lsn);
          } else {
            tree_->put(HashedKey{key}, value, lsn);
          }
          return {};
        }
        if (admitted.error().kind != ErrorKind::busy) return admitted;
      }
      if (!run_one()) return Error{ErrorKind::busy, "writes are refused, and there is no work to wait for"};
    }
  }
  Status walk(BytesView from, ReadContext& context, std::map<Bytes, Bytes>& found) {
    const auto cursor = tree_->cursor({}, context);
    Status moved = cursor->seek(from);
    while (moved && cursor->valid()) {
      const auto value = cursor->value();
      if (!value) return value.error();
      found.emplace(cursor->key(), *value);
      moved = cursor->next();
    }
    return moved;
  }

  SimulatedDisk& disk_;
  TreeStoreOptions options_;
  NoBarrier barrier_;
  ManualClock clock_;
  std::unique_ptr<ManualBackground> background_;
  std::mutex mutex_;
  std::unique_ptr<TreeStore> store_;
  std::unique_ptr<Engine> tree_;
};

}  // namespace shale::engine::btree
