// An engine's run on a disk that dies or fails, and what must hold when it is opened again: it has exactly
// what the records up to its persisted_lsn() made, and that is not less than what it had said before. Nothing
// is left in its folder that it does not know. And with the records after it applied once more it is as if
// nothing had happened, its count of keys included.
#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>

#include "engine/testing/simulated_disk.h"
#include "tests/engine/btree/simulated_tree.h"
#include "tests/engine/lsm/simulated_tree.h"
#include "tests/engine/unsynced_name.h"
#include "tests/engine/workload.h"

namespace shale::engine {

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
inline constexpr int kWritesPerFlush = 30;

inline std::unique_ptr<SimulatedEngine> make_lsm(SimulatedDisk& disk, const KeyPolicy& policy) {
  return std::make_unique<lsm::SimulatedTree>(disk, policy);
}
inline std::unique_ptr<SimulatedEngine> make_lsm_with_value_files(SimulatedDisk& disk,
                                                                  const KeyPolicy& policy) {
  return std::make_unique<lsm::SimulatedTree>(disk, policy, lsm::tiny_tables_with_value_files());
}
inline std::unique_ptr<SimulatedEngine> make_btree(SimulatedDisk& disk, const KeyPolicy& policy) {
  btree::TreeStoreOptions options = btree::tiny_nodes();
  options.sync_bytes = 1024;
  return std::make_unique<btree::SimulatedTree>(disk, policy, options);
}
inline constexpr CrashSubject kSubjects[] = {
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
    ASSERT_THAT(findings.problems, testing::IsEmpty());
    ASSERT_THAT(findings.remarks, testing::IsEmpty());
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
    ASSERT_THAT(engine_->verify().problems, testing::IsEmpty());
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

}  // namespace shale::engine
