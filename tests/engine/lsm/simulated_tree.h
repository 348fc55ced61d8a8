// A tree on a simulated disk whose background work runs when the test says so: one thread, so a seed repeats
// a run. The test plays the log: what it has written, it may write again after a crash.
#pragma once

#include <gtest/gtest.h>

#include <map>
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
#include "tests/engine/lsm/tree_harness.h"

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

class SimulatedTree {
 public:
  SimulatedTree(SimulatedDisk& disk, const KeyPolicy& policy, TreeStoreOptions options = tiny_tables())
      : disk_(disk), options_(std::move(options)) {
    options_.folder = "/lsm";
    options_.policy = &policy;
    options_.barrier = &barrier_;
    options_.clock = &clock_;
  }
  ~SimulatedTree() { close(); }

  // Background work runs in the order that `seed` draws, or by priority.
  Status open(std::optional<std::uint64_t> seed = {}) {
    background_ = seed ? std::make_unique<ManualBackground>(*seed) : std::make_unique<ManualBackground>();
    auto store = TreeStore::open(disk_, *background_, options_);
    if (!store) return store.error();
    store_ = std::move(*store);
    tree_ = store_->open_tree(1, mutex_);
    set_shape(tiny_levels());
    return {};
  }
  // What is not flushed is gone, and what waits in the background is not done.
  void close() {
    if (background_) background_->stop();
    tree_.reset();
    store_.reset();
    background_.reset();
  }

  void set_shape(const Shape& shape) {
    const std::lock_guard lock{mutex_};
    tree().set_shape(shape, "a test");
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
        Status walked = walk(from, context, found);
        if (walked) return found;
        if (walked.error().kind != ErrorKind::not_resident) return walked.error();
      }
      for (const auto& load : context.missing) load->run();
    }
  }
  // Begins to persist what is in memory.
  void begin_flush() {
    const std::lock_guard lock{mutex_};
    tree_->flush();
  }
  // Persists it, as far as the disk allows; other background work may run, too.
  void flush() {
    begin_flush();
    while (oldest_unpersisted_lsn() && run_one()) {
    }
  }
  bool run_one() { return background_->run_one(); }
  // Returns whether there was an end to it.
  bool settle() {
    constexpr std::size_t kLimit = 100'000;
    return background_->run_all(kLimit) < kLimit;
  }
  void reclaim_obsolete(Lsn lsn) {
    const std::lock_guard lock{mutex_};
    tree_->reclaim_obsolete(lsn);
  }
  // The clock goes on by so much, and the tree is told.
  void pass(std::chrono::milliseconds time) {
    clock_.advance(time);
    const std::lock_guard lock{mutex_};
    tree_->tick();
  }
  std::int64_t unix_ms() const { return clock_.unix_ms(); }
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
  // For calls that take no lock themselves, where all background work runs on the caller's thread.
  Tree& tree() { return static_cast<Tree&>(*tree_); }
  bool is_open() const { return tree_ != nullptr; }
  const std::string& folder() const { return options_.folder; }

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
    std::optional<Error> lacking;  // a value; the walk goes on, so that all that lack are loaded at once
    while (moved && cursor->valid()) {
      const auto value = cursor->value();
      if (value) {
        found.emplace(cursor->key(), *value);
      } else if (value.error().kind == ErrorKind::not_resident) {
        lacking = value.error();
      } else {
        return value.error();
      }
      moved = cursor->next();
    }
    return moved && lacking ? Status{*lacking} : moved;
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

// What a check of the closed tree's folder says.
struct Findings {
  std::vector<std::string> problems;
  std::vector<std::string> remarks;
  std::uint64_t records = 0;
};
inline Findings verify(SimulatedDisk& disk, const std::string& folder = "/lsm") {
  Findings findings;
  Verification verification{[&](Finding finding, const std::string& line) {
    (finding == Finding::remark ? findings.remarks : findings.problems).push_back(line);
  }};
  const TestPolicy policy;
  verify_trees(
      disk, folder, [&](BytesView key) { return policy.count_class(key); }, verification);
  findings.records = verification.records();
  return findings;
}

}  // namespace shale::engine::lsm
