// The store after a crash at any call to the disk, in many of the states that the disk may then be in.
//
// A workload runs once, to its end; before calls that change the disk, the disk is copied. From each copy
// come the states: everything that was not synced is lost, kept, or torn in several ways (grains of 512 bytes
// and 4 KiB, names one by one), or only the process has died. Each state is opened and read; and again from
// the same state after a second crash at some call of the recovery. What must be there: a state of the log's
// order, whole, with all that was durable (store_workload.h).
//
// CRASH_STATES: how many states to try. A failure says from which seed its state came, and leaves the
// disk itself, file by file, in the folder CRASH_IMAGES; with CRASH_IMAGE that disk is tried
// again.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "cluster/verify.h"
#include "engine/testing/effort.h"
#include "engine/testing/test_seed.h"
#include "engine/verification.h"
#include "tests/cluster/workload_machine.h"

namespace shale::cluster {
namespace {

using engine::SimulatedDisk;
using engine::Unsynced;

constexpr int kRecords = 100;
constexpr int kRecordsAfter = 6;             // written by a recovered store, now and then
constexpr std::uint64_t kCallsPerCopy = 12;  // of the disk, in one run
constexpr std::size_t kCopiesMax = 120;
constexpr int kTornStates = 4;  // of one copy

struct CrashedDisk {
  std::unique_ptr<SimulatedDisk> disk;
  std::uint64_t call = 0;        // before which the machine died
  engine::Lsn durable = 0;       // what a crash of the machine must leave
  engine::Lsn acknowledged = 0;  // what the death of the process must leave
};

// What a disk that is kept as files needs beside them to be judged.
struct ImageNote {
  std::uint64_t seed = 0;
  std::size_t kind = 0;  // index into StoreKind::all()
  engine::Lsn durable = 0;
};

void save_image(const SimulatedDisk& disk, const ImageNote& note, const std::string& folder) {
  for (const std::string& path : disk.paths()) {
    const std::filesystem::path to = folder + path;
    std::filesystem::create_directories(to.parent_path());
    const Bytes contents = disk.contents(path);
    std::ofstream{to, std::ios::binary}.write(contents.data(), static_cast<std::streamsize>(contents.size()));
  }
  std::ofstream{folder + "/note"} << note.seed << ' ' << note.kind << ' ' << note.durable << '\n';
}

std::unique_ptr<SimulatedDisk> load_image(const std::string& folder, ImageNote& note) {
  std::ifstream{folder + "/note"} >> note.seed >> note.kind >> note.durable;
  auto disk = std::make_unique<SimulatedDisk>(note.seed);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string path = "/" + std::filesystem::relative(entry.path(), folder).string();
    if (entry.is_directory()) {
      EXPECT_TRUE(disk->create_folder(path));
    }
    if (!entry.is_regular_file() || path == "/note") continue;
    std::stringstream contents;
    contents << std::ifstream{entry.path(), std::ios::binary}.rdbuf();
    EXPECT_TRUE((*disk->create(path))->write_at(0, contents.str()));
  }
  disk->crash(Unsynced::kept);
  return disk;
}

class CrashStates {
 public:
  CrashStates(std::size_t kind, std::uint64_t seed)
      : seed_(seed),
        kind_index_(kind),
        kind_(StoreKind::all()[kind]),
        workload_(seed, kRecords + kRecordsAfter),
        history_(workload_),
        random_(seed) {
    for (int record = 0; record < kRecords; ++record) {
      if (workload_.records()[static_cast<std::size_t>(record)].prelude != Prelude::none) add(record, true);
      add(record, false);
    }
  }

  // Runs the workload, and tries states until there have been `states_max`, or all of this run.
  void run(std::uint64_t states_max) {
    for (CrashedDisk& crashed : copies_of_a_run()) {
      if (testing::Test::HasFatalFailure() || states_ >= states_max) return;
      where_ = fmt::format("{}, seed {}, crash before call {}", kind_.text(), seed_, crashed.call);
      auto killed = crashed.disk->copy(seed_);
      killed->process_kill();
      try_twice(std::move(killed), crashed.acknowledged, crashed.durable, "process killed");
      try_crash(*crashed.disk, crashed.durable, Unsynced::lost, "lost");
      try_crash(*crashed.disk, crashed.durable, Unsynced::kept, "kept");
      for (int torn = 0; torn < kTornStates; ++torn) {
        try_crash(*crashed.disk, crashed.durable, Unsynced::torn, "torn");
      }
    }
  }
  void try_image(SimulatedDisk& disk, engine::Lsn durable) { check(disk, durable, "saved image"); }
  std::uint64_t states() const { return states_; }

 private:
  void add(int record, bool is_prelude) { history_.add(record, is_prelude, history_.size() + 1); }

