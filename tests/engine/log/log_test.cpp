#include "engine/log/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <future>
#include <thread>

#include "engine/testing/test_seed.h"
#include "tests/engine/log/log_testing.h"

namespace shale::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr LogOptions kSmall{4096, SyncMode::every_second};
constexpr LogOptions kSmallUnsynced{4096, SyncMode::never};

class LogTest : public testing::Test {
 protected:
  void open(const LogOptions& options, Lsn first_needed = 1) {
    log_.reset();
    OpenedLog opened = open_replayed(disk_, options, first_needed);
    ASSERT_TRUE(opened.log) << opened.log.error().message;
    log_ = std::move(*opened.log);
    replayed_ = std::move(opened.records);
    recovery_ = opened.recovery;
  }

  void append(std::uint64_t count, std::size_t size_bytes = 100) {
    for (std::uint64_t i = 0; i < count; ++i) {
      const Lsn next = log_->appended_lsn() + 1;
      ASSERT_EQ(append_patiently(*log_, 1, numbered(next, size_bytes)).value(), next);
    }
  }

  void wait_for_spare() const {
    while (log_->stats().segments < 2) std::this_thread::sleep_for(std::chrono::microseconds{100});
  }

  void expect_replayed(Lsn first, Lsn last) const {
    ASSERT_THAT(replayed_, SizeIs(last + 1 - first));
    for (Lsn lsn = first; lsn <= last; ++lsn) {
      ASSERT_EQ(replayed_[lsn - first].lsn, lsn);
      ASSERT_TRUE(replayed_[lsn - first].payload.starts_with(std::to_string(lsn) + ":"));
    }
  }

  SimulatedDisk disk_{test_seed()};
  std::unique_ptr<Log> log_;
  std::vector<ReplayedRecord> replayed_;
  LogRecovery recovery_;
};

TEST_F(LogTest, AnEmptyLogBeginsWithRecordOne) {
  open(kSmall);
  EXPECT_EQ(log_->appended_lsn(), 0u);
  EXPECT_EQ(log_->append(1, "a").value(), 1u);
  EXPECT_EQ(log_->appended_lsn(), 1u);
}

TEST_F(LogTest, ReplaysWhatWasAppendedInOrder) {
  open(kSmall);
  ASSERT_TRUE(log_->append(1, "one"));
  ASSERT_TRUE(log_->append(255, ""));
  ASSERT_TRUE(log_->append(2, Bytes("\0\n\xff", 3)));
  open(kSmall);
  EXPECT_THAT(replayed_, ElementsAre(ReplayedRecord{1, 1, "one"}, ReplayedRecord{2, 255, ""},
                                     ReplayedRecord{3, 2, Bytes("\0\n\xff", 3)}));
  EXPECT_EQ(recovery_.records, 3u);
  EXPECT_EQ(recovery_.bytes, 6u);
  EXPECT_EQ(recovery_.torn_bytes, 0u);
  EXPECT_THAT(recovery_.torn_file, IsEmpty());
  EXPECT_EQ(log_->append(1, "four").value(), 4u);
}

TEST_F(LogTest, RestartsWithoutWritesNeitherLoseNorPileUpAnything) {
  open(kSmall);
  append(5);
  for (int i = 0; i < 10; ++i) {
    open(kSmall);
    expect_replayed(1, 5);
  }
  EXPECT_LE(disk_.list(kLogFolder)->size(), 4u);
}

TEST_F(LogTest, RecordsContinueAcrossSegments) {
  open(kSmall);
  append(500);
  EXPECT_GT(log_->stats().segments, 10u);
  EXPECT_EQ(log_->stats().records_appended, 500u);
  open(kSmall);
  expect_replayed(1, 500);
  EXPECT_GT(recovery_.segments, 10u);
}

TEST_F(LogTest, ReplaysOnlyWhatIsNeeded) {
  open(kSmall);
  append(300);
  open(kSmall, 200);
  expect_replayed(200, 300);
  open(kSmall, 301);
  EXPECT_THAT(replayed_, IsEmpty());
  EXPECT_EQ(log_->append(1, "next").value(), 301u);
}

TEST_F(LogTest, AnErrorOfReplayEndsTheOpening) {
  open(kSmall);
  append(3);
  log_.reset();
  LogRecovery recovery;
  const auto log = open_log(
      disk_, kLogFolder, kSmall, 1,
      [](Lsn lsn, RecordKind, BytesView) {
        return lsn == 2 ? Status{corruption("no such table")} : Status{};
      },
      recovery);
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().message, "no such table");
}

