#include "engine/lsm/work_meter.h"

#include <gtest/gtest.h>

#include "engine/testing/manual_background.h"

namespace shale::engine::lsm {
namespace {

constexpr std::uint64_t kStepBytes = 1 << 20;

class WorkMeterTest : public testing::Test {
 protected:
  // Whether work of so many bytes is let through faster than the idle rate, 4 MiB a second, allows.
  bool runs_ahead(double behind, double quota, int steps = 4) {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < steps; ++i) meter_.pay(kStepBytes, behind, quota);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    return took.count() < 0.05 * steps;
  }

  ManualBackground background_;
  WorkMeter meter_{background_, 4 << 20};
};

TEST_F(WorkMeterTest, HoldsIdleWorkBack) { EXPECT_FALSE(runs_ahead(0, 8)); }

TEST_F(WorkMeterTest, LetsThroughWhatWritersHaveBought) {
  runs_ahead(0, 8, 1);  // what had been saved up is spent
  meter_.note_committed(kStepBytes);
  EXPECT_TRUE(runs_ahead(0, 8, 3));
}

TEST_F(WorkMeterTest, DoesNotMeterWorkThatIsBehind) { EXPECT_TRUE(runs_ahead(1, 1, 100)); }

TEST_F(WorkMeterTest, HoldsNobodyOnceTheBackgroundStops) {
  background_.stop();
  EXPECT_TRUE(runs_ahead(0, 1, 100));
}

}  // namespace
}  // namespace shale::engine::lsm
