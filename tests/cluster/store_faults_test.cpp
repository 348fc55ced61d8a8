// The store on a disk of which one call fails: each in turn, once or from then on for ever, as a broken disk
// (EIO) or a full one (ENOSPC). Whatever fails: a clean error or none, nothing that was acknowledged is lost,
// nothing wrong is read, no write is acknowledged after a failed sync of the log, and a restart finds it all.
//
// FAULT_POINTS: how many faults to try of each kind of store; 0: every call, in all four ways.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <optional>
#include <random>

#include "engine/testing/effort.h"
#include "engine/testing/test_seed.h"
#include "tests/cluster/workload_machine.h"

namespace shale::cluster {
namespace {

using engine::DiskCall;
using engine::ErrorKind;

constexpr int kRecords = 80;
constexpr int kRecordsAfter = 12;  // once the disk is sound again
constexpr int kRecordsAtRestart = 12;

struct DiskFault {
  DiskCall call;
  std::uint64_t number;  // 1: the first
  ErrorKind kind;
  bool for_ever;

  std::string text() const {
    return fmt::format("{} {} fails with {} {}", engine::name_of(call), number,
                       kind == ErrorKind::io ? "EIO" : "ENOSPC", for_ever ? "for ever" : "once");
  }
};

constexpr DiskCall kCalls[] = {DiskCall::create, DiskCall::open,        DiskCall::map,    DiskCall::read,
                               DiskCall::write,  DiskCall::sync,        DiskCall::rename, DiskCall::link,
                               DiskCall::remove, DiskCall::sync_folder, DiskCall::any};

class FaultRun {
 public:
  FaultRun(const StoreKind& kind, std::uint64_t seed)
      : kind_(kind),
        seed_(seed),
        workload_(seed, kRecords + kRecordsAfter + kRecordsAtRestart),
        disk_(seed) {}

  engine::SimulatedDisk& disk() { return disk_; }

  void run(const std::optional<DiskFault>& fault) {
    if (fault) disk_.fail(fault->call, fault->number, fault->kind, fault->for_ever);
    WorkloadMachine machine{disk_, kind_, workload_};
    if (auto started = machine.start(); started) {
      machine.run(0, kRecords, seed_);
      ASSERT_NO_FATAL_FAILURE(check_alive(machine, fault));
    } else {
      ASSERT_TRUE(fault) << started.error().message;
      expect_clean({started.error()});
    }
    machine.stop();
    check_restart(machine);
    std::fflush(stdout);
    if (!testing::Test::HasFatalFailure()) return;
    for (const engine::Error& error : machine.errors()) std::printf("before: %s\n", error.message.c_str());
  }
  int reshapes() const { return reshapes_; }

 private:
  // Of a store that goes on after the fault.
  void check_alive(WorkloadMachine& machine, const std::optional<DiskFault>& fault) {
    ASSERT_FALSE(machine.hung()) << "a write came to no end";
    expect_clean(machine.errors());
    if (!fault) {
      ASSERT_TRUE(machine.errors().empty());
    }
    const bool may_fail_reads = fault && (fault->call == DiskCall::read || fault->call == DiskCall::any ||
                                          fault->call == DiskCall::open);
    auto read = machine.read();
    if (!may_fail_reads) {
      ASSERT_NO_FATAL_FAILURE(expect_no_errors(read));
    }
    ASSERT_NO_FATAL_FAILURE(expect_right(machine, read));
    disk_.heal();
    read = machine.read();
    ASSERT_NO_FATAL_FAILURE(expect_right(machine, read));
    const std::size_t committed = machine.history().size();
    machine.run(kRecords, kRecords + kRecordsAfter, seed_ + 1);
    ASSERT_FALSE(machine.hung()) << "a write came to no end on the sound disk";
    ASSERT_EQ(machine.acknowledged_after_failure(), 0);
    if (!fault) {
      ASSERT_GE(machine.history().size(), committed + kRecordsAfter);
    }
    ASSERT_NO_FATAL_FAILURE(expect_right(machine, machine.read()));
    reshapes_ = machine.reshapes();
  }

