// No damage to a value file goes unnoticed, a write that fails says so, and what a crash leaves of a file
// that was being written is never taken for values.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/testing/effort.h"
#include "engine/testing/simulated_disk.h"
#include "tests/engine/lsm/value_test_support.h"

namespace shale::engine::lsm {
namespace {

Status verify(FileSystem& files) {
  BlockCache cache{0};
  const auto file = ValueFile::open(files, kValuePath, kValueFileNumber, cache);
  if (!file) return file.error();
  return verify_value_file(*file);
}

void expect_damage_is_named(const Status& status) {
  ASSERT_FALSE(status);
  ASSERT_EQ(status.error().kind, ErrorKind::corruption) << status.error().message;
  ASSERT_NE(status.error().message.find(kValuePath), std::string::npos) << status.error().message;
  ASSERT_NE(status.error().message.find("offset "), std::string::npos) << status.error().message;
}

class ValueFileDamage : public testing::Test {
 protected:
  ValueFileDamage() {
    for (int i = 0; i != 5; ++i) values_.push_back({"key" + std::to_string(i), Bytes(150, 'v'), {}});
    EXPECT_TRUE(write_values(files_, values_));
    sound_ = files_[kValuePath].bytes;
  }
  Bytes& bytes() { return files_[kValuePath].bytes; }

