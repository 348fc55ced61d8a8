#include "engine/testing/simulated_disk.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "engine/testing/manual_background.h"
#include "engine/testing/manual_clock.h"
#include "engine/testing/test_seed.h"

namespace shale::engine {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr Unsynced kAllOutcomes[] = {Unsynced::lost, Unsynced::kept, Unsynced::torn};

class SimulatedDiskTest : public testing::Test {
 protected:
  SimulatedDiskTest() { EXPECT_TRUE(disk_.create_folder("data")); }

  std::unique_ptr<File> create_durable(const std::string& path, BytesView bytes) {
    auto file = disk_.create(path).value();
    EXPECT_TRUE(file->write_at(0, bytes));
    EXPECT_TRUE(file->sync());
    EXPECT_TRUE(disk_.sync_folder("data"));
    return file;
  }

  SimulatedDisk disk_{test_seed()};
};

TEST_F(SimulatedDiskTest, KeepsWhatWasSyncedWhateverTheCrash) {
  for (const Unsynced unsynced : kAllOutcomes) {
    create_durable("data/a", "synced");
    disk_.crash(unsynced);
    EXPECT_EQ(disk_.contents("data/a"), "synced");
  }
}

TEST_F(SimulatedDiskTest, LosesOrKeepsUnsyncedBytesAsAsked) {
  auto file = create_durable("data/a", "old");
  ASSERT_TRUE(file->write_at(0, "newer"));
  EXPECT_EQ(disk_.contents("data/a"), "newer");
  disk_.crash(Unsynced::lost);
  EXPECT_EQ(disk_.contents("data/a"), "old");

  file = create_durable("data/b", "old");
  ASSERT_TRUE(file->write_at(0, "newer"));
  disk_.crash(Unsynced::kept);
  EXPECT_EQ(disk_.contents("data/b"), "newer");
}

TEST_F(SimulatedDiskTest, ALinkIsTheSameFileAndDurableWithItsFolder) {
  auto file = create_durable("data/a", "old");
  ASSERT_TRUE(disk_.link("data/a", "data/b"));
  ASSERT_TRUE(disk_.link("data/a", "data/lost"));
  EXPECT_FALSE(disk_.link("data/a", "data/b"));
  ASSERT_TRUE(file->write_at(0, "new"));
  EXPECT_EQ(disk_.contents("data/b"), "new");
  ASSERT_TRUE(disk_.remove("data/lost"));
  ASSERT_TRUE(disk_.sync_folder("data"));
  ASSERT_TRUE(disk_.remove("data/a"));
  ASSERT_TRUE(disk_.sync_folder("data"));
  disk_.crash(Unsynced::lost);
  EXPECT_EQ(disk_.contents("data/b"), "old");
  EXPECT_THAT(disk_.list("data").value(), ElementsAre("b"));
}

TEST_F(SimulatedDiskTest, AFolderIsRenamedAsAWholeAndDurablyOnlyWithASync) {
  for (const bool synced : {false, true}) {
    ASSERT_TRUE(disk_.create_folder("data/new/inner"));
    ASSERT_TRUE(replace_file(disk_, "data/new/inner/a", "kept"));
    ASSERT_TRUE(disk_.rename("data/new", "data/old"));
    EXPECT_EQ(disk_.contents("data/old/inner/a"), "kept");
    EXPECT_THAT(disk_.list_folders("data").value(), ElementsAre("old"));
    if (synced) {
      ASSERT_TRUE(disk_.sync_folder("data"));
    }
    disk_.crash(Unsynced::lost);
    EXPECT_EQ(disk_.contents(synced ? "data/old/inner/a" : "data/new/inner/a"), "kept");
  }
  EXPECT_FALSE(disk_.remove_folder("data/old"));
  ASSERT_TRUE(disk_.remove("data/old/inner/a"));
  ASSERT_TRUE(disk_.remove_folder("data/old/inner"));
  ASSERT_TRUE(disk_.remove_folder("data/old"));
  EXPECT_THAT(disk_.list_folders("data").value(), IsEmpty());
}

TEST_F(SimulatedDiskTest, TearsByGrainsIndependently) {
  constexpr std::size_t kSectors = 64;
  bool torn_within_a_page = false;
  bool later_without_earlier = false;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    auto file = create_durable("data/a", Bytes(kSectors * 512, 'o'));
    ASSERT_TRUE(file->write_at(0, Bytes(kSectors * 512, 'n')));
    disk_.crash(Unsynced::torn, test_seed() + seed);
    const Bytes bytes = disk_.contents("data/a");
    ASSERT_EQ(bytes.size(), kSectors * 512);
    bool lost_one = false;
    for (std::size_t sector = 0; sector < kSectors; ++sector) {
      const Bytes grain = bytes.substr(sector * 512, 512);
      ASSERT_TRUE(grain == Bytes(512, 'o') || grain == Bytes(512, 'n'));
      if (sector % 8 != 0 && grain[0] != bytes[(sector - 1) * 512]) torn_within_a_page = true;
      lost_one = lost_one || grain[0] == 'o';
      if (lost_one && grain[0] == 'n') later_without_earlier = true;
    }
  }
  EXPECT_TRUE(torn_within_a_page);
  EXPECT_TRUE(later_without_earlier);
}

