// Every engine against std::map, on a simulated disk with limits so small that a second reaches all of its
// parts: random writes, reads, walks of cursors, background work, ends of whole classes, and restarts that
// lose what was in memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "engine/testing/test_seed.h"
#include "tests/engine/btree/simulated_tree.h"
#include "tests/engine/cursor_walk.h"
#include "tests/engine/lsm/simulated_tree.h"
#include "tests/engine/workload.h"

namespace shale::engine {
namespace {

// What is special about one kind of engine. Sees several runs.
class ModelSubject {
 public:
  virtual ~ModelSubject() = default;
  virtual std::unique_ptr<SimulatedEngine> make(SimulatedDisk& disk, const KeyPolicy& policy,
                                                std::uint64_t run) = 0;
  // Does what only this kind can.
  virtual void disturb(SimulatedEngine&, std::mt19937_64&) {}
  // Notes which parts of the engine have been reached: after each step, and before it is closed.
  virtual void look(SimulatedEngine& engine) = 0;
  virtual void look_before_close(SimulatedEngine& engine) = 0;
  // That these were all.
  virtual void expect_all_reached() const = 0;
};

class LsmSubject final : public ModelSubject {
 public:
  explicit LsmSubject(lsm::TreeStoreOptions options) : options_(std::move(options)) {}

  std::unique_ptr<SimulatedEngine> make(SimulatedDisk& disk, const KeyPolicy& policy,
                                        std::uint64_t run) override {
    options_.deletion_age_max = std::chrono::seconds{run < 2 ? 0 : 1};
    return std::make_unique<lsm::SimulatedTree>(disk, policy, options_);
  }
  void disturb(SimulatedEngine& engine, std::mt19937_64& random) override {
    lsm::Shape shape = lsm::tiny_levels();
    for (std::uint32_t& runs_max : shape.runs_max) runs_max = 1 + static_cast<std::uint32_t>(random() % 3);
    static_cast<lsm::SimulatedTree&>(engine).set_shape(shape);
  }
  void look(SimulatedEngine& engine) override {
    const lsm::Version& version = static_cast<lsm::SimulatedTree&>(engine).tree().version();
    for (std::uint32_t level = 0; level < lsm::Version::kLevelCount; ++level) {
      if (!version.runs(level).empty()) levels_.insert(level);
      if (level > 0 && version.runs(level).size() > 1) several_runs_ = true;
    }
    version.for_each([&](const lsm::TableRef& slice) {
      if (slice->begin_key() != (*slice->table())->properties().smallest_key) narrowed_slices_ = true;
    });
  }
  void look_before_close(SimulatedEngine& engine) override {
    relocated_value_bytes_ += engine.stats().relocated_value_bytes;
  }
  void expect_all_reached() const override {
    EXPECT_GE(levels_.size(), lsm::Version::kLevelCount - 2);  // the seed may leave the shallow ones out
    EXPECT_TRUE(several_runs_);
    EXPECT_TRUE(narrowed_slices_);
    EXPECT_EQ(relocated_value_bytes_ > 0, options_.value_separation_bytes < 100);
  }

 private:
  lsm::TreeStoreOptions options_;
  std::set<std::uint32_t> levels_;
  bool several_runs_ = false;  // below level 0
  bool narrowed_slices_ = false;
  std::uint64_t relocated_value_bytes_ = 0;
};

class BtreeSubject final : public ModelSubject {
 public:
  std::unique_ptr<SimulatedEngine> make(SimulatedDisk& disk, const KeyPolicy& policy,
                                        std::uint64_t run) override {
    heights_.push_back(0);
    btree::TreeStoreOptions options = btree::tiny_nodes();
    options.deletion_age_max = std::chrono::seconds{run < 2 ? 0 : 1};
    return std::make_unique<btree::SimulatedTree>(disk, policy, options);
  }
  void look(SimulatedEngine& engine) override {
    heights_.back() = std::max(heights_.back(), engine.stats().btree->height);
  }
  void look_before_close(SimulatedEngine& engine) override {
    const BtreeStats stats = *engine.stats().btree;
    sums_.bases_written += stats.bases_written;
    sums_.changes_written += stats.changes_written;
    sums_.splits += stats.splits;
    sums_.pool_evictions += stats.pool_evictions;
  }
  void expect_all_reached() const override {
    EXPECT_THAT(heights_, testing::Each(testing::Ge(3u)));
    EXPECT_GT(sums_.bases_written, 0u);
    EXPECT_GT(sums_.changes_written, 0u);
    EXPECT_GT(sums_.splits, 0u);
    EXPECT_GT(sums_.pool_evictions, 0u);
  }

