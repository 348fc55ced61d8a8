// The B+ tree on a disk that dies at every call in turn, which may lose, keep or tear what was not synced,
// and dies once more while the tree is opened again.
//
// What must hold then: the tree has exactly what the records up to its persisted_lsn() made, and that is not
// less than what it had said before the crash. And with the records after it applied once more it is as if
// nothing had happened, its count of keys included.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "engine/testing/test_seed.h"
#include "tests/engine/btree/simulated_tree.h"
#include "tests/engine/btree/tree_audit.h"
#include "tests/engine/lsm/tree_workload.h"

namespace shale::engine::btree {
namespace {

using testing::IsEmpty;

constexpr int kWrites = 900;
constexpr int kWritesPerCheckpoint = 30;
constexpr int kWritesPerDrop = 350;

class CrashRun {
 public:
  CrashRun(std::uint64_t seed, SimulatedDisk& disk)
      : seed_(seed), disk_(disk), workload_(seed, 400, 60), tree_(disk, policy_, options()) {}

  // Until all is done or the disk is dead.
  void work() {
    if (!tree_.open(seed_)) return;
    while (step_ < kWrites && take_step()) persisted_ = tree_.persisted_lsn();
    if (!disk_.is_off()) tree_.settle();
    persisted_ = std::max(persisted_, tree_.persisted_lsn());
    tree_.close();
  }
  void die_again_while_opening(std::uint64_t call) {
    disk_.crash_at_call(call);
    static_cast<void>(tree_.open(seed_).has_value());
    tree_.close();
  }
  void check() {
    const auto opened = tree_.open(seed_);
    ASSERT_TRUE(opened) << opened.error().message;
    const Lsn persisted = tree_.persisted_lsn();
    ASSERT_GE(persisted, persisted_) << "what was persisted is gone";
    ASSERT_LE(persisted, workload_.last_lsn());
    ASSERT_NO_FATAL_FAILURE(expect_contents(persisted));
    tree_.close();
    ASSERT_THAT(audit_problems(disk_), IsEmpty());
    ASSERT_NO_FATAL_FAILURE(go_on());
  }

 private:
  static TreeStoreOptions options() {
    TreeStoreOptions options = tiny_nodes();
    options.sync_bytes = 1024;
    return options;
  }
  bool take_step() {
    ++step_;
    if (step_ % kWritesPerDrop == 0) {
      workload_.add_drop();
    } else {
      workload_.add_write();
    }
    if (!apply(tree_, policy_, workload_, workload_.last_lsn(), true)) return false;
    if (step_ % kWritesPerCheckpoint == 0) tree_.begin_flush();
    if (step_ % 16 == 0) tree_.run_one();
    return !disk_.is_off();
  }
  void expect_contents(Lsn lsn) {
    const auto found = live_contents(tree_, workload_);
    ASSERT_TRUE(found) << found.error().message;
    ASSERT_EQ(lsm::difference(*found, workload_.after(lsn)), "") << "after record " << lsn;
  }
  // As the owner does: what is not persisted is applied again.
  void go_on() {
    ASSERT_TRUE(tree_.open(seed_));
    for (Lsn lsn = tree_.persisted_lsn() + 1; lsn <= workload_.last_lsn(); ++lsn) {
      ASSERT_TRUE(apply(tree_, policy_, workload_, lsn, true));
    }
    tree_.flush();
    ASSERT_TRUE(tree_.settle());
    ASSERT_NO_FATAL_FAILURE(expect_contents(workload_.last_lsn()));
    expect_counts(tree_, workload_, workload_.after(workload_.last_lsn()));
    tree_.close();
    ASSERT_THAT(audit_problems(disk_), IsEmpty());
  }

  const std::uint64_t seed_;
  SimulatedDisk& disk_;
  TestPolicy policy_;
  lsm::Workload workload_;
  SimulatedTree tree_;
  int step_ = 0;
  Lsn persisted_ = 0;  // as the tree has said
};

class BtreeCrash : public testing::TestWithParam<Unsynced> {};

// SHALE_CRASH_POINTS: at how many calls, evenly spread, to die; all of them without it.
TEST_P(BtreeCrash, AtAnyCallLosesNothingThatWasPersisted) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(fmt::format("SHALE_TEST_SEED={}", seed));
  std::uint64_t calls = 0;
  {
    SimulatedDisk disk{seed};
    CrashRun run{seed, disk};
    run.work();
    calls = disk.mutating_calls();
    ASSERT_NO_FATAL_FAILURE(run.check());
  }
  ASSERT_GT(calls, 100u);
  const char* const asked = std::getenv("SHALE_CRASH_POINTS");
  const std::uint64_t points = std::min<std::uint64_t>(
      calls, asked != nullptr ? std::max<std::uint64_t>(1, std::strtoull(asked, nullptr, 10)) : calls);
  for (std::uint64_t point = 0; point < points; ++point) {
    const std::uint64_t call = 1 + point * calls / points;
    SCOPED_TRACE(fmt::format("crash at call {} of {}", call, calls));
    SimulatedDisk disk{seed};
    CrashRun run{seed, disk};
    disk.crash_at_call(call);
    run.work();
    disk.crash(GetParam(), seed + call);
    run.die_again_while_opening(1 + (seed + call) % 5);
    disk.crash(GetParam(), seed - call);
    ASSERT_NO_FATAL_FAILURE(run.check());
  }
}

INSTANTIATE_TEST_SUITE_P(Unsynced, BtreeCrash,
                         testing::Values(Unsynced::lost, Unsynced::kept, Unsynced::torn),
                         [](const auto& tested) {
                           switch (tested.param) {
                             case Unsynced::lost: return "Lost";
                             case Unsynced::kept: return "Kept";
                             case Unsynced::torn: return "Torn";
                           }
                           return "";
                         });

}  // namespace
}  // namespace shale::engine::btree
