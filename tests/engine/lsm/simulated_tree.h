// An LSM tree as a simulated engine (tests/engine/simulated_engine.h), with limits so small that little data
// reaches every part of it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/lsm/tree.h"
#include "engine/lsm/tree_store.h"
#include "engine/lsm/verify.h"
#include "engine/testing/manual_background.h"
#include "engine/testing/manual_clock.h"
#include "engine/testing/simulated_disk.h"
#include "tests/engine/simulated_engine.h"
#include "tests/engine/test_policy.h"

namespace shale::engine::lsm {

// Tables of a KiB or two, compactions of a few tables.
inline TreeStoreOptions tiny_tables() {
  TreeStoreOptions options;
  options.memtable_bytes = 1u << 20;
  options.block_cache_bytes = 4u << 20;
  options.record_cache_bytes = 64u << 10;
  options.block_bytes = 256;
  options.table_bytes = 1u << 10;
  options.compaction_job_bytes = 4u << 10;
  return options;
}

// The same with what is not small by that measure in value files.
inline TreeStoreOptions tiny_tables_with_value_files() {
  TreeStoreOptions options = tiny_tables();
  options.value_separation_bytes = 24;
  return options;
}

// Levels as small as that: some hundred KiB reach all of them.
inline Shape tiny_levels() {
  Shape shape;
  shape.flush_bytes_min = 512;
  shape.flush_bytes = 1024;
  shape.fanout = 2;
  return shape;
}

class SimulatedTree final : public SimulatedEngine {
 public:
  SimulatedTree(SimulatedDisk& disk, const KeyPolicy& policy, TreeStoreOptions options = tiny_tables())
      : disk_(disk), options_(std::move(options)) {
    options_.folder = "/lsm";
    options_.policy = &policy;
    options_.barrier = &barrier_;
    options_.clock = &clock_;
  }
  ~SimulatedTree() override { close(); }

  Status open(std::optional<std::uint64_t> seed = {}) override {
    begin_background(seed);
    auto store = TreeStore::open(disk_, *background_, options_);
    if (!store) return store.error();
    store_ = std::move(*store);
    engine_ = store_->open_tree(1, mutex_);
    set_shape(tiny_levels());
    return {};
  }
  void close() override {
    if (background_) background_->stop();
    engine_.reset();
    store_.reset();
    background_.reset();
  }

  void set_shape(const Shape& shape) {
    const std::lock_guard lock{mutex_};
    tree().set_shape(shape, "a test");
  }
  bool settle() override {
    constexpr std::size_t kLimit = 100'000;
    return background_->run_all(kLimit) < kLimit;
  }
  Findings verify() const override;
  Tree& tree() { return static_cast<Tree&>(*engine_); }
  const std::string& folder() const { return options_.folder; }

 private:
  SimulatedDisk& disk_;
  TreeStoreOptions options_;
  NoBarrier barrier_;
  std::unique_ptr<TreeStore> store_;
};

// What a check of the closed tree's folder says.
inline Findings verify(SimulatedDisk& disk, const std::string& folder = "/lsm",
                       const KeyPolicy& policy = TestPolicy{}) {
  return findings_of([&](Verification& verification) {
    verify_trees(
        disk, folder, [&](BytesView key) { return policy.count_class(key); }, verification);
  });
}

inline Findings SimulatedTree::verify() const { return lsm::verify(disk_, folder(), *options_.policy); }

}  // namespace shale::engine::lsm
