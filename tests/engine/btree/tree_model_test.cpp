// The B+ tree against std::map, on a simulated disk with leaves so small that a second makes a tree of some
// height: random writes, reads, checkpoints, evictions, ends of whole classes, and restarts that lose what
// was in memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/testing/test_seed.h"
#include "tests/engine/btree/simulated_tree.h"
#include "tests/engine/btree/tree_audit.h"
#include "tests/engine/lsm/tree_workload.h"

namespace shale::engine::btree {
namespace {

using lsm::LoggedOperation;
using lsm::Model;
using lsm::Workload;

class ModelRun {
 public:
  ModelRun(std::uint64_t seed, bool read_first)
      : random_(seed),
        read_first_(read_first),
        workload_(seed, 2'000, 60),
        disk_(seed),
        tree_(disk_, policy_) {}

  void run(int steps) {
    ASSERT_TRUE(tree_.open(random_()));
    for (int step = 0; step < steps && !testing::Test::HasFatalFailure(); ++step) {
      take_step();
      const EngineStats stats = tree_.stats();
      height_seen = std::max(height_seen, stats.btree->height);
    }
    tree_.flush();
    ASSERT_TRUE(tree_.settle()) << "background work finds no end";
    compare_all();
    reopen();
    ASSERT_TRUE(tree_.settle());
    compare_all();
    tree_.close();
    EXPECT_THAT(audit_problems(disk_), testing::IsEmpty());
  }

  std::uint32_t height_seen = 0;
  BtreeStats sums;

 private:
  void take_step() {
    const auto kind = random_() % 100;
    if (kind < 60) return write(1 + random_() % 30);
    if (kind < 72) return tree_.begin_flush();
    if (kind < 90) {
      for (auto count = random_() % 8; count > 0; --count) tree_.run_one();
      return;
    }
    if (kind < 92) return reopen();
    if (kind == 92 && random_() % 4 == 0 && workload_.can_drop()) {
      workload_.add_drop();
      ASSERT_TRUE(apply(tree_, policy_, workload_, workload_.last_lsn(), read_first_));
      model_ = workload_.after(workload_.last_lsn());
      return;
    }
    compare_some();
  }

  void write(std::uint64_t count) {
    for (; count > 0; --count) {
      workload_.add_write();
      const Lsn lsn = workload_.last_lsn();
      ASSERT_TRUE(apply(tree_, policy_, workload_, lsn, read_first_));
      const LoggedOperation& operation = workload_.at(lsn);
      if (operation.kind == LoggedOperation::Kind::put) {
        model_[operation.key] = operation.value;
      } else {
        model_.erase(operation.key);
      }
    }
  }

  void reopen() {
    const BtreeStats stats = *tree_.stats().btree;
    sums.bases_written += stats.bases_written;
    sums.changes_written += stats.changes_written;
    sums.splits += stats.splits;
    sums.pool_evictions += stats.pool_evictions;
    tree_.close();
    ASSERT_TRUE(tree_.open(random_()));
    for (Lsn lsn = tree_.persisted_lsn() + 1; lsn <= workload_.last_lsn(); ++lsn) {
      ASSERT_TRUE(apply(tree_, policy_, workload_, lsn, read_first_));
    }
  }

  void compare_some() {
    for (int i = 0; i < 20; ++i) {
      const Bytes key = workload_.any_key();
      const auto expected = model_.find(key);
      const auto found = tree_.get(key);
      ASSERT_TRUE(found) << found.error().message;
      ASSERT_EQ(*found, expected == model_.end() ? std::nullopt : std::optional{expected->second}) << key;
    }
    const Bytes from = workload_.any_key();
    const auto found = live_contents(tree_, workload_, from);
    ASSERT_TRUE(found) << found.error().message;
    ASSERT_EQ(lsm::difference(*found, Model{model_.lower_bound(from), model_.end()}), "") << "from " << from;
    if (read_first_) expect_counts(tree_, workload_, model_);
  }

  void compare_all() {
    const auto found = live_contents(tree_, workload_);
    ASSERT_TRUE(found) << found.error().message;
    ASSERT_EQ(lsm::difference(*found, model_), "");
    if (read_first_) expect_counts(tree_, workload_, model_);
  }

  std::mt19937_64 random_;
  const bool read_first_;
  Workload workload_;
  SimulatedDisk disk_;
  TestPolicy policy_;
  SimulatedTree tree_;
  Model model_;
};

TEST(BtreeModel, AgreesWithAMap) {
  BtreeStats sums;
  for (std::uint64_t run = 0; run < 4; ++run) {
    const std::uint64_t seed = test_seed() + run;
    SCOPED_TRACE(fmt::format("SHALE_TEST_SEED={} for the first run of a test to be this one", seed));
    ModelRun model{seed, run % 2 == 0};
    ASSERT_NO_FATAL_FAILURE(model.run(600));
    EXPECT_GE(model.height_seen, 3u);
    sums.bases_written += model.sums.bases_written;
    sums.changes_written += model.sums.changes_written;
    sums.splits += model.sums.splits;
    sums.pool_evictions += model.sums.pool_evictions;
  }
  EXPECT_GT(sums.bases_written, 0u);
  EXPECT_GT(sums.changes_written, 0u);
  EXPECT_GT(sums.splits, 0u);
  EXPECT_GT(sums.pool_evictions, 0u);
}

}  // namespace
}  // namespace shale::engine::btree