 private:
  std::vector<std::uint32_t> heights_;  // the largest of each run
  BtreeStats sums_;
};

class ModelRun {
 public:
  ModelRun(std::uint64_t seed, std::uint64_t number, ModelSubject& subject)
      : random_(seed),
        read_first_(number % 2 == 0),
        subject_(subject),
        workload_(seed, 2'000, 60),
        disk_(seed),
        engine_(subject.make(disk_, policy_, number)) {}

  void run(int steps) {
    disk_.set_resident_percent(static_cast<unsigned>(random_() % 3) * 50);
    ASSERT_TRUE(engine_->open(random_()));
    for (int step = 0; step < steps && !testing::Test::HasFailure(); ++step) {
      take_step();
      subject_.look(*engine_);
    }
    engine_->flush();
    ASSERT_TRUE(engine_->settle()) << "background work finds no end";
    compare_all();
    reopen();
    ASSERT_TRUE(engine_->settle());
    compare_all();
    engine_->close();
    EXPECT_THAT(engine_->verify().problems, testing::IsEmpty());
  }

 private:
  void take_step() {
    const auto kind = random_() % 100;
    if (kind < 60) return write(1 + random_() % 30);
    if (kind < 68) return engine_->flush();
    if (kind < 75) return engine_->begin_flush();
    if (kind < 88) {
      for (auto count = random_() % 30; count > 0; --count) engine_->run_one();
      return;
    }
    if (kind < 92) return subject_.disturb(*engine_, random_);
    if (kind < 94) return reopen();
    if (kind < 97) return engine_->pass(std::chrono::milliseconds{random_() % 400});
    if (kind == 97 && random_() % 4 == 0 && workload_.can_drop()) {
      workload_.add_drop();
      ASSERT_TRUE(apply(*engine_, policy_, workload_, workload_.last_lsn(), read_first_));
      model_ = workload_.after(workload_.last_lsn());
      return;
    }
    compare_some();
  }

  void write(std::uint64_t count) {
    for (; count > 0; --count) {
      workload_.add_write();
      const Lsn lsn = workload_.last_lsn();
      ASSERT_TRUE(apply(*engine_, policy_, workload_, lsn, read_first_));
      const LoggedOperation& operation = workload_.at(lsn);
      if (operation.kind == LoggedOperation::Kind::put) {
        model_[operation.key] = operation.value;
      } else {
        model_.erase(operation.key);
      }
    }
  }

  void reopen() {
    subject_.look_before_close(*engine_);
    engine_->close();
    ASSERT_TRUE(engine_->open(random_()));
    for (Lsn lsn = engine_->persisted_lsn() + 1; lsn <= workload_.last_lsn(); ++lsn) {
      ASSERT_TRUE(apply(*engine_, policy_, workload_, lsn, read_first_));
    }
  }

  void compare_some() {
    for (int i = 0; i < 20; ++i) {
      const Bytes key = workload_.any_key();
      const auto expected = model_.find(key);
      const auto found = engine_->get(key);
      ASSERT_TRUE(found) << found.error().message;
      ASSERT_EQ(*found, expected == model_.end() ? std::nullopt : std::optional{expected->second}) << key;
    }
    const Bytes from = workload_.any_key();
    const auto found = live_contents(*engine_, workload_, from);
    ASSERT_TRUE(found) << found.error().message;
    ASSERT_EQ(difference(*found, Model{model_.lower_bound(from), model_.end()}), "") << "from " << from;
    walk_some();
    if (read_first_) expect_counts(*engine_, workload_, model_);
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
        return engine_->engine().cursor(bounds, context);
      };
      expect_walk_with_loads(make, {begin, end}, model_, draw_moves(random_, 60, any_key));
    }
  }

  void compare_all() {
    const auto found = live_contents(*engine_, workload_);
    ASSERT_TRUE(found) << found.error().message;
    ASSERT_EQ(difference(*found, model_), "");
    if (read_first_) expect_counts(*engine_, workload_, model_);
  }

  std::mt19937_64 random_;
  const bool read_first_;
  ModelSubject& subject_;
  Workload workload_;
  SimulatedDisk disk_;
  TestPolicy policy_;
  const std::unique_ptr<SimulatedEngine> engine_;
  Model model_;
};

void agree_with_a_map(ModelSubject& subject) {
  for (std::uint64_t number = 0; number < 4; ++number) {
    const std::uint64_t seed = test_seed() + number;
    SCOPED_TRACE(fmt::format("TEST_SEED={} for the first run of a test to be this one", seed));
    ModelRun run{seed, number, subject};
    ASSERT_NO_FATAL_FAILURE(run.run(600));
  }
  subject.expect_all_reached();
}

TEST(EngineModel, LsmAgreesWithAMapWhateverItsShape) {
  LsmSubject subject{lsm::tiny_tables()};
  agree_with_a_map(subject);
}

TEST(EngineModel, LsmAgreesWithAMapAlsoWithValueFiles) {
  LsmSubject subject{lsm::tiny_tables_with_value_files()};
  agree_with_a_map(subject);
}

TEST(EngineModel, BtreeAgreesWithAMap) {
  BtreeSubject subject;
  agree_with_a_map(subject);
}

}  // namespace
}  // namespace shale::engine
