#include "engine/lsm/compaction_picker.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/lsm/blocked_ranges.h"
#include "engine/lsm/compaction.h"
#include "engine/lsm/table_writer.h"
#include "engine/testing/manual_background.h"
#include "engine/testing/manual_clock.h"
#include "engine/testing/simulated_disk.h"
#include "tests/engine/lsm/tree_harness.h"

namespace shale::engine::lsm {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

Bytes key_of(int number) { return fmt::format("k{:04}", number); }

// Versions made of real tables, as a test lays them out. Compression is off, so that any slice may move.
class CompactionPickerTest : public testing::Test {
 protected:
  void SetUp() override {
    TreeStoreOptions options;
    options.folder = "/lsm";
    options.policy = &policy_;
    options.barrier = &barrier_;
    options.clock = &clock_;
    options.block_bytes = 256;
    options.compression = Compression::none;
    options.table_bytes = 1u << 30;
    options.compaction_job_bytes = 8u << 10;
    store_ = TreeStore::open(disk_, background_, options).value();
    picker_.emplace(*store_);
    for (std::uint32_t& runs_max : shape_.runs_max) runs_max = 1;
    shape_.flush_bytes = shape_.flush_bytes_min = 1;  // whatever lies in level 0 is too much
    shape_.fanout = 1u << 30;                         // and goes to the last level
  }
  void TearDown() override {
    version_.reset();
    tables_.clear();
    background_.stop();
  }
  // A table of level and run with the keys first, first + step, ..., below `end`; 100 bytes each.
  TableRef add(std::uint32_t level, std::uint64_t run, int first, int end, int step = 1) {
    TableWriter writer{*store_, level, run, clock_.unix_ms()};
    const Bytes value(100, 'v');
    for (int key = first; key < end; key += step) {
      EXPECT_TRUE(writer.add({key_of(key), value, {EntryType::value, 1}}));
    }
    const auto written = writer.finish().value();
    EXPECT_THAT(written, SizeIs(1));
    tables_.push_back(written.front());
    version_ = std::make_shared<const Version>(tables_);
    return tables_.back();
  }
  std::optional<Compaction> pick() { return picker_->pick(*version_, shape_); }

  SimulatedDisk disk_{1};
  ManualBackground background_;
  ManualClock clock_;
  TestPolicy policy_;
  NoBarrier barrier_;
  std::unique_ptr<TreeStore> store_;
  std::optional<CompactionPicker> picker_;
  Shape shape_;
  std::vector<TableRef> tables_;
  std::shared_ptr<const Version> version_ = std::make_shared<const Version>();
};

TEST_F(CompactionPickerTest, NothingIsDueInATreeInShape) {
  add(6, 1, 0, 100);
  EXPECT_FALSE(pick());
}

TEST_F(CompactionPickerTest, RangesEndWhereATableBelowBegins) {
  add(0, 9, 0, 200, 5);
  for (int first = 0; first < 200; first += 50) add(6, 1, first, first + 50);  // 5 KiB each
  const auto compaction = pick();
  ASSERT_TRUE(compaction);
  EXPECT_EQ(compaction->source_level, 0u);
  EXPECT_EQ(compaction->target_level, 6u);
  EXPECT_EQ(compaction->target_run, 1u);
  EXPECT_TRUE(compaction->bottom);
  EXPECT_EQ(compaction->begin_key, key_of(0));
  EXPECT_EQ(compaction->end_key, key_of(50));
  ASSERT_THAT(compaction->inputs, SizeIs(2));
  EXPECT_THAT(compaction->inputs[1], SizeIs(1));  // the table below, whole
}

TEST_F(CompactionPickerTest, AJobThatIsFarTooLargeIsCutInsideATable) {
  add(0, 9, 0, 400);
  add(6, 1, 0, 400);
  const auto compaction = pick();
  ASSERT_TRUE(compaction);
  EXPECT_GT(compaction->end_key, key_of(0));
  EXPECT_LT(compaction->end_key, key_of(200));
  EXPECT_LE(compaction->input_bytes(), 3 * store_->compaction_job_bytes());
}

TEST_F(CompactionPickerTest, ASliceThatLiesAloneIsMoved) {
  add(0, 9, 100, 150);
  add(6, 1, 0, 50);
  add(6, 1, 200, 250);
  const auto compaction = pick();
  ASSERT_TRUE(compaction);
  EXPECT_TRUE(compaction->is_move());
  EXPECT_EQ(compaction->begin_key, tables_.front()->begin_key());
  EXPECT_EQ(compaction->end_key, tables_.front()->end_key());
}

TEST_F(CompactionPickerTest, SweepsGoOnWhereTheyEndedAndBeginAnew) {
  add(0, 9, 0, 200, 5);
  for (int first = 0; first < 200; first += 50) add(6, 1, first, first + 50);
  Bytes expected = key_of(0);
  for (int job = 0; job < 4; ++job) {
    const auto compaction = pick();
    ASSERT_TRUE(compaction);
    EXPECT_EQ(compaction->begin_key, expected) << "job " << job;
    EXPECT_GT(compaction->end_key, compaction->begin_key);
    expected = compaction->end_key;
  }
  EXPECT_EQ(pick()->begin_key, key_of(0));
}

TEST_F(CompactionPickerTest, ANewRunIsBegunAtANewSweepOnly) {
  shape_.runs_max[6] = 4;
  add(0, 9, 0, 200);
  add(0, 8, 0, 200, 3);
  for (int first = 0; first < 200; first += 50) add(6, 1, first, first + 50);
  const auto first = pick();
  ASSERT_TRUE(first);
  EXPECT_NE(first->target_run, 1u);  // the run there has more than its part of the level
  const auto second = pick();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->target_run, 1u);  // the new run is not in the version: nobody has run the first job
}

