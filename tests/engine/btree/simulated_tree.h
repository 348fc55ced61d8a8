// A B+ tree as a simulated engine (tests/engine/simulated_engine.h), with limits so small that little data
// reaches every part of it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/btree/tree.h"
#include "engine/btree/tree_store.h"
#include "engine/btree/verify.h"
#include "engine/testing/simulated_disk.h"
#include "tests/engine/simulated_engine.h"
#include "tests/engine/test_policy.h"

namespace shale::engine::btree {

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

class SimulatedTree final : public SimulatedEngine {
 public:
  SimulatedTree(SimulatedDisk& disk, const KeyPolicy& policy, TreeStoreOptions options = tiny_nodes())
      : disk_(disk), options_(std::move(options)) {
    options_.folder = "/btree";
    options_.policy = &policy;
    options_.barrier = &barrier_;
    options_.clock = &clock_;
    options_.on_damage = [this](const std::string& line) { damage.push_back(line); };
  }
  ~SimulatedTree() override { close(); }

  Status open(std::optional<std::uint64_t> seed = {}) override {
    begin_background(seed);
    auto store = TreeStore::open(disk_, *background_, options_);
    if (!store) return store.error();
    store_ = std::move(*store);
    engine_ = store_->open_tree(1, mutex_);
    return {};
  }
  void close() override {
    if (background_) background_->stop();
    engine_.reset();
    store_.reset();
    background_.reset();
  }

  bool settle() override {
    constexpr std::size_t kLimit = 100'000;
    for (;;) {
      if (background_->run_all(kLimit) == kLimit) return false;
      const std::lock_guard lock{mutex_};
      engine_->tick();
      if (background_->waiting() == 0) return true;
    }
  }
  Findings verify() const override;
  Tree& tree() { return static_cast<Tree&>(*engine_); }
  TreeStore& store() { return *store_; }

  std::vector<std::string> damage;  // that has been reported

 private:
  SimulatedDisk& disk_;
  TreeStoreOptions options_;
  NoBarrier barrier_;
  std::unique_ptr<TreeStore> store_;
};

// What a check of the closed tree's folder says.
inline Findings verify(SimulatedDisk& disk, const KeyPolicy& policy = TestPolicy{}) {
  return findings_of([&](Verification& verification) {
    verify_trees(
        disk, "/btree", [&](BytesView key) { return policy.count_class(key); }, verification);
  });
}

inline Findings SimulatedTree::verify() const { return btree::verify(disk_, *options_.policy); }

}  // namespace shale::engine::btree