  MemoryFiles files_;
  std::vector<WrittenValue> values_;
  Bytes sound_;
};

TEST_F(ValueFileDamage, EveryFlippedBitIsFound) {
  ASSERT_TRUE(verify(files_));
  const std::size_t bits = sound_.size() * 8;
  const std::size_t step = bits / static_cast<std::size_t>(rounds_of_test(static_cast<int>(bits)));
  for (std::size_t bit = test_seed() % step; bit < bits; bit += step) {
    bytes() = sound_;
    bytes()[bit / 8] ^= static_cast<char>(1 << bit % 8);
    SCOPED_TRACE(bit);
    expect_damage_is_named(verify(files_));
    if (HasFailure()) return;
  }
}

TEST_F(ValueFileDamage, EveryTruncationAndAnyAppendedByteIsFound) {
  for (std::size_t length = 0; length != sound_.size(); ++length) {
    bytes() = sound_.substr(0, length);
    SCOPED_TRACE(length);
    expect_damage_is_named(verify(files_));
    if (HasFailure()) return;
  }
  bytes() = sound_ + '\0';
  expect_damage_is_named(verify(files_));
}

TEST_F(ValueFileDamage, ADamagedRecordFailsItsReadsAndNoOthers) {
  BlockCache cache{0};
  const auto file = ValueFile::open(files_, kValuePath, kValueFileNumber, cache).value();
  const std::uint64_t begin = values_[2].reference.offset;
  const std::uint64_t end = values_[3].reference.offset;
  for (std::uint64_t offset = begin; offset != end; ++offset) {
    bytes() = sound_;
    bytes()[offset] ^= 0x20;
    for (const WrittenValue& wanted : values_) {
      ReadContext context;
      const auto found = find_with_loads(*file, wanted, context);
      ASSERT_EQ(found.has_value(), wanted.key != "key2");
      ASSERT_EQ(file->read(wanted.key, wanted.reference).has_value(), wanted.key != "key2");
      if (found) continue;
      EXPECT_EQ(found.error().kind, ErrorKind::corruption);
      EXPECT_NE(found.error().message.find(kValuePath), std::string::npos);
      EXPECT_NE(found.error().message.find("offset " + std::to_string(begin)), std::string::npos);
    }
  }
}

TEST_F(ValueFileDamage, ARecordInAnothersPlaceIsFound) {
  const std::uint64_t begin = values_[0].reference.offset;
  const std::uint64_t bytes_each = values_[1].reference.offset - begin;
  std::swap_ranges(&bytes()[begin], &bytes()[begin + bytes_each], &bytes()[begin + bytes_each]);
  expect_damage_is_named(verify(files_));
}

TEST_F(ValueFileDamage, ARecordOfAnotherFileIsFound) {
  ASSERT_TRUE(write_values(files_, values_, kValueFileNumber + 1));
  const std::uint64_t begin = values_[0].reference.offset;
  const std::uint64_t end = values_[3].reference.offset;
  bytes() = sound_.replace(begin, end - begin, bytes(), begin, end - begin);
  expect_damage_is_named(verify(files_));
}

TEST_F(ValueFileDamage, AFileUnderAnothersNameIsRefused) {
  ASSERT_TRUE(write_values(files_, values_, kValueFileNumber + 1));
  expect_damage_is_named(verify(files_));
}

TEST_F(ValueFileDamage, AFileOfALaterFormatIsRefusedAsSuch) {
  const auto header = ValueFileHeader{kValueFileFormatVersion + 1, kValueFileNumber}.encode();
  bytes().replace(0, header.size(), header.data(), header.size());
  const Status status = verify(files_);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::unsupported);
  EXPECT_NE(status.error().message.find(kValuePath), std::string::npos);
}

// Arbitrary bytes between a sound header and a sound footer: what is wrong comes out as an Error.
TEST_F(ValueFileDamage, ArbitraryRecordsAreHarmless) {
  SHALE_TRACE_SEED;
  std::mt19937_64 random{test_seed()};
  for (int round = 0; round != rounds_of_test(5'000); ++round) {
    bytes() = sound_;
    for (std::uint64_t edits = 1 + random() % 4; edits != 0; --edits) {
      const std::size_t records =
          sound_.size() - ValueFileHeader::kEncodedBytes - ValueFileFooter::kEncodedBytes;
      // Mostly the heads of records, where the lengths are.
      const std::size_t place = random() % 4 == 0
                                    ? ValueFileHeader::kEncodedBytes + random() % records
                                    : values_[random() % values_.size()].reference.offset + random() % 14;
      bytes()[place] = static_cast<char>(random());
    }
    if (bytes() != sound_) expect_damage_is_named(verify(files_));
    if (HasFailure()) return;
  }
}

class ValueFileCrash : public testing::Test {
 protected:
  static constexpr const char* kTemporaryPath = "t/00000009.values.tmp";

  ValueFileCrash() : random_{test_seed()} { values_ = random_values(random_, 30, 60'000); }

  // What a flush does with its value file.
  Status write_and_name(SimulatedDisk& disk) {
    if (Status status = write_values(disk, values_, kValueFileNumber, kTemporaryPath); !status) return status;
    if (Status status = disk.rename(kTemporaryPath, kValuePath); !status) return status;
    return disk.sync_folder("t");
  }
  void expect_all_values(FileSystem& files) {
    BlockCache cache{0};
    const auto file = ValueFile::open(files, kValuePath, kValueFileNumber, cache).value();
    for (const WrittenValue& written : values_) {
      ASSERT_EQ(file->read(written.key, written.reference).value().value, written.value);
    }
  }

  std::mt19937_64 random_;
  std::vector<WrittenValue> values_;
};

TEST_F(ValueFileCrash, AtAnyCallTheNameStandsForAllValuesOrIsNotThere) {
  SHALE_TRACE_SEED;
  std::uint64_t call = 0;
  for (bool finished = false; !finished;) {
    ++call;
    SCOPED_TRACE(call);
    SimulatedDisk disk{test_seed()};
    ASSERT_TRUE(disk.create_folder("t"));
    disk.crash_at_call(call);
    finished = write_and_name(disk).has_value();
    disk.crash(Unsynced::torn, test_seed() + call);
    if (finished || disk.exists(kValuePath).value()) expect_all_values(disk);
    // Without the rename's order, a torn file under its name would have to be found damaged.
    if (!finished && disk.exists(kTemporaryPath).value()) {
      BlockCache cache{0};
      const auto torn = ValueFile::open(disk, kTemporaryPath, kValueFileNumber, cache);
      for (const WrittenValue& written : values_) {
        if (!torn) break;
        const auto read = (*torn)->read(written.key, written.reference);
        if (read) {
          ASSERT_EQ(read->value, written.value);
        }
      }
    }
    if (HasFailure()) return;
  }
  EXPECT_GT(call, 5U);
}

TEST_F(ValueFileCrash, EveryFailedCallIsReported) {
  SHALE_TRACE_SEED;
  for (const DiskCall call : {DiskCall::create, DiskCall::write, DiskCall::sync}) {
    for (std::uint64_t n = 1;; ++n) {
      SimulatedDisk disk{test_seed()};
      ASSERT_TRUE(disk.create_folder("t"));
      disk.fail(call, n, ErrorKind::no_space);
      const std::uint64_t calls_before = disk.calls(call);
      const Status status = write_values(disk, values_, kValueFileNumber, kTemporaryPath);
      if (disk.calls(call) - calls_before < n) break;  // the fault was not reached
      ASSERT_FALSE(status) << n;
      EXPECT_EQ(status.error().kind, ErrorKind::no_space);
    }
  }
}

}  // namespace
}  // namespace shale::engine::lsm
