// Copies of a running log's end: a log of its own, with exactly the records up to the cut.
#include "engine/log/log_copy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/engine/log/log_testing.h"

namespace shale::engine {
namespace {

constexpr std::uint64_t kSegmentBytes = 16u << 10;

class LogCopy : public testing::Test {
 protected:
  LogCopy() : log_(std::move(open_replayed(disk_, {kSegmentBytes, SyncMode::never}).log).value()) {
    EXPECT_TRUE(disk_.create_folder("copy"));
  }

  void append(int count, std::size_t bytes = 300) {
    for (int i = 0; i < count; ++i) {
      written_.push_back({0, 1, fmt::format("{:0>{}}", written_.size(), bytes)});
      written_.back().lsn = append_patiently(*log_, 1, written_.back().payload).value();
    }
  }
  std::vector<ReplayedRecord> written(Lsn first, Lsn last) const {
    return {written_.begin() + static_cast<std::ptrdiff_t>(first - 1),
            written_.begin() + static_cast<std::ptrdiff_t>(last)};
  }
  void copy(const LogCut& cut) {
    PacedCopy copy{disk_, {}};
    ASSERT_TRUE(copy_log(copy, cut, "copy"));
    EXPECT_LE(copy.bytes(), bytes_of(cut));
  }

  SimulatedDisk disk_{1};
  std::unique_ptr<Log> log_;
  std::vector<ReplayedRecord> written_;
};

TEST_F(LogCopy, HoldsTheRecordsUpToTheCutAndGoesOnBehindThem) {
  append(100);
  append(1, kSegmentBytes);  // in a segment of its own
  append(100);
  const LogCut cut = log_->cut(150);
  append(100);
  copy(cut);
  disk_.crash(Unsynced::lost);  // it is durable by itself
  auto copied = open_replayed(disk_, {kSegmentBytes, SyncMode::never}, 150, "copy");
  ASSERT_TRUE(copied.log) << copied.log.error().message;
  EXPECT_EQ(cut.lsn, 201u);
  EXPECT_EQ(copied.records, written(150, 201));
  EXPECT_EQ(copied.recovery.torn_bytes, 0u);
  EXPECT_EQ(append_patiently(**copied.log, 1, "next").value(), 202u);
}

TEST_F(LogCopy, LeavesOutSegmentsThatNobodyNeeds) {
  append(200);
  const LogCut all = log_->cut(1);
  const LogCut end = log_->cut(log_->appended_lsn() + 1);
  EXPECT_GT(all.parts.size(), 3u);
  EXPECT_EQ(end.parts.size(), 1u);
  copy(end);
  const auto copied = open_replayed(disk_, {kSegmentBytes, SyncMode::never}, 201, "copy");
  ASSERT_TRUE(copied.log) << copied.log.error().message;
  EXPECT_THAT(copied.records, testing::IsEmpty());
  EXPECT_EQ((*copied.log)->appended_lsn(), 200u);
}

TEST_F(LogCopy, OfAnEmptyLogIsAnEmptyLog) {
  copy(log_->cut(1));
  const auto copied = open_replayed(disk_, {kSegmentBytes, SyncMode::never}, 1, "copy");
  ASSERT_TRUE(copied.log) << copied.log.error().message;
  EXPECT_EQ((*copied.log)->appended_lsn(), 0u);
}

}  // namespace
}  // namespace shale::engine
