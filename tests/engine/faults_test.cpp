// Every engine on a disk of which one call fails: each in turn, once or from then on for ever, broken (EIO)
// or full (ENOSPC). Its owner writes until a write is refused; then the process is killed, or the machine
// dies. What must hold then: crash_run.h. One thread, so a seed repeats a run.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "engine/testing/effort.h"
#include "engine/testing/test_seed.h"
#include "tests/engine/crash_run.h"

namespace shale::engine {
namespace {

constexpr DiskCall kCalls[] = {DiskCall::create, DiskCall::open,        DiskCall::read,
                               DiskCall::write,  DiskCall::sync,        DiskCall::rename,
                               DiskCall::remove, DiskCall::sync_folder, DiskCall::any};

// How the process ends after the fault.
enum class End : std::uint8_t { killed, lost, kept, torn };
constexpr End kEnds[] = {End::killed, End::lost, End::kept, End::torn};

struct EngineFault {
  DiskCall call;
  std::uint64_t number;
  ErrorKind kind;
  bool for_ever;
  End end;
};

class EngineFaults : public testing::TestWithParam<CrashSubject> {
 protected:
  std::vector<EngineFault> all_faults() const {
    SimulatedDisk disk{seed_};
    CrashRun run{seed_, disk, GetParam()};
    run.work();
    std::vector<EngineFault> faults;
    for (const DiskCall call : kCalls)
      for (std::uint64_t number = 1; number <= disk.calls(call); ++number)
        for (const ErrorKind kind : {ErrorKind::io, ErrorKind::no_space})
          for (const bool for_ever : {false, true})
            for (const End end : kEnds) faults.push_back({call, number, kind, for_ever, end});
    return faults;
  }
  void survive(const EngineFault& fault) const {
    SimulatedDisk disk{seed_};
    disk.fail(fault.call, fault.number, fault.kind, fault.for_ever);
    CrashRun run{seed_, disk, GetParam()};
    run.work();
    switch (fault.end) {
      case End::killed: disk.process_kill(); break;
      case End::lost: disk.crash(Unsynced::lost, seed_); break;
      case End::kept: disk.crash(Unsynced::kept, seed_); break;
      case End::torn: disk.crash(Unsynced::torn, seed_ + fault.number); break;
    }
    run.check();
  }

  const std::uint64_t seed_ = test_seed();
};

// FAULT_POINTS: how many faults to try, drawn from all there are; 0: all.
TEST_P(EngineFaults, LoseNothingThatWasPersisted) {
  SCOPED_TRACE(fmt::format("TEST_SEED={}", seed_));
  std::vector<EngineFault> faults = all_faults();
  ASSERT_GT(faults.size(), 1000u);
  const std::uint64_t points = asked_of_test("FAULT_POINTS", 100);
  std::mt19937_64 random{seed_};
  std::ranges::shuffle(faults, random);
  if (points != 0 && points < faults.size()) faults.resize(points);
  for (const EngineFault& fault : faults) {
    SCOPED_TRACE(fmt::format("call {} of kind {} fails: error {}, {}; end {}", fault.number,
                             static_cast<int>(fault.call), static_cast<int>(fault.kind),
                             fault.for_ever ? "for ever" : "once", static_cast<int>(fault.end)));
    ASSERT_NO_FATAL_FAILURE(survive(fault));
  }
  std::printf("%zu faults\n", faults.size());
}

INSTANTIATE_TEST_SUITE_P(All, EngineFaults, testing::ValuesIn(kSubjects),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace shale::engine