  // Which calls are copied is drawn anew for each run, as many as there is memory for; in any order.
  std::vector<CrashedDisk> copies_of_a_run() {
    std::vector<CrashedDisk> copies;
    SimulatedDisk disk{seed_};
    WorkloadMachine machine{disk, kind_, workload_};
    std::mt19937_64 draw{seed_};
    disk.watch([&](std::uint64_t call, const SimulatedDisk::CopyDisk& copy) {
      if (draw() % kCallsPerCopy != 0 || copies.size() >= kCopiesMax) return;
      const engine::Lsn durable = machine.durable();  // before the copy: what is known by then is in it
      const engine::Lsn acknowledged = std::max(durable, machine.acknowledged());
      copies.push_back({copy(seed_ + call), call, durable, acknowledged});
    });
    const auto started = machine.start();
    EXPECT_TRUE(started);
    machine.run(0, kRecords, seed_);
    machine.stop();
    disk.watch({});
    EXPECT_TRUE(machine.errors().empty()) << machine.errors().front().message;
    EXPECT_EQ(machine.history().size(), history_.size());
    std::ranges::shuffle(copies, draw);
    return copies;
  }

  void try_crash(const SimulatedDisk& disk, engine::Lsn durable, Unsynced unsynced, const char* how) {
    auto crashed = disk.copy(random_());
    crashed->crash(unsynced, random_());
    try_twice(std::move(crashed), durable, durable, how);
  }
  // As it is, with what must be there then, and after a second crash, of the machine, while it is recovered.
  void try_twice(std::unique_ptr<SimulatedDisk> disk, engine::Lsn expected, engine::Lsn durable,
                 const std::string& how) {
    if (testing::Test::HasFatalFailure()) return;
    const auto again = disk->copy(random_());
    check(*disk, expected, how);
    if (testing::Test::HasFatalFailure()) return;
    again->crash_at_call(1 + random_() % 24);
    {
      WorkloadMachine machine{*again, kind_, workload_};
      static_cast<void>(machine.start().has_value());
      again->power_off();
    }
    constexpr Unsynced kAll[] = {Unsynced::lost, Unsynced::kept, Unsynced::torn};
    again->crash(kAll[random_() % std::size(kAll)], random_());
    check(*again, durable, how + ", and a crash of the recovery");
  }

  void check(SimulatedDisk& disk, engine::Lsn durable, const std::string& how) {
    ++states_;
    const auto image = disk.copy(0);
    check_store(disk, durable);
    if (!testing::Test::HasFatalFailure()) return;
    std::printf("%s: %s\n", where_.c_str(), how.c_str());
    const char* const folder = std::getenv("CRASH_IMAGES");
    if (folder == nullptr) return;
    save_image(*image, {seed_, kind_index_, durable}, folder);
    std::printf("again: CRASH_IMAGE=%s\n", folder);
  }
  void check_store(SimulatedDisk& disk, engine::Lsn durable) {
    {
      WorkloadMachine machine{disk, kind_, workload_};
      const auto started = machine.start();
      ASSERT_TRUE(started) << started.error().message;
      const auto read = machine.read();
      for (const auto& [key, error] : read.errors) FAIL() << key.name << ": " << error.message;
      ASSERT_EQ(history_.judge(read.found, durable), "");
      if (states_ % 8 != 0) return;
      machine.run(kRecords, kRecords + kRecordsAfter, seed_);
      ASSERT_TRUE(machine.errors().empty()) << machine.errors().front().message;
      ASSERT_EQ(machine.read().found.at(StoreWorkload::marker()),
                std::to_string(kRecords + kRecordsAfter - 1));
    }
    engine::Verification verification{[](engine::Finding finding, const std::string& line) {
      if (finding != engine::Finding::remark) ADD_FAILURE() << "verify: " << line;
    }};
    verify_folder(disk, WorkloadMachine::kFolder, verification, WorkloadMachine::is_large);
    ASSERT_EQ(verification.problems(), 0u);
  }

  const std::uint64_t seed_;
  const std::size_t kind_index_;
  const StoreKind kind_;
  const StoreWorkload workload_;
  WorkloadHistory history_;
  std::mt19937_64 random_;
  std::string where_;
  std::uint64_t states_ = 0;
};

TEST(StoreCrashStates, EachIsAStateOfTheLogWithAllThatWasDurable) {
  if (const char* const folder = std::getenv("CRASH_IMAGE")) {
    ImageNote note;
    const auto disk = load_image(folder, note);
    CrashStates{note.kind, note.seed}.try_image(*disk, note.durable);
    return;
  }
  const std::uint64_t seed = engine::test_seed();
  SCOPED_TRACE(fmt::format("TEST_SEED={}", seed));
  const std::uint64_t wanted = engine::asked_of_test("CRASH_STATES", engine::rounds_of_test(1200));
  const std::size_t kinds = StoreKind::all().size();
  // Few states are spread over all kinds of stores.
  const std::uint64_t per_run = std::max<std::uint64_t>(1, wanted / kinds);
  std::uint64_t states = 0;
  for (std::uint64_t round = 0; states < wanted && !HasFailure(); ++round) {
    CrashStates run{round % kinds, seed + round / kinds};
    run.run(std::min(per_run, wanted - states));
    states += run.states();
  }
  engine::report_states(states);
}

}  // namespace
}  // namespace shale::cluster