TEST_F(CompactionPickerTest, RunsBeyondThePlanAreMergedIntoTheOldest) {
  add(6, 1, 0, 100);
  add(6, 5, 0, 100, 2);
  const auto compaction = pick();
  ASSERT_TRUE(compaction);
  EXPECT_EQ(compaction->reason, CompactionReason::merge_runs);
  EXPECT_EQ(compaction->target_run, 1u);
  EXPECT_EQ(compaction->target_level, 6u);
  EXPECT_TRUE(compaction->bottom);
}

TEST_F(CompactionPickerTest, ALevelBetweenThatIsNotEmptyIsNotPassedBy) {
  add(0, 9, 0, 50);
  add(3, 5, 0, 50);
  add(6, 1, 0, 50);
  EXPECT_EQ(target_level(*version_, plan_levels(*version_, shape_), 0), 3u);
}

TEST_F(CompactionPickerTest, RangesEndBeforeDamageAndBeginBehindIt) {
  add(0, 9, 0, 200, 5);
  for (int first = 0; first < 200; first += 50) add(6, 1, first, first + 50);
  tables_[2]->file()->note_damage();  // 50 to 99
  std::vector<std::pair<Bytes, Bytes>> ranges;
  for (int job = 0; job < 3; ++job) {
    const auto compaction = pick();
    ASSERT_TRUE(compaction);
    ranges.emplace_back(compaction->begin_key, compaction->end_key);
    for (const auto& run : compaction->inputs) {
      EXPECT_FALSE(std::ranges::any_of(run, [](const TableRef& slice) { return slice->is_damaged(); }));
    }
  }
  EXPECT_EQ(ranges[0], (std::pair{key_of(0), key_of(50)}));
  EXPECT_EQ(ranges[1].first, key_of(99) + '\0');  // the end of the damaged slice
}