TEST_F(SimulatedDiskTest, TornRepeatsFromTheSeed) {
  const auto outcome = [](std::uint64_t seed) {
    SimulatedDisk disk{1};
    EXPECT_TRUE(disk.create_folder("data"));
    auto file = disk.create("data/a").value();
    EXPECT_TRUE(disk.sync_folder("data"));
    EXPECT_TRUE(file->write_at(0, Bytes(100'000, 'x')));
    disk.crash(Unsynced::torn, seed);
    return disk.contents("data/a");
  };
  EXPECT_EQ(outcome(test_seed()), outcome(test_seed()));
}

TEST_F(SimulatedDiskTest, BytesWrittenThroughAMapNeedItsSync) {
  {
    auto map = disk_.create_mapped("data/map", 8192).value();
    ASSERT_TRUE(map->sync(0, 8192));
    ASSERT_TRUE(disk_.sync_folder("data"));
    BytesView{"first"}.copy(map->bytes().data(), 5);
    BytesView{"second"}.copy(map->bytes().data() + 4096, 6);
    ASSERT_TRUE(map->sync(4096, 6));
  }
  disk_.crash(Unsynced::lost);
  EXPECT_EQ(disk_.contents("data/map").substr(0, 5), Bytes(5, '\0'));
  EXPECT_EQ(disk_.contents("data/map").substr(4096, 6), "second");
}

TEST_F(SimulatedDiskTest, NamesNeedSyncFolder) {
  create_durable("data/kept", "");
  ASSERT_TRUE(disk_.create("data/new"));
  ASSERT_TRUE(disk_.rename("data/kept", "data/renamed"));
  EXPECT_THAT(disk_.list("data").value(), ElementsAre("new", "renamed"));
  disk_.crash(Unsynced::lost);
  EXPECT_THAT(disk_.list("data").value(), ElementsAre("kept"));

  ASSERT_TRUE(disk_.remove("data/kept"));
  disk_.crash(Unsynced::lost);
  EXPECT_THAT(disk_.list("data").value(), ElementsAre("kept"));
  ASSERT_TRUE(disk_.remove("data/kept"));
  ASSERT_TRUE(disk_.sync_folder("data"));
  disk_.crash(Unsynced::kept);
  EXPECT_THAT(disk_.list("data").value(), IsEmpty());
}

TEST_F(SimulatedDiskTest, ReplaceFileLeavesOldOrNewAtEveryCrash) {
  for (const Unsynced unsynced : kAllOutcomes) {
    for (std::uint64_t k = 1;; ++k) {
      ASSERT_TRUE(replace_file(disk_, "data/manifest", "old"));
      disk_.crash_at_call(k);
      const bool done = replace_file(disk_, "data/manifest", "new").has_value();
      disk_.crash(unsynced);
      const Bytes found = read_file(disk_, "data/manifest").value();
      if (done) {
        EXPECT_EQ(found, "new");
        break;
      }
      EXPECT_TRUE(found == "old" || found == "new") << found;
    }
  }
}

TEST_F(SimulatedDiskTest, AKilledProcessLosesNothingButItsHandlesAndLocks) {
  auto file = disk_.create("data/a").value();
  auto lock = disk_.lock("data/lock");
  ASSERT_TRUE(lock);
  EXPECT_EQ(disk_.lock("data/lock").error().kind, ErrorKind::locked);
  ASSERT_TRUE(file->write_at(0, "unsynced"));
  disk_.process_kill();
  EXPECT_EQ(disk_.contents("data/a"), "unsynced");
  EXPECT_FALSE(file->write_at(0, "from the grave"));
  auto second = disk_.lock("data/lock");
  EXPECT_TRUE(second);
  lock->reset();  // of the dead process: must not release the lock of the living
  EXPECT_FALSE(disk_.lock("data/lock"));
  disk_.crash(Unsynced::lost);
  EXPECT_THAT(disk_.list("data").value(), IsEmpty());
}

TEST_F(SimulatedDiskTest, AMapOfADeadProcessNoLongerReachesTheFile) {
  auto map = disk_.create_mapped("data/map", 16).value();
  disk_.process_kill();
  BytesView{"ghost"}.copy(map->bytes().data(), 5);
  EXPECT_EQ(disk_.contents("data/map"), Bytes(16, '\0'));
}

TEST_F(SimulatedDiskTest, FailsTheNthCallOnceOrForEver) {
  auto file = disk_.create("data/a").value();
  disk_.fail(DiskCall::write, 2, ErrorKind::io);
  EXPECT_TRUE(file->write_at(0, "1"));
  EXPECT_EQ(file->write_at(0, "2").error().message, "write data/a: Input/output error");
  EXPECT_TRUE(file->write_at(0, "3"));
  disk_.fail(DiskCall::any, 1, ErrorKind::no_space, true);
  EXPECT_EQ(file->write_at(0, "4").error().kind, ErrorKind::no_space);
  EXPECT_EQ(file->sync().error().kind, ErrorKind::no_space);
  EXPECT_FALSE(disk_.open("data/a"));
  disk_.heal();
  EXPECT_TRUE(file->sync());
  EXPECT_EQ(disk_.contents("data/a"), "3");
  EXPECT_EQ(disk_.calls(DiskCall::write), 4u);
}

TEST_F(SimulatedDiskTest, ASyncThatSucceedsAfterOneThatFailedCoversNothingOfBefore) {
  auto file = create_durable("data/a", Bytes(8192, 'o'));
  ASSERT_TRUE(file->write_at(0, Bytes(8192, 'n')));
  disk_.fail(DiskCall::sync, 1, ErrorKind::io);
  EXPECT_FALSE(file->sync());
  ASSERT_TRUE(file->write_at(4096, Bytes(4096, 'N')));
  EXPECT_TRUE(file->sync());
  disk_.crash(Unsynced::kept);
  EXPECT_EQ(disk_.contents("data/a"), Bytes(4096, 'o') + Bytes(4096, 'N'));
}

TEST_F(SimulatedDiskTest, IsFullAtItsCapacity) {
  disk_.set_capacity(100);
  auto file = disk_.create("data/a").value();
  EXPECT_TRUE(file->write_at(0, Bytes(60, 'x')));
  EXPECT_EQ(disk_.free_bytes("data").value(), 40u);
  EXPECT_EQ(file->write_at(60, Bytes(41, 'x')).error().kind, ErrorKind::no_space);
  EXPECT_EQ(disk_.create_mapped("data/b", 41).error().kind, ErrorKind::no_space);
  EXPECT_TRUE(disk_.remove("data/a"));
  EXPECT_TRUE(disk_.create_mapped("data/b", 100));
}

TEST_F(SimulatedDiskTest, NothingHappensFromTheCallTheMachineDiesAt) {
  auto file = disk_.create("data/a").value();
  disk_.crash_at_call(2);
  EXPECT_TRUE(file->write_at(0, "before"));
  EXPECT_FALSE(disk_.is_off());
  EXPECT_FALSE(file->write_at(0, "at it.."));
  EXPECT_TRUE(disk_.is_off());
  EXPECT_FALSE(disk_.exists("data/a"));
  EXPECT_FALSE(disk_.sync_folder("data"));
  EXPECT_EQ(disk_.contents("data/a"), "before");
  disk_.crash(Unsynced::kept);
  EXPECT_TRUE(disk_.exists("data/a").value());
}

TEST_F(SimulatedDiskTest, ACopyHoldsTheSameAndGoesItsOwnWay) {
  auto file = create_durable("data/a", "old");
  ASSERT_TRUE(file->write_at(0, "new"));
  ASSERT_TRUE(disk_.create("data/unsynced"));
  const auto kept = disk_.copy(1);
  const auto lost = disk_.copy(1);
  ASSERT_TRUE(file->write_at(0, "later"));
  EXPECT_EQ(kept->contents("data/a"), "new");
  kept->crash(Unsynced::kept);
  EXPECT_EQ(kept->contents("data/a"), "new");
  EXPECT_THAT(kept->paths(), ElementsAre("data/a", "data/unsynced"));
  lost->crash(Unsynced::lost);
  EXPECT_EQ(lost->contents("data/a"), "old");
  EXPECT_THAT(lost->paths(), ElementsAre("data/a"));
  EXPECT_EQ(disk_.contents("data/a"), "later");
}

TEST_F(SimulatedDiskTest, AWatcherSeesTheDiskBeforeEveryCallThatChangesIt) {
  std::vector<Bytes> seen;
  auto file = create_durable("data/a", "0");
  disk_.watch([&](std::uint64_t call, const SimulatedDisk::CopyDisk& copy) {
    seen.push_back(fmt::format("{}: {}", call - 5, copy(1)->contents("data/a")));
  });
  const std::uint64_t before = disk_.mutating_calls();
  ASSERT_EQ(before, 5u);  // the folder, and create_durable()
  ASSERT_TRUE(file->write_at(0, "1"));
  ASSERT_TRUE(file->write_at(0, "2"));
  ASSERT_TRUE(disk_.exists("data/a"));
  ASSERT_TRUE(file->sync());
  EXPECT_THAT(seen, ElementsAre("1: 0", "2: 1", "3: 2"));
}

TEST_F(SimulatedDiskTest, DamagesAsTold) {
  create_durable("data/a", Bytes(8, '\0'));
  disk_.flip_bit("data/a", 9);
  disk_.overwrite("data/a", 4, "xy");
  disk_.truncate("data/a", 6);
  disk_.crash(Unsynced::lost);
  EXPECT_EQ(disk_.contents("data/a"), (Bytes{'\0', '\2', '\0', '\0', 'x', 'y'}));
}

TEST_F(SimulatedDiskTest, HasInMemoryAsMuchOfAFileAsIsLikely) {
  create_durable("data/a", "12345678");
  const auto file = disk_.open("data/a").value();
  Bytes bytes(6, '-');
  EXPECT_EQ(file->read_resident(1, bytes), 0U);
  EXPECT_EQ(bytes, "------");
  disk_.set_resident_percent(100);
  EXPECT_EQ(file->read_resident(1, bytes), 6U);
  EXPECT_EQ(bytes, "234567");
  EXPECT_EQ(file->read_resident(6, bytes), 2U);  // all there is
  EXPECT_EQ(bytes, "784567");
  EXPECT_EQ(file->read_resident(9, bytes), 0U);
  disk_.set_resident_percent(50);
  std::set<std::size_t> counts;
  for (int i = 0; i != 200; ++i) counts.insert(file->read_resident(0, bytes));
  EXPECT_GT(counts.size(), 2U);
  EXPECT_EQ(*counts.rbegin(), 6U);
  disk_.crash(Unsynced::lost);
  disk_.set_resident_percent(100);
  EXPECT_EQ(file->read_resident(0, bytes), 0U);  // a handle of before
}

TEST(ManualClockTest, MovesOnlyWhenTold) {
  ManualClock clock{1000};
  const auto start = clock.now();
  clock.advance(std::chrono::microseconds{600});
  EXPECT_EQ(clock.unix_ms(), 1000);
  clock.advance(std::chrono::microseconds{600});
  EXPECT_EQ(clock.unix_ms(), 1001);
  EXPECT_EQ(clock.now() - start, std::chrono::microseconds{1200});
  clock.set_unix_ms(5);
  EXPECT_EQ(clock.unix_ms(), 5);
}

TEST(ManualBackgroundTest, RunsWhenToldInOrderOfPriority) {
  ManualBackground background;
  std::vector<int> order;
  background.submit(Priority::deep_compaction, [&] { order.push_back(3); });
  background.submit(Priority::flush, [&] {
    order.push_back(1);
    background.submit(Priority::flush, [&] { order.push_back(2); });
  });
  EXPECT_THAT(order, IsEmpty());
  EXPECT_EQ(background.waiting(), 2u);
  EXPECT_EQ(background.run_all(), 3u);
  EXPECT_THAT(order, ElementsAre(1, 2, 3));
  background.submit(Priority::flush, [&] { order.push_back(4); });
  background.stop();
  background.submit(Priority::flush, [&] { order.push_back(5); });
  EXPECT_FALSE(background.run_one());
}

TEST(ManualBackgroundTest, RandomOrderRepeatsFromTheSeed) {
  const auto order = [](std::uint64_t seed) {
    ManualBackground background{seed};
    std::vector<int> ran;
    for (int i = 0; i < 20; ++i) background.submit(Priority::flush, [&ran, i] { ran.push_back(i); });
    background.run_all();
    return ran;
  };
  EXPECT_EQ(order(test_seed()), order(test_seed()));
  EXPECT_NE(order(1), order(2));
}

}  // namespace
}  // namespace shale::engine
