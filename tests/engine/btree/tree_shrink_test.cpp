// The page file becomes short again, also when the machine dies at any call while pages are on the move.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/testing/test_seed.h"
#include "tests/engine/btree/simulated_tree.h"

namespace shale::engine::btree {
namespace {

using testing::IsEmpty;

constexpr int kKeys = 4000;

Bytes name(int number) { return fmt::format("k{:06}", number); }
// Leaves of a block; as a rule they are larger than one.
TreeStoreOptions options() {
  TreeStoreOptions options = tiny_nodes();
  options.changes_bytes = 1u << 20;
  options.node_bytes = 4096;
  return options;
}
bool stays(int number) { return number % 1000 < 60; }

// A tree of which most has been erased, with what stays all over its file.
class ShrinkRun {
 public:
  explicit ShrinkRun(SimulatedDisk& disk, int keys = kKeys, const TreeStoreOptions& with = options())
      : keys_(keys), tree_(disk, policy_, with) {}

  void prepare() {
    ASSERT_TRUE(tree_.open());
    for (int i = 0; i < keys_; ++i) ASSERT_TRUE(tree_.put(name(i), Bytes(60, 'v'), ++lsn_));
    persist();
    for (int i = 0; i < keys_; ++i) {
      if (stays(i)) continue;
      ASSERT_TRUE(tree_.erase(name(i), ++lsn_));
    }
    persist();
  }
  // Elsewhere than what stays, and away again: pages that are free are written over.
  void write_more() {
    for (int round = 0; round < 3; ++round) {
      for (int i = 0; i < 500; ++i) ASSERT_TRUE(tree_.put(fmt::format("z{:06}", i), Bytes(60, 'z'), ++lsn_));
      persist();
      for (int i = 0; i < 500; ++i) ASSERT_TRUE(tree_.erase(fmt::format("z{:06}", i), ++lsn_));
      persist();
    }
  }
  void persist() {
    tree_.flush();
    ASSERT_TRUE(tree_.settle());
  }
  // As an idle server lets time pass.
  void idle(int seconds) {
    for (int i = 0; i < seconds; ++i) {
      tree_.pass(std::chrono::seconds{1});
      tree_.settle();
    }
  }
  void expect_all() {
    const auto found = tree_.scan();
    ASSERT_TRUE(found) << found.error().message;
    std::size_t count = 0;
    for (int i = 0; i < keys_; ++i) {
      if (!stays(i)) continue;
      ++count;
      ASSERT_TRUE(found->contains(name(i))) << i;
    }
    ASSERT_EQ(found->size(), count);
  }
  SimulatedTree& tree() { return tree_; }
  BtreeStats stats() { return *tree_.stats().btree; }

 private:
  const int keys_;
  TestPolicy policy_;
  SimulatedTree tree_;
  Lsn lsn_ = 0;
};

TEST(BtreeShrinks, WhatStaysMovesToTheFrontAndTheFileIsCut) {
  SimulatedDisk disk;
  ShrinkRun run{disk};
  ASSERT_NO_FATAL_FAILURE(run.prepare());
  const BtreeStats before = run.stats();
  run.idle(60);
  const BtreeStats after = run.stats();
  EXPECT_GT(after.moved_bytes, 0u);
  EXPECT_LT(after.file_bytes, before.file_bytes);
  EXPECT_LE(after.file_bytes, 2 * after.leaf_bytes + (96u << 10));
  run.idle(20);
  EXPECT_EQ(run.stats().checkpoints, after.checkpoints) << "pages are moved for ever";
  run.expect_all();
  run.tree().close();
  EXPECT_THAT(verify(disk).problems, IsEmpty());
}

TEST(BtreeShrinks, ACrashWhilePagesMoveLosesNothing) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(fmt::format("TEST_SEED={}", seed));
  std::uint64_t calls = 0;
  {
    SimulatedDisk disk{seed};
    ShrinkRun run{disk};
    ASSERT_NO_FATAL_FAILURE(run.prepare());
    const std::uint64_t before = disk.mutating_calls();
    run.idle(30);
    calls = disk.mutating_calls() - before;
    run.tree().close();
  }
  ASSERT_GT(calls, 5u);
  for (const Unsynced unsynced : {Unsynced::lost, Unsynced::kept, Unsynced::torn}) {
    for (std::uint64_t call = 1; call <= calls; ++call) {
      SCOPED_TRACE(fmt::format("crash at call {} of {}", call, calls));
      SimulatedDisk disk{seed};
      ShrinkRun run{disk};
      ASSERT_NO_FATAL_FAILURE(run.prepare());
      disk.crash_at_call(call);
      run.idle(30);
      run.tree().close();
      disk.crash(unsynced, seed + call);
      ASSERT_TRUE(run.tree().open());
      ASSERT_NO_FATAL_FAILURE(run.expect_all());
      run.idle(30);
      ASSERT_NO_FATAL_FAILURE(run.expect_all());
      run.tree().close();
      ASSERT_THAT(verify(disk).problems, IsEmpty());
    }
  }
}

// A checkpoint that comes to nothing half-way has installed nodes in their new places already, below nodes
// that nothing else has changed: the next must write those, too, before the old places are used again.
TEST(BtreeShrinks, AFailureWhilePagesMoveLosesNothing) {
  TreeStoreOptions deep = options();
  deep.children_max = 3;
  deep.sync_bytes = 1;  // installs every node for itself
  for (std::uint64_t call = 1; call <= 25; ++call) {
    SCOPED_TRACE(fmt::format("failure at write {}", call));
    SimulatedDisk disk{test_seed()};
    ShrinkRun run{disk, 4 * kKeys, deep};
    ASSERT_NO_FATAL_FAILURE(run.prepare());
    disk.fail(DiskCall::write, call, ErrorKind::no_space);
    run.idle(3);
    disk.heal();
    ASSERT_NO_FATAL_FAILURE(run.persist());
    ASSERT_NO_FATAL_FAILURE(run.write_more());
    ASSERT_NO_FATAL_FAILURE(run.expect_all());
    run.tree().close();
    ASSERT_THAT(verify(disk).problems, IsEmpty());
    ASSERT_TRUE(run.tree().open());
    ASSERT_NO_FATAL_FAILURE(run.expect_all());
  }
}

}  // namespace
}  // namespace shale::engine::btree
