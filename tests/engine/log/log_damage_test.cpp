// What the disk may do to the log, in a crash or by decay, and what the log makes of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <random>
#include <thread>

#include "engine/log/closing_note.h"
#include "engine/log/log.h"
#include "engine/log/segment_format.h"
#include "engine/testing/test_seed.h"
#include "tests/engine/log/log_testing.h"

namespace shale::engine {
namespace {

using testing::HasSubstr;

constexpr LogOptions kUnsynced{16384, SyncMode::never};

struct Place {
  std::string path;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;  // header and payload
};

// Where each record stands, read by what docs/formats.md says.
std::vector<Place> places(SimulatedDisk& disk) {
  std::vector<Place> found;
  for (const std::string& name : segment_names(disk)) {
    const std::string path = kLogFolder + "/" + name;
    const Bytes bytes = disk.contents(path);
    const auto header = SegmentHeader::decode(bytes, path);
    for (std::uint64_t offset = kRecordsBegin; offset + RecordHeader::kEncodedBytes <= bytes.size();) {
      const RecordHeader record = RecordHeader::decode(bytes.data() + offset);
      const std::uint64_t payload_offset = offset + RecordHeader::kEncodedBytes;
      if (record.kind == kSealKind || record.payload_bytes > bytes.size() - payload_offset) break;
      const BytesView payload = BytesView{bytes}.substr(payload_offset, record.payload_bytes);
      if (!record.matches(header->identity, hash_bytes(payload))) break;
      found.push_back({path, offset, RecordHeader::kEncodedBytes + record.payload_bytes});
      offset += record_span(record.payload_bytes);
    }
  }
  return found;
}

// A log of `count` records on `disk`; each synced if `synced`.
void write_log(SimulatedDisk& disk, std::uint64_t count, bool synced) {
  auto opened = open_replayed(disk, kUnsynced);
  ASSERT_TRUE(opened.log);
  for (std::uint64_t i = 1; i <= count; ++i) {
    ASSERT_TRUE(append_patiently(**opened.log, 1, numbered(i, 150)));
    if (!synced) continue;
    ASSERT_TRUE(wait_synced(**opened.log, i));
  }
  if (!synced) disk.power_off();
  opened.log->reset();
  disk.process_kill();
}

TEST(LogDamage, AFlippedBitInASyncedRecordIsReportedWithFileAndOffset) {
  std::mt19937_64 random{test_seed()};
  SimulatedDisk disk{test_seed()};
  write_log(disk, 200, true);
  const std::vector<Place> records = places(disk);
  ASSERT_EQ(records.size(), 200u);
  for (const Place& place : records) {  // the last one too: the seal bears witness
    const std::uint64_t bit = place.offset * 8 + random() % (place.bytes * 8);
    disk.flip_bit(place.path, bit);
    const OpenedLog opened = open_replayed(disk, kUnsynced);
    ASSERT_FALSE(opened.log) << place.path << " " << place.offset;
    EXPECT_EQ(opened.log.error().kind, ErrorKind::corruption);
    EXPECT_THAT(opened.log.error().message,
                HasSubstr(fmt::format("{} at offset {}", place.path, place.offset)));
    disk.flip_bit(place.path, bit);
  }
  EXPECT_TRUE(open_replayed(disk, kUnsynced).log);
}

TEST(LogDamage, AMissingSegmentInTheMiddleIsReported) {
  SimulatedDisk disk{test_seed()};
  write_log(disk, 400, true);
  const auto names = segment_names(disk);
  ASSERT_GT(names.size(), 4u);
  ASSERT_TRUE(disk.remove(kLogFolder + "/" + names[1]));
  const OpenedLog opened = open_replayed(disk, kUnsynced);
  ASSERT_FALSE(opened.log);
  EXPECT_THAT(opened.log.error().message, HasSubstr("are missing"));
}

// With the segment go the last record and the seal behind it, which bore witness for one another.
TEST(LogDamage, AMissingNewestSegmentIsReportedIfTheLogHadBeenClosed) {
  SimulatedDisk disk{test_seed()};
  write_log(disk, 400, true);
  const std::string newest = places(disk).back().path;
  ASSERT_TRUE(disk.remove(newest));
  const OpenedLog opened = open_replayed(disk, kUnsynced);
  ASSERT_FALSE(opened.log);
  EXPECT_EQ(opened.log.error().kind, ErrorKind::corruption);
  EXPECT_THAT(opened.log.error().message, HasSubstr("says that the log reached to 400"));
}

TEST(LogDamage, ZerosInPlaceOfTheLastRecordAndTheSealAreReported) {
  SimulatedDisk disk{test_seed()};
  write_log(disk, 10, true);
  const Place last = places(disk).back();
  disk.overwrite(last.path, last.offset, Bytes(last.bytes + 2 * RecordHeader::kEncodedBytes, '\0'));
  const OpenedLog opened = open_replayed(disk, kUnsynced);
  ASSERT_FALSE(opened.log);
  EXPECT_THAT(opened.log.error().message, HasSubstr("records from 10 on are missing after " + last.path));
}

TEST(LogDamage, ADamagedClosingNoteIsReportedAndHarmsNobody) {
  SimulatedDisk disk{test_seed()};
  write_log(disk, 10, true);
  const std::string path = closing_note_path(kLogFolder);
  const std::uint64_t bits = disk.contents(path).size() * 8;
  for (std::uint64_t bit = 0; bit < bits; ++bit) {
    const auto damaged = disk.copy(bit);
    damaged->flip_bit(path, bit);
    const OpenedLog opened = open_replayed(*damaged, kUnsynced);
    ASSERT_TRUE(opened.log) << opened.log.error().message;
    EXPECT_THAT(opened.recovery.unreadable_note, HasSubstr(path)) << "bit " << bit;
    EXPECT_EQ(opened.records.size(), 10u);
  }
}

TEST(LogDamage, ADamagedSegmentHeaderIsReported) {
  SimulatedDisk disk{test_seed()};
  write_log(disk, 200, true);
  for (const std::string& name : segment_names(disk)) {
    disk.flip_bit(kLogFolder + "/" + name, 26 * 8);
    const OpenedLog opened = open_replayed(disk, kUnsynced);
    ASSERT_FALSE(opened.log);
    EXPECT_THAT(opened.log.error().message, HasSubstr(name + " at offset 0"));
    disk.flip_bit(kLogFolder + "/" + name, 26 * 8);
  }
}

TEST(LogDamage, AShortenedSegmentIsReported) {
  SimulatedDisk disk{test_seed()};
  write_log(disk, 200, true);
  const std::string name = segment_names(disk).front();
  disk.truncate(kLogFolder + "/" + name, 5000);
  const OpenedLog opened = open_replayed(disk, kUnsynced);
  ASSERT_FALSE(opened.log);
  EXPECT_THAT(opened.log.error().message, HasSubstr(name + " is 5000 bytes long"));
}

// Every grain of an unsynced tail missing, one at a time: what comes before it is recovered, what comes after
// is gone for good, however often the log is opened and whatever is appended.
TEST(LogDamage, ATornTailIsCutAndNeverComesBack) {
  constexpr std::uint64_t kRecords = 60;
  for (std::uint64_t grain = 1;; ++grain) {
    SimulatedDisk disk{test_seed()};
    write_log(disk, kRecords, false);
    const std::vector<Place> records = places(disk);
    ASSERT_EQ(records.size(), kRecords);
    const std::string& path = records.front().path;
    const std::uint64_t begin = grain * 512;
    const Place& last = records.back();
    if (begin >= last.offset + last.bytes) break;
    disk.overwrite(path, begin, Bytes(512, grain % 2 == 0 ? '\0' : 'J'));
    std::uint64_t whole = 0;
    while (whole < kRecords && records[whole].offset + records[whole].bytes <= begin) ++whole;

    OpenedLog opened = open_replayed(disk, kUnsynced);
    ASSERT_TRUE(opened.log) << opened.log.error().message;
    ASSERT_EQ(opened.records.size(), whole);
    if (whole + 1 < kRecords) {
      EXPECT_GT(opened.recovery.torn_bytes, 0u);
      EXPECT_EQ(opened.recovery.torn_file, path);
    }
    EXPECT_EQ(append_patiently(**opened.log, 9, "new").value(), whole + 1);
    ASSERT_TRUE(wait_synced(**opened.log, whole + 1));
    disk.power_off();
    opened.log->reset();
    disk.crash(Unsynced::lost);

    opened = open_replayed(disk, kUnsynced);
    ASSERT_TRUE(opened.log) << opened.log.error().message;
    ASSERT_EQ(opened.records.size(), whole + 1);
    EXPECT_EQ(opened.records.back(), (ReplayedRecord{whole + 1, 9, "new"}));
    EXPECT_EQ(opened.recovery.torn_bytes, 0u);
  }
}

// Recovery vouches for what it has recovered, even if nothing is appended after it.
TEST(LogDamage, ARecoveredRecordThatDecaysIsReported) {
  SimulatedDisk disk{test_seed()};
  write_log(disk, 10, false);
  const Place last = places(disk).back();
  OpenedLog opened = open_replayed(disk, kUnsynced);
  ASSERT_TRUE(opened.log);
  ASSERT_EQ(opened.records.size(), 10u);
  disk.power_off();
  opened.log->reset();
  disk.crash(Unsynced::lost);
  disk.flip_bit(last.path, last.offset * 8 + 300);
  opened = open_replayed(disk, kUnsynced);
  ASSERT_FALSE(opened.log);
  EXPECT_THAT(opened.log.error().message, HasSubstr(fmt::format("{} at offset {}", last.path, last.offset)));
}

// Nothing was synced, and the disk has kept the second segment but not the first: nobody was told anything.
TEST(LogDamage, ALaterSegmentWithoutAnEarlierUnsyncedOneIsAnEmptyLog) {
  constexpr LogOptions kTwoSegments{4096, SyncMode::never};
  SimulatedDisk disk{test_seed()};
  {
    OpenedLog opened = open_replayed(disk, kTwoSegments);
    ASSERT_TRUE(opened.log);
    Log& log = **opened.log;
    while (log.stats().segments < 2) std::this_thread::yield();  // the spare, before the disk is gone
    disk.power_off();                                            // the sync of the full segment must fail
    for (std::uint64_t i = 1; log.append(1, numbered(i, 150)); ++i) {
    }
  }
  disk.process_kill();
  const std::vector<Place> records = places(disk);
  ASSERT_NE(records.front().path, records.back().path);
  disk.overwrite(records.front().path, records.front().offset, "lost");

  const OpenedLog opened = open_replayed(disk, kTwoSegments);
  ASSERT_TRUE(opened.log) << opened.log.error().message;
  EXPECT_TRUE(opened.records.empty());
  EXPECT_EQ(append_patiently(**opened.log, 1, "first").value(), 1u);
}

// The worst case for a recycled file: the stale record behind the newest one has the very lsn that comes
// next.
TEST(LogDamage, AStaleRecordWithTheNextLsnIsNotTakenForOne) {
  constexpr LogOptions kTwoSegments{4096, SyncMode::never};
  SimulatedDisk disk{test_seed()};
  {
    // A full segment is synced at once, and what follows it too: then the damage below would be damage. So
    // the sync thread is held from record 1 on.
    const auto entered = std::make_shared<std::promise<void>>();
    std::promise<void> release;
    OpenedLog opened = open_replayed(disk, kTwoSegments);
    ASSERT_TRUE(opened.log);
    Log& log = **opened.log;
    ASSERT_TRUE(append_patiently(log, 1, numbered(1, 150)));
    log.when_synced(1, [entered, released = release.get_future().share()](const Status&) {
      entered->set_value();
      released.wait();
    });
    entered->get_future().wait();
    for (std::uint64_t i = 2; i <= 40; ++i) ASSERT_TRUE(append_patiently(log, 1, numbered(i, 150)));
    disk.power_off();
    EXPECT_EQ(log.synced_lsn(), 1u);
    release.set_value();
  }
  disk.process_kill();
  const std::vector<Place> records = places(disk);
  const auto second = std::find_if(records.begin(), records.end(),
                                   [&](const Place& place) { return place.path != records.front().path; });
  ASSERT_NE(second, records.end());
  const auto whole = static_cast<std::uint64_t>(second - records.begin());
  disk.overwrite(second->path, second->offset + RecordHeader::kEncodedBytes, "torn");

  OpenedLog opened = open_replayed(disk, kTwoSegments);
  ASSERT_TRUE(opened.log) << opened.log.error().message;
  ASSERT_EQ(opened.records.size(), whole);
  EXPECT_EQ(append_patiently(**opened.log, 1, numbered(whole + 1, 150)).value(), whole + 1);
  disk.power_off();
  opened.log->reset();
  disk.process_kill();
  opened = open_replayed(disk, kTwoSegments);
  ASSERT_TRUE(opened.log) << opened.log.error().message;
  EXPECT_EQ(opened.records.size(), whole + 1);
}

// Records of a segment's former life stay in the file until they are overwritten. Whatever the disk does,
// they are never taken for records of its present life.
TEST(LogDamage, RecordsOfARecycledSegmentNeverResurface) {
  constexpr int kSeeds = 40;
  for (std::uint64_t seed = test_seed(); seed < test_seed() + kSeeds; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    std::mt19937_64 random{seed};
    SimulatedDisk disk{seed};
    std::vector<Bytes> model;  // by lsn - 1
    std::uint64_t writes =
        0;  // makes every payload unique, also that of an lsn that is used again after a loss
    Lsn needed = 1;
    Lsn synced = 0;
    for (int life = 0; life < 6; ++life) {
      OpenedLog opened = open_replayed(disk, {4096, SyncMode::never}, needed);
      ASSERT_TRUE(opened.log) << opened.log.error().message;
      Log& log = **opened.log;
      ASSERT_GE(log.appended_lsn(), synced);
      ASSERT_LE(log.appended_lsn(), model.size());
      model.resize(log.appended_lsn());
      ASSERT_EQ(opened.records.size(), model.size() + 1 - needed);
      for (const ReplayedRecord& record : opened.records) ASSERT_EQ(record.payload, model[record.lsn - 1]);
      for (int i = 0; i < 100; ++i) {
        const std::size_t size_bytes =
            random() % 40 == 0 ? 2000 : random() % 8 * 8;  // often at the same offsets
        model.push_back(numbered(++writes, size_bytes));
        ASSERT_EQ(append_patiently(log, 1, model.back()).value(), model.size());
        if (random() % 30 == 0) {
          ASSERT_TRUE(wait_synced(log, model.size()));
          synced = model.size();
          needed = std::max(needed, synced + 1 - random() % std::min<Lsn>(synced, 30));
          ASSERT_TRUE(log.trim(needed));
        }
      }
      disk.power_off();
      opened.log->reset();
      if (random() % 4 == 0) {
        disk.process_kill();
        synced = model.size();
      } else {
        disk.crash(random() % 4 == 0 ? Unsynced::lost : Unsynced::torn);
      }
    }
  }
}

}  // namespace
}  // namespace shale::engine
