// Backups of a store on a simulated disk: what they hold, and what a crash at any of their calls leaves.
//
// Record n of the workload writes "marker" = n together with two keys in other shards. So a store, or a
// backup of it, that has marker m is right if it is as it was after record m, and m tells where it was cut.
#include "cluster/backups.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <map>
#include <thread>

#include "cluster/reshaper.h"
#include "cluster/store.h"
#include "cluster/verify.h"
#include "engine/testing/effort.h"
#include "engine/testing/simulated_disk.h"
#include "engine/testing/test_seed.h"
#include "tests/cluster/folder_of_test.h"
#include "tests/cluster/store_client.h"
#include "tests/engine/unsynced_name.h"

namespace shale::cluster {
namespace {

constexpr int kKeys = 60;

Bytes value_of(int record) { return fmt::format("{:0>700}", record); }

std::map<Bytes, Bytes> writes_of(int record) {
  return {{"marker", std::to_string(record)},
          {fmt::format("key-{}", record % kKeys), value_of(record)},
          {fmt::format("other-{}", record * 7 % kKeys), value_of(record)}};
}

std::map<Bytes, Bytes> state_after(int record) {
  std::map<Bytes, Bytes> state;
  for (int written = 0; written <= record; ++written) {
    for (auto& [key, value] : writes_of(written)) state[key] = value;
  }
  return state;
}

// A store that is open in a folder.
class Machine {
 public:
  Machine(engine::SimulatedDisk& disk, const std::string& folder, std::size_t backups_kept = 0) {
    StoreOptions options;
    options.folder = folder;
    set_folder_of_test(options, {"key-4", "other"});
    options.shards = 3;
    options.virtual_nodes = 8;
    options.memtable_bytes = 1u << 20;
    options.cache_bytes = 1u << 20;
    options.log_segment_bytes = 64u << 10;
    options.maintenance_interval = std::chrono::milliseconds{0};
    options.backups_kept = backups_kept;
    StoreRecovery recovery;
    auto opened = Store::open(disk, *background_, *clock_, options, recovery);
    if (!opened) {
      error_ = opened.error().message;
      return;
    }
    store_ = std::move(*opened);
    client_ = std::make_unique<StoreClient>(*store_);
  }
  ~Machine() {
    background_->stop();
    client_.reset();
    store_.reset();
  }

  const std::string& error() const { return error_; }
  Store& store() { return *store_; }

  // Writes these records, with tables and checkpoints made and trimmed behind them.
  void write(int first, int end) {
    for (int record = first; record < end; ++record) {
      client_->write(writes_of(record));
      if (record % 16 == 15) flush();
      if (record % 8 == 7) static_cast<void>(store_->maintain().has_value());
    }
  }
  void flush() {
    for (const auto& shard : store_->shards()) {
      const std::lock_guard lock{shard->mutex};
      shard->engine->flush();
    }
  }

  void sync() {
    engine::Log& log = store_->log();
    std::promise<void> synced;
    log.when_synced(log.appended_lsn(), [&](const engine::Status&) { synced.set_value(); });
    synced.get_future().get();
  }

  int marker() {
    const auto found = client_->read({"marker"});
    return found[0] ? std::stoi(*found[0]) : -1;
  }
  void expect_state_after_its_marker() {
    const int record = marker();
    std::vector<Bytes> keys;
    for (int number = 0; number < kKeys; ++number) {
      keys.push_back(fmt::format("key-{}", number));
      keys.push_back(fmt::format("other-{}", number));
    }
    const auto expected = state_after(record);
    const auto found = client_->read(keys);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const auto known = expected.find(keys[i]);
      const auto wanted = known == expected.end() ? std::nullopt : std::optional<Bytes>{known->second};
      ASSERT_EQ(found[i], wanted) << keys[i] << " after record " << record;
    }
  }

