// The machine dies at every call that changes the disk, the disk makes of the rest what it likes, recovery
// dies once more, and then the log must hold what it acknowledged: a prefix of what was appended.
#include <gtest/gtest.h>

#include <atomic>
#include <random>

#include "engine/log/log.h"
#include "engine/testing/effort.h"
#include "engine/testing/test_seed.h"
#include "tests/engine/log/log_testing.h"

namespace shale::engine {
namespace {

constexpr std::uint64_t kSegmentBytes = 4096;

// What the owner of the log knows when the machine dies.
struct Issued {
  std::vector<Bytes> payloads;  // by lsn - 1; the last may have been refused
  Lsn acknowledged = 0;
  Lsn needed = 1;
};

// Appends with rotation, large records, syncs, trims and a restart, until done or refused. The sizes repeat,
// so that stale records of recycled segments stand where new ones are written.
void run_workload(SimulatedDisk& disk, SyncMode mode, Issued& issued) {
  for (int life = 0; life < 2; ++life) {
    OpenedLog opened = open_replayed(disk, {kSegmentBytes, mode}, issued.needed);
    if (!opened.log) return;
    Log& log = **opened.log;
    ASSERT_EQ(log.appended_lsn(), issued.payloads.size());
    for (int i = 0; i < 60; ++i) {
      const std::size_t size_bytes = i % 25 == 20 ? 6000 : 100 + 200 * (i % 3);
      const Lsn lsn = issued.payloads.size() + 1;
      issued.payloads.push_back(numbered(lsn, size_bytes));
      const auto appended = append_patiently(log, 1, issued.payloads.back());
      if (!appended) return;
      ASSERT_EQ(*appended, lsn);
      const int sync_every = mode == SyncMode::always ? 3 : mode == SyncMode::every_second ? 10 : 30;
      if (i % sync_every != 0) continue;
      if (!wait_synced(log, lsn)) return;
      issued.acknowledged = lsn;
      if (i % 20 != 0) continue;
      issued.needed = lsn - lsn / 8;
      if (!log.trim(issued.needed)) return;
    }
    if (!wait_synced(log, log.appended_lsn())) return;
    issued.acknowledged = issued.payloads.size();
  }
}

// Opens the log after a crash and holds it to what was issued; returns it to go on with.
void check_recovered(SimulatedDisk& disk, SyncMode mode, Issued& issued) {
  OpenedLog opened = open_replayed(disk, {kSegmentBytes, mode}, issued.needed);
  ASSERT_TRUE(opened.log) << opened.log.error().message;
  Log& log = **opened.log;
  ASSERT_GE(log.appended_lsn(), issued.acknowledged);
  ASSERT_LE(log.appended_lsn(), issued.payloads.size());
  issued.payloads.resize(log.appended_lsn());
  ASSERT_EQ(opened.records.size(), issued.payloads.size() + 1 - issued.needed);
  Lsn lsn = issued.needed;
  for (const ReplayedRecord& record : opened.records) {
    ASSERT_EQ(record.lsn, lsn);
    ASSERT_EQ(record.payload, issued.payloads[lsn - 1]);
    ++lsn;
  }
  // What was recovered is as safe as what was acknowledged: the owner will build upon it.
  ASSERT_EQ(log.synced_lsn(), log.appended_lsn());
  issued.acknowledged = log.synced_lsn();
  for (int i = 0; i < 5; ++i) {
    issued.payloads.push_back("after:" + numbered(issued.payloads.size() + 1, 300));
    ASSERT_EQ(append_patiently(log, 1, issued.payloads.back()).value(), issued.payloads.size());
  }
  disk.power_off();
}

class LogCrash : public testing::TestWithParam<SyncMode> {};

TEST_P(LogCrash, AtEveryCallKeepsWhatWasAcknowledgedAndNothingButAPrefix) {
  std::uint64_t states = 0;
  for (const Unsynced unsynced : {Unsynced::lost, Unsynced::kept, Unsynced::torn}) {
    bool survived = false;
    for (std::uint64_t k = 1; !survived; ++k) {
      const std::uint64_t seed = test_seed() + k;
      SCOPED_TRACE(fmt::format("call {} unsynced {} seed {}", k, static_cast<int>(unsynced), seed));
      std::mt19937_64 random{seed};
      SimulatedDisk disk{seed};
      Issued issued;
      disk.crash_at_call(k);
      run_workload(disk, GetParam(), issued);
      survived = !disk.is_off();
      disk.power_off();
      disk.crash(unsynced);

      // Recovery dies too, maybe more than once, at a call of its own or of the threads it has started.
      while (random() % 2 == 0) {
        disk.crash_at_call(1 + random() % 12);
        (void)open_replayed(disk, {kSegmentBytes, GetParam()}, issued.needed);
        disk.power_off();
        disk.crash(random() % 2 == 0 ? Unsynced::torn : unsynced);
      }
      check_recovered(disk, GetParam(), issued);
      if (HasFatalFailure()) return;
      disk.crash(Unsynced::torn);
      check_recovered(disk, GetParam(), issued);
      if (HasFatalFailure()) return;
      states += 2;
    }
  }
  report_states(states);
}

INSTANTIATE_TEST_SUITE_P(AllModes, LogCrash,
                         testing::Values(SyncMode::always, SyncMode::every_second, SyncMode::never),
                         [](const auto& mode) {
                           switch (mode.param) {
                             case SyncMode::always: return "always";
                             case SyncMode::every_second: return "every_second";
                             case SyncMode::never: break;
                           }
                           return "never";
                         });

// Every call fails once, and the log is either unharmed by it or says that it has stopped.
TEST(LogFaults, EveryCallMayFailOnce) {
  for (std::uint64_t k = 1;; ++k) {
    SCOPED_TRACE(fmt::format("call {}", k));
    SimulatedDisk disk{test_seed()};
    Issued issued;
    const std::uint64_t calls_before = disk.calls(DiskCall::any);
    disk.fail(DiskCall::any, k, ErrorKind::io);
    run_workload(disk, SyncMode::always, issued);
    if (testing::Test::HasFatalFailure()) return;
    const bool failed = disk.calls(DiskCall::any) - calls_before >= k;
    disk.power_off();
    disk.crash(Unsynced::lost);
    check_recovered(disk, SyncMode::always, issued);
    if (testing::Test::HasFatalFailure() || !failed) return;
  }
}

}  // namespace
}  // namespace shale::engine