TEST_F(LogTest, ARecordLargerThanASegmentGetsOneOfItsOwn) {
  open(kSmall);
  append(3);
  for (const std::size_t size_bytes : {1025u, 4096u, 100'000u, 1'000'000u}) {
    append(1, size_bytes);
    append(2);
  }
  EXPECT_TRUE(wait_synced(*log_, log_->appended_lsn()));
  open(kSmall);
  expect_replayed(1, 15);
  EXPECT_EQ(replayed_[12].payload, numbered(13, 1'000'000));
}

TEST_F(LogTest, TrimForgetsWholeSegmentsAndKeepsTwoSparesAtMost) {
  open(kSmall);
  append(500);
  ASSERT_TRUE(wait_synced(*log_, 500));
  EXPECT_FALSE(log_->can_trim(1));
  EXPECT_TRUE(log_->can_trim(400));
  ASSERT_TRUE(log_->trim(400));
  EXPECT_FALSE(log_->can_trim(400));
  EXPECT_LT(log_->stats().bytes_kept, 20'000u);
  EXPECT_LE(log_->stats().segments, 3 + 5u);  // at most 31 records fit into a segment of 4096 bytes
  open(kSmall, 400);
  expect_replayed(400, 500);
}

TEST_F(LogTest, AlwaysKnowsItsNextRecordHoweverMuchIsTrimmed) {
  open(kSmallUnsynced);
  append(200);
  ASSERT_TRUE(wait_synced(*log_, 200));
  open(kSmallUnsynced, 201);
  ASSERT_TRUE(log_->trim(201));
  append(1);  // not synced: the crash loses it
  ASSERT_TRUE(log_->trim(201));
  disk_.power_off();
  log_.reset();
  disk_.crash(Unsynced::lost);
  // One who needs records that are gone must be told so, not be given an empty log.
  EXPECT_EQ(open_replayed(disk_, kSmall, 10).log.error().kind, ErrorKind::corruption);
  open(kSmall, 201);
  EXPECT_EQ(log_->append(1, "again").value(), 201u);
}

TEST_F(LogTest, ALogThatBeginsTooLateIsCorruption) {
  open(kSmall);
  append(300);
  ASSERT_TRUE(wait_synced(*log_, 300));
  ASSERT_TRUE(log_->trim(300));
  log_.reset();
  const OpenedLog opened = open_replayed(disk_, kSmall, 10);
  ASSERT_FALSE(opened.log);
  EXPECT_EQ(opened.log.error().kind, ErrorKind::corruption);
  EXPECT_THAT(opened.log.error().message, HasSubstr("but records from 10 on are needed"));
}

TEST_F(LogTest, AFolderWithoutTheLogThatIsNeededIsCorruption) {
  const OpenedLog opened = open_replayed(disk_, kSmall, 10);
  ASSERT_FALSE(opened.log);
  EXPECT_EQ(opened.log.error().kind, ErrorKind::corruption);
}

TEST_F(LogTest, NumberingGoesOnAfterWhatWasPersistedBeyondTheEnd) {
  open(kSmall);
  append(10);
  open(kSmall, 51);
  EXPECT_EQ(log_->append(1, "51:").value(), 51u);
  open(kSmall, 51);
  expect_replayed(51, 51);
}

TEST_F(LogTest, CallbacksComeInOrderOfTheirRecords) {
  open(kSmallUnsynced);
  append(20);
  // Holds the sync thread, so that the callbacks below gather.
  std::promise<void> release;
  std::promise<void> entered;
  log_->when_synced(20, [&](const Status&) {
    entered.set_value();
    release.get_future().wait();
  });
  entered.get_future().wait();
  append(5);
  std::vector<Lsn> order;  // of the sync thread, until `last` is set
  std::promise<void> last;
  for (const Lsn lsn : {24u, 21u, 25u, 23u, 22u}) {
    log_->when_synced(lsn, [&, &log = *log_, lsn](const Status& status) {
      EXPECT_TRUE(status);
      EXPECT_GE(log.synced_lsn(), lsn);
      order.push_back(lsn);
      if (order.size() == 5) last.set_value();
    });
  }
  release.set_value();
  last.get_future().wait();
  EXPECT_THAT(order, ElementsAre(21, 22, 23, 24, 25));
}

TEST_F(LogTest, WhatIsSyncedAlreadyIsAnsweredAtOnce) {
  open(kSmallUnsynced);
  append(3);
  ASSERT_TRUE(wait_synced(*log_, 3));
  bool called = false;
  log_->when_synced(2, [&](const Status& status) { called = status.has_value(); });
  EXPECT_TRUE(called);
  EXPECT_EQ(log_->synced_lsn(), 3u);
}

TEST_F(LogTest, OneSyncCoversAllWhoWait) {
  open({1u << 20, SyncMode::always});
  append(1);
  std::promise<void> entered;
  std::promise<void> release;
  log_->when_synced(1, [&](const Status&) {
    entered.set_value();
    release.get_future().wait();
  });
  entered.get_future().wait();
  append(100);
  const std::uint64_t syncs_before = log_->stats().syncs;
  std::promise<void> last;
  for (Lsn lsn = 2; lsn <= 101; ++lsn) {
    log_->when_synced(lsn, [&, lsn](const Status&) {
      if (lsn == 101) last.set_value();
    });
  }
  release.set_value();
  last.get_future().wait();
  EXPECT_EQ(log_->stats().syncs, syncs_before + 1);
}

TEST_F(LogTest, EverySecondSyncsWithoutBeingAsked) {
  open(kSmallUnsynced);
  append(3);
  EXPECT_EQ(log_->synced_lsn(), 0u);
  log_->set_sync_mode(SyncMode::every_second);
  EXPECT_EQ(log_->sync_mode(), SyncMode::every_second);
  const auto begun = std::chrono::steady_clock::now();
  while (log_->synced_lsn() < 3 && std::chrono::steady_clock::now() - begun < std::chrono::seconds{20}) {
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  EXPECT_EQ(log_->synced_lsn(), 3u);
}

TEST_F(LogTest, CloseSyncsWhatIsLeft) {
  open(kSmallUnsynced);
  append(3);
  log_.reset();
  disk_.crash(Unsynced::lost);
  open(kSmallUnsynced);
  expect_replayed(1, 3);
}

TEST_F(LogTest, AFailedSyncStopsTheLogForGood) {
  open({1u << 20, SyncMode::always});
  append(5);
  ASSERT_TRUE(wait_synced(*log_, 5));
  append(5);
  wait_for_spare();  // whose preparation syncs too, and must not take the fault
  disk_.fail(DiskCall::sync, 1, ErrorKind::io);
  std::vector<Status> statuses;
  for (const Lsn lsn : {6u, 10u}) statuses.push_back(wait_synced(*log_, lsn));
  statuses.push_back(log_->health());
  statuses.push_back(log_->trim(5));
  const auto appended = log_->append(1, "more");
  ASSERT_FALSE(appended);
  statuses.emplace_back(appended.error());
  for (const Status& status : statuses) {
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, ErrorKind::stopped);
    EXPECT_THAT(status.error().message, HasSubstr("Input/output error"));
  }
  EXPECT_EQ(log_->synced_lsn(), 5u);
  EXPECT_TRUE(wait_synced(*log_, 5));  // that was true before, and still is
  // Syncs would succeed by now; none is believed.
  disk_.power_off();
  log_.reset();
  disk_.crash(Unsynced::lost);
  open(kSmall);
  expect_replayed(1, 5);
}

TEST_F(LogTest, AFullDiskRefusesAppendsUntilThereIsRoomAgain) {
  disk_.set_capacity(5 * 4096);
  open(kSmall);
  Result<Lsn> last = Lsn{0};
  for (int i = 0; i < 1000 && last; ++i)
    last = append_patiently(*log_, 1, numbered(log_->appended_lsn() + 1, 100));
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().kind, ErrorKind::no_space);
  const Lsn before = log_->appended_lsn();
  EXPECT_TRUE(wait_synced(*log_, before));
  EXPECT_TRUE(log_->health());
  disk_.set_capacity(100 * 4096);
  for (last = Error{ErrorKind::busy, {}}; !last;) last = log_->append(1, numbered(before + 1, 100));
  EXPECT_EQ(*last, before + 1);
  open(kSmall);
  expect_replayed(1, before + 1);
}

TEST_F(LogTest, TrimmingMakesRoomOnAFullDisk) {
  disk_.set_capacity(5 * 4096);
  open(kSmall);
  for (int i = 0; i < 1000; ++i) {
    auto lsn = append_patiently(*log_, 1, numbered(log_->appended_lsn() + 1, 100));
    if (lsn) continue;
    ASSERT_EQ(lsn.error().kind, ErrorKind::no_space);
    ASSERT_TRUE(wait_synced(*log_, log_->appended_lsn()));
    ASSERT_TRUE(log_->trim(log_->appended_lsn()));
  }
  EXPECT_GT(log_->appended_lsn(), 500u);
}

TEST_F(LogTest, AFullDiskDoesNotKeepTheLogFromOpening) {
  open(kSmall);
  append(100);
  log_.reset();
  disk_.set_capacity(0);
  open({8192, SyncMode::every_second});  // other size, so that the spares are no help
  expect_replayed(1, 100);
  EXPECT_FALSE(log_->append(1, "x"));
}

TEST_F(LogTest, ARecordTooLargeForTheDiskIsRefusedAndOthersGoOn) {
  disk_.set_capacity(10 * 4096);
  open(kSmall);
  append(3);
  EXPECT_EQ(append_patiently(*log_, 1, Bytes(1u << 20, 'x')).error().kind, ErrorKind::no_space);
  append(3);
  disk_.set_capacity(1000 * 4096);
  append(1, 1u << 20);
  open(kSmall);
  expect_replayed(1, 7);
}

TEST_F(LogTest, SegmentsOfAnotherSizeAreReadAndReplaced) {
  open(kSmall);
  append(100);
  open({16384, SyncMode::every_second});
  expect_replayed(1, 100);
  append(300);
  ASSERT_TRUE(wait_synced(*log_, 400));
  ASSERT_TRUE(log_->trim(400));
  open(kSmall, 390);
  expect_replayed(390, 400);
}

TEST_F(LogTest, AppendersFromSeveralThreadsGetOneOrder) {
  constexpr int kThreads = 4;
  constexpr int kRecordsEach = 3000;
  open({64u << 10, SyncMode::every_second});
  std::vector<std::thread> threads;
  std::vector<std::vector<Lsn>> lsns(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRecordsEach; ++i) {
        const Bytes payload = fmt::format("{} {}", t, i) + Bytes(static_cast<std::size_t>(i % 100), 'x');
        lsns[static_cast<std::size_t>(t)].push_back(append_patiently(*log_, 1, payload).value());
        if (i % 500 == 0) log_->when_synced(lsns[static_cast<std::size_t>(t)].back(), [](const Status&) {});
      }
    });
  }
  for (int i = 0; i < 5; ++i) {
    (void)log_->stats();
    (void)log_->can_trim(1);
    std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();
  open(kSmall);
  ASSERT_THAT(replayed_, SizeIs(kThreads * kRecordsEach));
  for (int t = 0; t < kThreads; ++t) {
    for (int i = 0; i < kRecordsEach; ++i) {
      const Lsn lsn = lsns[static_cast<std::size_t>(t)][static_cast<std::size_t>(i)];
      ASSERT_EQ(replayed_[lsn - 1].lsn, lsn);
      ASSERT_TRUE(replayed_[lsn - 1].payload.starts_with(fmt::format("{} {}", t, i)));
    }
  }
}

TEST(LogOnTheRealFileSystem, AppendsRotatesTrimsAndReplays) {
  std::string pattern = (std::filesystem::temp_directory_path() / "shale-log-XXXXXX").string();
  const std::string folder = ::mkdtemp(pattern.data());
  const auto files = make_posix_file_system();
  const LogOptions options{64u << 10, SyncMode::always};
  {
    OpenedLog opened = open_replayed(*files, options, 1, folder + "/log");
    ASSERT_TRUE(opened.log);
    Log& log = **opened.log;
    for (Lsn lsn = 1; lsn <= 3000; ++lsn) {
      ASSERT_EQ(append_patiently(log, 1, numbered(lsn, lsn % 500 == 0 ? 50'000 : 100)).value(), lsn);
    }
    ASSERT_TRUE(wait_synced(log, 3000));
    ASSERT_TRUE(log.trim(2000));
  }
  OpenedLog opened = open_replayed(*files, options, 2000, folder + "/log");
  ASSERT_TRUE(opened.log) << opened.log.error().message;
  opened.log->reset();
  ASSERT_THAT(opened.records, SizeIs(1001));
  EXPECT_EQ(opened.records[500].payload, numbered(2500, 50'000));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace shale::engine