 private:
  std::unique_ptr<engine::Background> background_ = engine::make_thread_background(1, 1);
  std::unique_ptr<engine::Clock> clock_ = engine::make_system_clock();
  std::unique_ptr<Store> store_;
  std::unique_ptr<StoreClient> client_;
  std::string error_;
};

void expect_sound(engine::SimulatedDisk& disk, const std::string& folder) {
  std::string findings;
  engine::Verification found{[&](engine::Finding, const std::string& line) { findings += line + "\n"; }};
  verify_folder(disk, folder, found);
  EXPECT_EQ(found.problems() + found.unchecked(), 0u) << findings;
}

// Of a backup, which is used up by that. Returns its marker.
int check_backup(engine::SimulatedDisk& disk, const std::string& path) {
  expect_sound(disk, path);
  Machine restored{disk, path};
  EXPECT_EQ(restored.error(), "");
  if (!restored.error().empty()) return -1;
  restored.expect_state_after_its_marker();
  return restored.marker();
}

TEST(StoreBackup, HoldsWhatWasWrittenBeforeItAndNothingElse) {
  engine::SimulatedDisk disk{1};
  Machine machine{disk, "/data"};
  machine.write(0, 200);
  const auto made = machine.store().backups().run();
  ASSERT_TRUE(made) << made.error().message;
  machine.write(200, 400);
  machine.flush();
  EXPECT_EQ(check_backup(disk, made->backup.path), 199);
  EXPECT_GE(made->size.files, 2u);  // catalog and log, and what has been flushed by then
  EXPECT_EQ(machine.marker(), 399);
  machine.expect_state_after_its_marker();
}

TEST(StoreBackup, OfAnEmptyStoreIsAnEmptyStore) {
  engine::SimulatedDisk disk{1};
  Machine machine{disk, "/data"};
  const auto made = machine.store().backups().run();
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(check_backup(disk, made->backup.path), -1);
}

// Whatever the store does meanwhile: each backup is the store after one record, between the last one before
// it and the first one behind it.
TEST(StoreBackup, IsOfOneMomentWhileTheStoreIsWrittenAndReshaped) {
  engine::SimulatedDisk disk{engine::test_seed()};
  Machine machine{disk, "/data"};
  machine.write(0, 100);
  std::atomic<int> written = 99;
  std::atomic<bool> done = false;
  std::thread writer{[&] {
    for (int record = 100; !done; ++record) {
      machine.write(record, record + 1);
      written = record;
    }
  }};
  std::thread reshaping{[&] {
    Reshaper& reshaper = machine.store().reshaper();
    for (int turn = 0; !done; ++turn) {
      const auto shards = machine.store().shards();
      ReshapeRequest request;
      request.shard = shards[static_cast<std::size_t>(turn) % shards.size()]->id;
      switch (turn % 4) {
        case 0: request.kind = ReshapeKind::split; break;
        case 2:
          request.kind = ReshapeKind::merge;
          request.other = shards[static_cast<std::size_t>(turn + 1) % shards.size()]->id;
          break;
        default:
          request.kind = ReshapeKind::move;
          request.engine = turn % 8 == 1 ? EngineKind::btree : EngineKind::lsm;
      }
      static_cast<void>(reshaper.run(request).has_value());
    }
  }};
  struct Cut {
    std::string path;
    int written_before;
    int written_after;
  };
  std::vector<Cut> cuts;
  for (int number = 0; number < 6; ++number) {
    const int before = written;
    const auto made = machine.store().backups().run();
    EXPECT_TRUE(made) << made.error().message;
    if (made) cuts.push_back({made->backup.path, before, written + 1});
  }
  done = true;
  writer.join();
  reshaping.join();
  for (const Cut& cut : cuts) {
    const int marker = check_backup(disk, cut.path);
    EXPECT_GE(marker, cut.written_before);
    EXPECT_LE(marker, cut.written_after);
  }
}

// Each of its calls in turn is refused, each time in a store of its own.
TEST(StoreBackup, ThatFailsLeavesNothingHalfMadeAndTheNextOneIsWhole) {
  int failures = 0;
  for (std::uint64_t call = 1;; ++call) {
    SCOPED_TRACE(call);
    engine::SimulatedDisk disk{1};
    Machine machine{disk, "/data"};
    machine.write(0, 7);  // too few for work in the background, which would meet the fault instead
    machine.sync();
    while (machine.store().log().stats().segments < 2) std::this_thread::yield();  // the next one is prepared
    Backups& backups = machine.store().backups();
    const std::uint64_t calls_before = disk.calls(engine::DiskCall::any);
    disk.fail(engine::DiskCall::any, call, engine::ErrorKind::no_space);
    const auto made = backups.run();
    disk.heal();
    EXPECT_EQ(backups.status().last_error.empty(), made.has_value());
    if (made && disk.calls(engine::DiskCall::any) - calls_before < call) break;
    ASSERT_FALSE(made);
    ++failures;
    if (const auto left = disk.list_folders("/data/backups")) {  // else it has not even been made
      for (const std::string& name : *left) {
        EXPECT_FALSE(name.ends_with(".tmp")) << name;
        EXPECT_EQ(check_backup(disk, "/data/backups/" + name), 6) << "only its name was not durable";
      }
    }
    machine.write(7, 12);
    ASSERT_TRUE(backups.run());
    EXPECT_EQ(check_backup(disk, backups.status().newest->path), 11);
    machine.write(12, 40);
    machine.expect_state_after_its_marker();
  }
  EXPECT_GT(failures, 20);
}

TEST(StoreBackup, RefusesToFillTheDisk) {
  engine::SimulatedDisk disk{1};
  Machine machine{disk, "/data"};
  machine.write(0, 50);
  disk.set_capacity(8u << 20);
  const auto refused = machine.store().backups().run();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, engine::ErrorKind::no_space);
  machine.write(50, 60);
}

// The disk dies at a call of the second backup.
class StoreBackupCrash : public testing::TestWithParam<engine::Unsynced> {};

