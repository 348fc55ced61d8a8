// The tree against std::map, on a simulated disk with levels so small that a second reaches all seven of
// them: random writes, reads, flushes, compactions, changes of shape, and restarts that lose what was in
// memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/testing/test_seed.h"
#include "tests/engine/cursor_walk.h"
#include "tests/engine/lsm/tree_workload.h"

namespace shale::engine::lsm {
namespace {

class ModelRun {
 public:
  ModelRun(std::uint64_t seed, bool read_first, const TreeStoreOptions& options)
      : random_(seed),
        read_first_(read_first),
        workload_(seed, 2'000, 60),
        disk_(seed),
        tree_(disk_, policy_, options) {}

  void run(int steps) {
    ASSERT_TRUE(tree_.open(random_()));
    for (int step = 0; step < steps && !testing::Test::HasFailure(); ++step) {
      take_step();
      look_at_version();
    }
    tree_.flush();
    ASSERT_TRUE(tree_.settle()) << "compaction finds no end";
    compare_all();
    reopen();
    ASSERT_TRUE(tree_.settle());
    compare_all();
    tree_.close();
    EXPECT_THAT(verify(disk_).problems, testing::IsEmpty());
  }

  std::set<std::uint32_t> levels_seen;
  bool several_runs_seen = false;  // below level 0
  bool narrowed_slices_seen = false;
  std::uint64_t relocated_value_bytes = 0;

 private:
  void take_step() {
    const auto kind = random_() % 100;
    if (kind < 60) return write(1 + random_() % 30);
    if (kind < 75) return tree_.flush();
    if (kind < 88) {
      for (auto count = random_() % 30; count > 0; --count) tree_.run_one();
      return;
    }
    if (kind < 92) return change_shape();
    if (kind < 94) return reopen();
    if (kind < 97) return tree_.pass(std::chrono::milliseconds{random_() % 400});
    if (kind == 97 && random_() % 4 == 0 && workload_.can_drop()) {
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

  void change_shape() {
    Shape shape = tiny_levels();
    for (std::uint32_t& runs_max : shape.runs_max) runs_max = 1 + static_cast<std::uint32_t>(random_() % 3);
    tree_.set_shape(shape);
  }

  void reopen() {
    relocated_value_bytes += tree_.stats().relocated_value_bytes;
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
    ASSERT_EQ(difference(*found, Model{model_.lower_bound(from), model_.end()}), "") << "from " << from;
    walk_some();
    if (read_first_) expect_counts(tree_, workload_, model_);
  }

  // Within one class that is not dead: of others the cursor may show what is left.
  void walk_some() {
    for (int i = 0; i < 8; ++i) {
      Bytes begin = workload_.any_key();
      Bytes end(1, static_cast<char>(begin[0] + 1));
      const auto any_key = [&] {
        Bytes key = workload_.any_key();
        if (random_() % 4 != 0) key[0] = begin[0];
        return key;
      };
      if (random_() % 2 == 0) end = any_key();
      if (end[0] != begin[0]) end.assign(1, static_cast<char>(begin[0] + 1));
      if (random_() % 2 == 0) begin.resize(1);
      const auto make = [&](CursorBounds bounds, ReadContext& context) {
        return tree_.tree().cursor(bounds, context);
      };
      expect_walk_with_loads(make, {begin, end}, model_, draw_moves(random_, 60, any_key));
    }
  }

  void compare_all() {
    const auto found = live_contents(tree_, workload_);
    ASSERT_TRUE(found) << found.error().message;
    ASSERT_EQ(difference(*found, model_), "");
    if (read_first_) expect_counts(tree_, workload_, model_);
  }

  void look_at_version() {
    const Version& version = tree_.tree().version();
    for (std::uint32_t level = 0; level < Version::kLevelCount; ++level) {
      if (!version.runs(level).empty()) levels_seen.insert(level);
      if (level > 0 && version.runs(level).size() > 1) several_runs_seen = true;
    }
    version.for_each([&](const TableRef& slice) {
      if (slice->begin_key() != (*slice->table())->properties().smallest_key) narrowed_slices_seen = true;
    });
  }

  std::mt19937_64 random_;
  const bool read_first_;
  Workload workload_;
  SimulatedDisk disk_;
  TestPolicy policy_;
  SimulatedTree tree_;
  Model model_;
};

void agree_with_a_map(TreeStoreOptions options) {
  std::set<std::uint32_t> levels_seen;
  bool several_runs_seen = false;
  bool narrowed_slices_seen = false;
  std::uint64_t relocated_value_bytes = 0;
  for (std::uint64_t run = 0; run < 4; ++run) {
    const std::uint64_t seed = test_seed() + run;
    SCOPED_TRACE(fmt::format("SHALE_TEST_SEED={} for the first run of a test to be this one", seed));
    options.deletion_age_max = std::chrono::seconds{run < 2 ? 0 : 1};
    ModelRun model{seed, run % 2 == 0, options};
    ASSERT_NO_FATAL_FAILURE(model.run(600));
    levels_seen.merge(model.levels_seen);
    several_runs_seen |= model.several_runs_seen;
    narrowed_slices_seen |= model.narrowed_slices_seen;
    relocated_value_bytes += model.relocated_value_bytes;
  }
  EXPECT_EQ(levels_seen.size(), Version::kLevelCount);
  EXPECT_TRUE(several_runs_seen);
  EXPECT_TRUE(narrowed_slices_seen);
  EXPECT_EQ(relocated_value_bytes > 0, options.value_separation_bytes < 100);
}

TEST(TreeShapeModel, AgreesWithAMapWhateverItsShape) { agree_with_a_map(tiny_tables()); }

TEST(TreeShapeModel, AgreesWithAMapAlsoWithValueFiles) { agree_with_a_map(tiny_tables_with_value_files()); }

}  // namespace
}  // namespace shale::engine::lsm