TEST_F(CompactionPickerTest, DamageInTheSourceCutsRangesToo) {
  add(0, 9, 0, 200, 5);
  add(0, 8, 60, 80);
  tables_[1]->file()->note_damage();
  for (int first = 0; first < 200; first += 50) add(6, 1, first, first + 50);
  std::vector<std::pair<Bytes, Bytes>> ranges;
  for (int job = 0; job < 3; ++job) {
    const auto compaction = pick();
    ASSERT_TRUE(compaction);
    ranges.emplace_back(compaction->begin_key, compaction->end_key);
  }
  EXPECT_EQ(ranges[0], (std::pair{key_of(0), key_of(50)}));
  EXPECT_EQ(ranges[1], (std::pair{key_of(50), key_of(60)}));
  EXPECT_EQ(ranges[2], (std::pair{key_of(79) + '\0', key_of(100)}));  // not from the beginning of the table
}

TEST_F(CompactionPickerTest, WhereAllIsBlockedNothingIsDue) {
  add(0, 9, 10, 40);
  add(6, 1, 0, 50);
  tables_[1]->file()->note_damage();
  EXPECT_FALSE(pick());
  const LevelPlan plan = plan_levels(*version_, shape_);
  EXPECT_LT(plan.fill[0], 1);
  EXPECT_EQ(plan.debt_bytes, 0u);
  EXPECT_EQ(plan.level0_runs, 0u);
}

TEST_F(CompactionPickerTest, CrowdedRunsAboveDamageAreMergedWithEachOther) {
  add(6, 1, 0, 50);
  tables_[0]->file()->note_damage();
  for (std::uint64_t run = 10; run < 13; ++run) add(0, run, 10, 40);
  const auto compaction = pick();
  ASSERT_TRUE(compaction);
  EXPECT_EQ(compaction->reason, CompactionReason::merge_runs);
  EXPECT_EQ(compaction->target_level, 0u);
  EXPECT_EQ(compaction->target_run, 10u);
  EXPECT_THAT(compaction->inputs, SizeIs(3));
  EXPECT_FALSE(compaction->bottom);
}

TEST_F(CompactionPickerTest, OnlyTablesOfDeadClassesAreDropped) {
  add(0, 9, 0, 50);
  EXPECT_FALSE(picker_->pick_obsolete(*version_));
  policy_.dead.insert('k');
  const auto drop = picker_->pick_obsolete(*version_);
  ASSERT_TRUE(drop);
  EXPECT_THAT(drop->obsolete, SizeIs(1));
}

class CompactionTest : public CompactionPickerTest {};

// Of one table, a slice was moved to a deeper level while another stayed. A compaction that takes the one has
// no business with the other, even if its range covers both.
TEST_F(CompactionTest, LeavesSlicesAloneThatItDoesNotRead) {
  const TableRef table = add(0, 9, 0, 100);
  SliceDescriptor low = table->slice();
  low.end_key = key_of(20);
  SliceDescriptor high = table->slice();
  high.begin_key = key_of(80);
  high.level = 4;
  high.run = 3;
  high.balances.clear();
  const auto slice_of = [&](const SliceDescriptor& slice) {
    return std::make_shared<const LiveTable>(table->file(), slice);
  };
  tables_ = {slice_of(low), slice_of(high)};
  version_ = std::make_shared<const Version>(tables_);
  Compaction compaction;
  compaction.reason = CompactionReason::merge_runs;  // is read, not moved
  compaction.target_level = 4;
  compaction.target_run = 12;
  compaction.begin_key = key_of(0);
  compaction.end_key = key_of(100);
  compaction.inputs = {{version_->runs(0).front().tables().front()}};
  const auto result = run_compaction(*store_, *version_, compaction, {});
  ASSERT_TRUE(result);
  ASSERT_THAT(result->leftover, SizeIs(1));
  const SliceDescriptor& left = result->leftover.front()->slice();
  EXPECT_EQ(left.level, 4u);
  EXPECT_EQ(left.run, 3u);
  EXPECT_EQ(left.begin_key, key_of(80));
  EXPECT_EQ(left.end_key, high.end_key);
  ASSERT_THAT(left.balances, SizeIs(1));
  EXPECT_EQ(left.balances.front().sum, 80);  // what was there, less the 20 that were taken
}

class VersionTest : public CompactionPickerTest {};