TEST_P(StoreBackupCrash, AtAnyCallLeavesTheStoreAndWholeBackups) {
  const std::uint64_t seed = engine::test_seed();
  SCOPED_TRACE(fmt::format("TEST_SEED={}", seed));
  std::uint64_t calls = 0;  // of a whole backup
  {
    engine::SimulatedDisk disk{seed};
    Machine machine{disk, "/data"};
    machine.write(0, 150);
    const std::uint64_t before = disk.mutating_calls();
    ASSERT_TRUE(machine.store().backups().run());
    calls = disk.mutating_calls() - before;
  }
  // CRASH_POINTS: at how many calls to die; a sample by default.
  const std::uint64_t points = engine::crash_points(calls, 16);
  for (std::uint64_t point = 0; point < points; ++point) {
    const std::uint64_t call = 1 + (point * calls + seed % calls) / points % calls;
    SCOPED_TRACE(fmt::format("crash at call {} of {}", call, calls));
    engine::SimulatedDisk disk{seed + point};
    std::string first;
    {
      Machine machine{disk, "/data", 1};
      machine.write(0, 80);
      first = machine.store().backups().run().value().backup.path;
      machine.write(80, 150);
      machine.sync();
      disk.crash_at_call(call);
      static_cast<void>(machine.store().backups().run().has_value());
      disk.power_off();
    }
    disk.crash(GetParam());
    Machine machine{disk, "/data"};
    ASSERT_EQ(machine.error(), "");
    machine.expect_state_after_its_marker();
    bool any = false;
    for (const std::string& name : disk.list_folders("/data/backups").value()) {
      EXPECT_FALSE(name.ends_with(".tmp")) << name;
      const std::string path = "/data/backups/" + name;
      EXPECT_EQ(check_backup(disk, path), path == first ? 79 : 149);
      any = true;
    }
    EXPECT_TRUE(any) << "neither the old backup nor the new one";
    machine.expect_state_after_its_marker();  // what the backups do is nothing to it
  }
}

INSTANTIATE_TEST_SUITE_P(Unsynced, StoreBackupCrash,
                         testing::Values(engine::Unsynced::lost, engine::Unsynced::kept,
                                         engine::Unsynced::torn),
                         engine::unsynced_name);

class BackupFoldersTest : public testing::Test {
 protected:
  BackupFolders::Backup make(std::int64_t unix_ms) {
    auto backup = folders_.begin(unix_ms).value();
    const std::string folder = BackupFolders::temporary_path(backup);
    EXPECT_TRUE(disk_.create_folder(folder + "/log"));
    EXPECT_TRUE(engine::replace_file(disk_, folder + "/FORMAT", "format"));
    EXPECT_TRUE(folders_.finish(backup));
    return backup;
  }
  std::vector<std::string> names() { return disk_.list_folders("/data/backups").value(); }

  engine::SimulatedDisk disk_{1};
  BackupFolders folders_{disk_, "/data/backups"};
  const bool made_ = disk_.create_folder("/data").has_value();
};

constexpr std::int64_t kMorning = 1769828400123;  // 2026-01-31, 03:00

TEST_F(BackupFoldersTest, AreNamedByTheirTimeInOrderAlsoIfTheClockIsSetBack) {
  make(kMorning);
  make(kMorning - 3'600'000);
  EXPECT_THAT(names(), testing::ElementsAre("2026-01-31T03-00-00.123Z", "2026-01-31T03-00-00.124Z"));
  const auto listed = folders_.list().value();
  ASSERT_EQ(listed.size(), 2u);
  EXPECT_EQ(listed.back().unix_ms, kMorning + 1);
}

TEST_F(BackupFoldersTest, OnlyTheNewestAreKeptAndNoneThatAServerWasStartedOn) {
  const auto in_use = make(kMorning);
  ASSERT_TRUE(disk_.create(in_use.path + "/LOCK"));
  make(kMorning + 1000);
  make(kMorning + 2000);
  ASSERT_TRUE(disk_.create_folder("/data/backups/mine"));
  ASSERT_TRUE(folders_.keep_newest(1));
  EXPECT_THAT(names(), testing::ElementsAre("2026-01-31T03-00-00.123Z", "2026-01-31T03-00-02.123Z", "mine"));
}

TEST_F(BackupFoldersTest, WhatIsUnfinishedIsRemovedAndNothingElse) {
  const auto half_made = folders_.begin(kMorning).value();
  ASSERT_TRUE(engine::replace_file(disk_, BackupFolders::temporary_path(half_made) + "/FORMAT", "format"));
  ASSERT_TRUE(disk_.create_folder("/data/backups/other.tmp"));
  ASSERT_TRUE(folders_.remove_unfinished());
  EXPECT_THAT(names(), testing::ElementsAre("other.tmp"));
}

}  // namespace
}  // namespace shale::cluster
