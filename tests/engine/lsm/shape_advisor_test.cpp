#include "engine/lsm/shape_advisor.h"

#include <gtest/gtest.h>

namespace shale::engine::lsm {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

TableRef slice_of(std::uint64_t number, std::uint32_t level, std::uint64_t bytes) {
  SliceDescriptor slice;
  slice.number = number;
  slice.level = level;
  slice.run = number;
  slice.begin_key = "a";
  slice.end_key = "z";
  slice.bytes = bytes;
  auto file = std::make_shared<const TableFile>(number, Error{ErrorKind::io, "no file"},
                                                [](std::uint64_t, std::shared_ptr<const Table>) {});
  return std::make_shared<const LiveTable>(std::move(file), std::move(slice));
}

// A tree of a gigabyte that gets a workload, window after window.
class ShapeAdvisorTest : public testing::Test {
 protected:
  ShapeAdvisorTest() { shape_.flush_bytes = 8 * kMiB; }

  // Returns how many steps were taken.
  int run(int windows, std::uint64_t flushed, std::uint64_t reads, std::uint64_t seeks) {
    int steps = 0;
    for (int i = 0; i < windows; ++i) {
      now_ += ShapeAdvisor::kWindow;
      counts_.flushed_bytes += flushed;
      counts_.table_reads += reads;
      counts_.seeks += seeks;
      const auto step = advisor_.advise(counts_, version_, shape_, plan_levels(version_, shape_), now_);
      if (!step) continue;
      EXPECT_FALSE(step->reason.empty());
      shape_.runs_max[step->level] = step->runs_max;
      ++steps;
    }
    return steps;
  }
  std::string_view name() const { return shape_name(shape_, plan_levels(version_, shape_)); }

  Version version_{{slice_of(1, 6, 1'000 * kMiB), slice_of(2, 5, 100 * kMiB), slice_of(3, 0, 20 * kMiB)}};
  Shape shape_;
  ShapeAdvisor advisor_;
  WorkloadCounts counts_;
  ShapeAdvisor::TimePoint now_{std::chrono::hours{1}};
};

TEST_F(ShapeAdvisorTest, GoesToMoreRunsWhereThereAreOnlyWrites) {
  run(40, 200 * kMiB, 0, 0);
  EXPECT_EQ(name(), "tiered");
  EXPECT_EQ(shape_.runs_max[Version::kLastLevel], 1u);  // space is not paid twice
}

TEST_F(ShapeAdvisorTest, GoesToOneRunWhereThereAreOnlyReads) {
  run(40, 0, 500'000, 0);
  EXPECT_EQ(name(), "leveled");
  EXPECT_EQ(shape_.runs_max[0], 1u);
}

TEST_F(ShapeAdvisorTest, GoesToOneRunWhereThereAreScans) {
  run(40, 10 * kMiB, 0, 500'000);
  EXPECT_EQ(name(), "leveled");
}

TEST_F(ShapeAdvisorTest, FollowsAWorkloadThatTurns) {
  run(40, 200 * kMiB, 0, 0);
  run(40, 0, 500'000, 0);
  EXPECT_EQ(name(), "leveled");
  run(40, 200 * kMiB, 0, 0);
  EXPECT_EQ(name(), "tiered");
}

TEST_F(ShapeAdvisorTest, ComesToRestUnderASteadyWorkload) {
  run(60, 50 * kMiB, 200'000, 1'000);
  EXPECT_EQ(run(60, 50 * kMiB, 200'000, 1'000), 0);
}

TEST_F(ShapeAdvisorTest, DoesNotMoveWhenNothingHappens) {
  EXPECT_EQ(run(20, 0, 0, 0), 0);
  EXPECT_EQ(run(20, 0, 10, 1), 0);
}

TEST_F(ShapeAdvisorTest, NeedsTwoWindowsToAgree) {
  EXPECT_EQ(run(1, 0, 0, 0), 0);
  EXPECT_EQ(run(1, 200 * kMiB, 0, 0), 0);
  EXPECT_EQ(run(1, 0, 500'000, 0), 0);
  EXPECT_EQ(run(1, 200 * kMiB, 0, 0), 0);
  EXPECT_EQ(run(1, 0, 500'000, 0), 0);
}

}  // namespace
}  // namespace shale::engine::lsm
