// Every engine on a disk that dies at every call in turn, which may lose, keep or tear what was not synced,
// and dies once more while the engine is opened again. What must hold then: crash_run.h.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "engine/testing/effort.h"
#include "engine/testing/test_seed.h"
#include "tests/engine/crash_run.h"

namespace shale::engine {
namespace {

class EngineCrash : public testing::TestWithParam<std::tuple<CrashSubject, Unsynced>> {};

// CRASH_POINTS: at how many calls, evenly spread, to die; all of them without it.
TEST_P(EngineCrash, AtAnyCallLosesNothingThatWasPersisted) {
  const auto& [subject, unsynced] = GetParam();
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(fmt::format("TEST_SEED={}", seed));
  std::uint64_t calls = 0;
  {
    SimulatedDisk disk{seed};
    CrashRun run{seed, disk, subject};
    run.work();
    calls = disk.mutating_calls();
    ASSERT_NO_FATAL_FAILURE(run.check());
  }
  ASSERT_GT(calls, 100u);
  const std::uint64_t points = crash_points(calls, calls);
  for (std::uint64_t point = 0; point < points; ++point) {
    const std::uint64_t call = 1 + point * calls / points;
    SCOPED_TRACE(fmt::format("crash at call {} of {}", call, calls));
    SimulatedDisk disk{seed};
    CrashRun run{seed, disk, subject};
    disk.crash_at_call(call);
    run.work();
    disk.crash(unsynced, seed + call);
    run.die_again_while_opening(1 + (seed + call) % subject.calls_of_opening);
    disk.crash(unsynced, seed - call);
    ASSERT_NO_FATAL_FAILURE(run.check());
  }
}

INSTANTIATE_TEST_SUITE_P(All, EngineCrash,
                         testing::Combine(testing::ValuesIn(kSubjects),
                                          testing::Values(Unsynced::lost, Unsynced::kept, Unsynced::torn)),
                         [](const auto& tested) {
                           return fmt::format("{}_{}", std::get<0>(tested.param).name,
                                              name_of(std::get<1>(tested.param)));
                         });

}  // namespace
}  // namespace shale::engine
