// Every engine on a disk that dies at every call in turn, which may lose, keep or tear what was not synced,
// and dies once more while the engine is opened again.
//
// What must hold then: the engine has exactly what the records up to its persisted_lsn() made, and that is
// not less than what it had said before the crash. Nothing is left in its folder that it does not know. And
// with the records after it applied once more it is as if nothing had happened, its count of keys included.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "engine/testing/test_seed.h"
#include "tests/engine/btree/simulated_tree.h"
#include "tests/engine/lsm/simulated_tree.h"
#include "tests/engine/workload.h"

namespace shale::engine {
namespace {

using testing::IsEmpty;

// How often a run comes by each kind of background work is the same for every point of the crash. The numbers
// are such that a run has some hundred calls.
struct CrashSubject {
  const char* name;
  std::unique_ptr<SimulatedEngine> (*make)(SimulatedDisk& disk, const KeyPolicy& policy);
  int writes;
  int writes_per_drop;
  int writes_per_work;             // a piece of background work after so many
  std::uint64_t keys;              // to draw from
  std::uint64_t calls_of_opening;  // the second crash comes within so many
};
constexpr int kWritesPerFlush = 30;

std::unique_ptr<SimulatedEngine> make_lsm(SimulatedDisk& disk, const KeyPolicy& policy) {
  return std::make_unique<lsm::SimulatedTree>(disk, policy);
}
std::unique_ptr<SimulatedEngine> make_lsm_with_value_files(SimulatedDisk& disk, const KeyPolicy& policy) {
  return std::make_unique<lsm::SimulatedTree>(disk, policy, lsm::tiny_tables_with_value_files());
}
std::unique_ptr<SimulatedEngine> make_btree(SimulatedDisk& disk, const KeyPolicy& policy) {
  btree::TreeStoreOptions options = btree::tiny_nodes();
  options.sync_bytes = 1024;
  return std::make_unique<btree::SimulatedTree>(disk, policy, options);
}
constexpr CrashSubject kSubjects[] = {
    {"lsm", make_lsm, 420, 160, 4, 120, 12},
    {"lsm_with_value_files", make_lsm_with_value_files, 420, 160, 4, 120, 12},
    {"btree", make_btree, 900, 350, 16, 400, 5}};

class CrashRun {
 public:
  CrashRun(std::uint64_t seed, SimulatedDisk& disk, const CrashSubject& subject)
      : seed_(seed),
        disk_(disk),
        subject_(subject),
        workload_(seed, subject.keys, 60),
        engine_(subject.make(disk, policy_)) {}

  // Until all is done or the disk is dead.
  void work() {
    if (!engine_->open(seed_)) return;
    while (step_ < subject_.writes && take_step()) persisted_ = engine_->persisted_lsn();
    if (!disk_.is_off()) engine_->settle();
    persisted_ = std::max(persisted_, engine_->persisted_lsn());
    engine_->close();
  }
  void die_again_while_opening(std::uint64_t call) {
    disk_.crash_at_call(call);
    static_cast<void>(engine_->open(seed_).has_value());
    engine_->close();
  }
  void check() {
    const auto opened = engine_->open(seed_);
    ASSERT_TRUE(opened) << opened.error().message;
    const Lsn persisted = engine_->persisted_lsn();
    ASSERT_GE(persisted, persisted_) << "what was persisted is gone";
    ASSERT_LE(persisted, workload_.last_lsn());
    ASSERT_NO_FATAL_FAILURE(expect_contents(persisted));
    engine_->close();
    const Findings findings = engine_->verify();
    ASSERT_THAT(findings.problems, IsEmpty());
    ASSERT_THAT(findings.remarks, IsEmpty());
    ASSERT_NO_FATAL_FAILURE(go_on());
  }

 private:
  bool take_step() {
    ++step_;
    if (step_ % subject_.writes_per_drop == 0) {
      workload_.add_drop();
    } else {
      workload_.add_write();
    }
    if (!apply(*engine_, policy_, workload_, workload_.last_lsn(), true)) return false;
    if (step_ % kWritesPerFlush == 0) engine_->begin_flush();
    if (step_ % subject_.writes_per_work == 0) engine_->run_one();
    return !disk_.is_off();
  }
  void expect_contents(Lsn lsn) {
    const auto found = live_contents(*engine_, workload_);
    ASSERT_TRUE(found) << found.error().message;
    ASSERT_EQ(difference(*found, workload_.after(lsn)), "") << "after record " << lsn;
  }
  // As the owner does: what is not persisted is applied again.
  void go_on() {
    ASSERT_TRUE(engine_->open(seed_));
    for (Lsn lsn = engine_->persisted_lsn() + 1; lsn <= workload_.last_lsn(); ++lsn) {
      ASSERT_TRUE(apply(*engine_, policy_, workload_, lsn, true));
    }
    engine_->flush();
    ASSERT_TRUE(engine_->settle());
    ASSERT_NO_FATAL_FAILURE(expect_contents(workload_.last_lsn()));
    expect_counts(*engine_, workload_, workload_.after(workload_.last_lsn()));
    engine_->close();
    ASSERT_THAT(engine_->verify().problems, IsEmpty());
  }

  const std::uint64_t seed_;
  SimulatedDisk& disk_;
  const CrashSubject& subject_;
  TestPolicy policy_;
  Workload workload_;
  const std::unique_ptr<SimulatedEngine> engine_;
  int step_ = 0;
  Lsn persisted_ = 0;  // as the engine has said
};

class EngineCrash : public testing::TestWithParam<std::tuple<CrashSubject, Unsynced>> {};

// SHALE_CRASH_POINTS: at how many calls, evenly spread, to die; all of them without it.
TEST_P(EngineCrash, AtAnyCallLosesNothingThatWasPersisted) {
  const auto& [subject, unsynced] = GetParam();
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(fmt::format("SHALE_TEST_SEED={}", seed));
  std::uint64_t calls = 0;
  {
    SimulatedDisk disk{seed};
    CrashRun run{seed, disk, subject};
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
    CrashRun run{seed, disk, subject};
    disk.crash_at_call(call);
    run.work();
    disk.crash(unsynced, seed + call);
    run.die_again_while_opening(1 + (seed + call) % subject.calls_of_opening);
    disk.crash(unsynced, seed - call);
    ASSERT_NO_FATAL_FAILURE(run.check());
  }
}

std::string name_of(Unsynced unsynced) {
  switch (unsynced) {
    case Unsynced::lost: return "Lost";
    case Unsynced::kept: return "Kept";
    case Unsynced::torn: return "Torn";
  }
  return "";
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