  // What a process that is killed, and a machine that dies, leave behind.
  void check_restart(const WorkloadMachine& before) {
    const auto killed = disk_.copy(seed_);
    killed->process_kill();
    ASSERT_NO_FATAL_FAILURE(check_restart(*killed, before, before.acknowledged()));
    for (const auto unsynced : {engine::Unsynced::lost, engine::Unsynced::torn}) {
      const auto crashed = disk_.copy(seed_);
      crashed->crash(unsynced, seed_);
      ASSERT_NO_FATAL_FAILURE(check_restart(*crashed, before, before.durable()));
    }
  }
  void check_restart(engine::SimulatedDisk& disk, const WorkloadMachine& before, engine::Lsn durable) {
    WorkloadMachine machine{disk, kind_, workload_};
    const auto started = machine.start();
    ASSERT_TRUE(started) << started.error().message;
    const auto read = machine.read();
    ASSERT_NO_FATAL_FAILURE(expect_no_errors(read));
    ASSERT_EQ(before.history().judge(read.found, durable), "");
    constexpr int kFirst = kRecords + kRecordsAfter;
    machine.run(kFirst, kFirst + kRecordsAtRestart, seed_ + 2);
    ASSERT_TRUE(machine.errors().empty()) << machine.errors().front().message;
    ASSERT_EQ(machine.read().found.at(StoreWorkload::marker()),
              std::to_string(kFirst + kRecordsAtRestart - 1));
  }

  static void expect_clean(const std::vector<engine::Error>& errors) {
    for (const engine::Error& error : errors) {
      EXPECT_FALSE(error.message.empty());
      EXPECT_TRUE(error.kind == ErrorKind::io || error.kind == ErrorKind::no_space ||
                  error.kind == ErrorKind::stopped)
          << static_cast<int>(error.kind) << " " << error.message;
    }
  }
  static void expect_no_errors(const WorkloadMachine::Read& read) {
    for (const auto& [key, error] : read.errors) FAIL() << key.name << ": " << error.message;
  }
  // What could be read is as the committed records made it.
  static void expect_right(const WorkloadMachine& machine, const WorkloadMachine::Read& read) {
    Contents expected = machine.history().contents();
    for (const auto& [key, error] : read.errors) {
      expect_clean({error});
      expected.erase(key);
    }
    ASSERT_EQ(WorkloadHistory::difference(read.found, expected), "");
  }

  const StoreKind kind_;
  const std::uint64_t seed_;
  const StoreWorkload workload_;
  engine::SimulatedDisk disk_;
  int reshapes_ = 0;
};

// How often a run makes each call: a fault behind the last of them would change nothing.
std::array<std::uint64_t, std::size(kCalls)> count_calls(const StoreKind& kind, std::uint64_t seed) {
  FaultRun run{kind, seed};
  run.run({});
  std::array<std::uint64_t, std::size(kCalls)> counts{};
  for (std::size_t i = 0; i < counts.size(); ++i) counts[i] = run.disk().calls(kCalls[i]);
  return counts;
}

class StoreFaults : public testing::TestWithParam<StoreKind> {};

TEST_P(StoreFaults, LoseNothingThatWasAcknowledged) {
  const std::uint64_t seed = engine::test_seed();
  SCOPED_TRACE(fmt::format("TEST_SEED={}", seed));
  const auto counts = count_calls(GetParam(), seed);
  ASSERT_FALSE(HasFatalFailure());
  const std::uint64_t points = engine::asked_of_test("FAULT_POINTS", engine::rounds_of_test(4));
  std::vector<DiskFault> faults;
  std::mt19937_64 random{seed ^ std::hash<std::string>{}(GetParam().text())};
  const std::uint64_t first_call = random();  // few points of a kind are others than those of the next
  for (std::size_t i = 0; i < std::size(kCalls); ++i) {
    for (std::uint64_t number = 1; number <= counts[i] && points == 0; ++number) {
      for (const ErrorKind kind : {ErrorKind::io, ErrorKind::no_space})
        for (const bool for_ever : {false, true}) faults.push_back({kCalls[i], number, kind, for_ever});
    }
  }
  for (std::uint64_t point = 0; point < points; ++point) {
    const std::size_t call = (first_call % std::size(kCalls) + point) % std::size(kCalls);
    faults.push_back({kCalls[call], 1 + random() % std::max<std::uint64_t>(counts[call], 1),
                      random() % 2 == 0 ? ErrorKind::io : ErrorKind::no_space, random() % 2 == 0});
  }
  for (const DiskFault& fault : faults) {
    SCOPED_TRACE(fault.text());
    FaultRun run{GetParam(), seed};
    ASSERT_NO_FATAL_FAILURE(run.run(fault));
  }
  std::printf("%zu faults\n", faults.size());
}

INSTANTIATE_TEST_SUITE_P(Kinds, StoreFaults, testing::ValuesIn(StoreKind::all()), [](const auto& tested) {
  std::string name = tested.param.text();
  std::erase_if(name, [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); });
  return name;
});

}  // namespace
}  // namespace shale::cluster