TEST_F(VersionTest, OrdersRunsFromTheNewestAndSlicesByKey) {
  add(1, 3, 100, 150);
  add(1, 7, 0, 300);
  add(1, 3, 0, 50);
  const auto& runs = version_->runs(1);
  ASSERT_THAT(runs, SizeIs(2));
  EXPECT_EQ(runs[0].id(), 7u);
  ASSERT_THAT(runs[1].tables(), SizeIs(2));
  EXPECT_EQ(runs[1].begin_key(), key_of(0));
  EXPECT_EQ(runs[1].table_for(key_of(120)), tables_[0].get());
  EXPECT_EQ(runs[1].table_for(key_of(75)), nullptr);
  EXPECT_EQ(runs[1].table_for(key_of(200)), nullptr);
  EXPECT_THAT(runs[1].overlapping(key_of(40), key_of(101)), SizeIs(2));
  EXPECT_THAT(runs[1].overlapping(key_of(50), key_of(100)), IsEmpty());
  EXPECT_EQ(version_->run_count(), 2u);
}

TEST_F(VersionTest, TheBottomIsWhereNothingOlderOverlaps) {
  add(1, 3, 0, 50);
  add(4, 2, 100, 150);
  EXPECT_TRUE(version_->is_bottom(1, 3, key_of(0), key_of(50)));
  EXPECT_FALSE(version_->is_bottom(1, 3, key_of(0), key_of(101)));
  EXPECT_FALSE(version_->is_bottom(1, 9, key_of(0), key_of(50)));  // an older run of the level
  EXPECT_TRUE(version_->is_bottom(5, 9, key_of(0), key_of(200)));
}

TEST_F(VersionTest, WithTakesAwayEverySliceOfATable) {
  const TableRef table = add(0, 9, 0, 100);
  SliceDescriptor low = table->slice();
  low.end_key = key_of(20);
  SliceDescriptor high = table->slice();
  high.begin_key = key_of(80);
  const auto narrowed =
      version_->with({table->number()}, {std::make_shared<const LiveTable>(table->file(), low),
                                         std::make_shared<const LiveTable>(table->file(), high)});
  EXPECT_THAT(narrowed->runs(0).front().tables(), SizeIs(2));
  EXPECT_EQ(narrowed->runs(0).front().table_for(key_of(50)), nullptr);
  EXPECT_EQ(narrowed->with({table->number()}, {})->run_count(), 0u);
}

class ShapeTest : public CompactionPickerTest {};

TEST_F(ShapeTest, LevelsAreUsedAsTheLastOneGrows) {
  shape_.fanout = 4;
  shape_.flush_bytes = 2'000;
  add(6, 1, 0, 50);  // 5 KB
  EXPECT_EQ(plan_levels(*version_, shape_).base_level, 6u);
  add(6, 1, 50, 450);  // 45 KB in all: a quarter is 11 KB, a sixteenth 2.8 KB
  const LevelPlan plan = plan_levels(*version_, shape_);
  EXPECT_EQ(plan.base_level, 4u);
  EXPECT_EQ(plan.limit_bytes[5], version_->level_bytes(6) / 4);
  EXPECT_EQ(plan.limit_bytes[4], version_->level_bytes(6) / 16);
}

TEST_F(ShapeTest, ALevelInUseIsGivenUpLaterThanItIsTakenIntoUse) {
  shape_.fanout = 4;
  add(6, 1, 0, 100);
  shape_.flush_bytes = version_->level_bytes(6) / 4;  // as large as level 5 would be
  EXPECT_EQ(plan_levels(*version_, shape_).base_level, 6u);
  add(5, 2, 0, 10);
  EXPECT_EQ(plan_levels(*version_, shape_).base_level, 5u);
  shape_.flush_bytes = version_->level_bytes(6);
  const LevelPlan plan = plan_levels(*version_, shape_);
  EXPECT_EQ(plan.base_level, 6u);
  EXPECT_GT(plan.fill[5], 1);  // to be emptied
}

}  // namespace
}  // namespace shale::engine::lsm
