// Reading what was written, and the protocol of reads that lack a value: name it, load it, read again.
#include "engine/lsm/value_file.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/engine/lsm/value_test_support.h"

namespace shale::engine::lsm {
namespace {

class ValueFileReads : public testing::Test {
 protected:
  ValueFileReads() {
    for (int i = 0; i != 20; ++i) {
      values_.push_back({"key" + std::to_string(i), Bytes(5000, static_cast<char>('a' + i)), {}});
    }
    EXPECT_TRUE(write_values(files_, values_));
  }

  std::shared_ptr<ValueFile> open(BlockCache& cache) {
    return ValueFile::open(files_, kValuePath, kValueFileNumber, cache).value();
  }
  std::shared_ptr<ValueFile> open() { return open(cache_); }
  MemoryFiles::Contents& contents() { return files_[kValuePath]; }
  static bool lacks_value(const Result<BytesView>& found) {
    return !found && found.error().kind == ErrorKind::not_resident;
  }
  static Result<BytesView> find(const ValueFile& file, const WrittenValue& wanted, ReadContext& context) {
    return file.find(wanted.key, wanted.reference, context);
  }

  MemoryFiles files_;
  std::vector<WrittenValue> values_;
  BlockCache cache_{1 << 20};
};

TEST_F(ValueFileReads, AReadNamesWhatItLacksAndFindsItAfterwards) {
  const auto file = open();
  const WrittenValue& wanted = values_[7];
  const std::uint64_t reads = contents().reads;
  ReadContext context;
  ASSERT_TRUE(lacks_value(find(*file, wanted, context)));
  EXPECT_EQ(contents().reads, reads);
  ASSERT_EQ(context.missing.size(), 1U);
  run_all(context);
  EXPECT_EQ(find(*file, wanted, context).value(), wanted.value);
  EXPECT_EQ(context.pins.size(), 1U);
  context.clear();
  EXPECT_EQ(find(*file, wanted, context).value(), wanted.value);  // from the cache
  EXPECT_EQ(contents().reads, reads + 1);
}

TEST_F(ValueFileReads, AKeptLoadServesAValueThatTheCacheRefuses) {
  BlockCache cache{1000};
  const auto file = open(cache);
  ReadContext context;
  ASSERT_TRUE(lacks_value(find(*file, values_[3], context)));
  run_all(context);
  EXPECT_EQ(cache.stats().blocks, 0U);
  const BytesView found = find(*file, values_[3], context).value();
  context.missing.clear();
  EXPECT_EQ(found, values_[3].value);  // pinned
  context.clear();
  EXPECT_TRUE(lacks_value(find(*file, values_[3], context)));
}

TEST_F(ValueFileReads, CommandsThatWantOneValueShareOneRead) {
  BlockCache cache{0};
  const auto file = open(cache);
  ReadContext first;
  ReadContext second;
  ASSERT_TRUE(lacks_value(find(*file, values_[3], first)));
  ASSERT_TRUE(lacks_value(find(*file, values_[3], second)));
  EXPECT_EQ(first.missing, second.missing);
  const std::uint64_t reads = contents().reads;
  std::thread other{[&] { run_all(second); }};
  run_all(first);
  other.join();
  EXPECT_EQ(contents().reads, reads + 1);
  first.clear();
  EXPECT_EQ(find(*file, values_[3], second).value(), values_[3].value);  // the other's keeping is enough
}

TEST_F(ValueFileReads, AnErrorReachesEveryReadWhileItsLoadIsKeptThenTheValueIsReadAgain) {
  const auto file = open();
  ReadContext first;
  ReadContext second;
  ASSERT_TRUE(lacks_value(find(*file, values_[3], first)));
  ASSERT_TRUE(lacks_value(find(*file, values_[3], second)));
  contents().refuses_reads = true;
  run_all(first);
  contents().refuses_reads = false;
  run_all(second);  // it has run already
  for (ReadContext* const context : {&first, &second}) {
    const auto found = find(*file, values_[3], *context);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().kind, ErrorKind::io);
  }
  first.clear();
  second.clear();
  EXPECT_EQ(find_with_loads(*file, values_[3], first).value(), values_[3].value);
}

TEST_F(ValueFileReads, ALoadKeepsItsFileOpen) {
  auto file = open();
  ReadContext context;
  ASSERT_TRUE(lacks_value(find(*file, values_[3], context)));
  const std::weak_ptr<ValueFile> watched = file;
  file = nullptr;
  run_all(context);
  EXPECT_FALSE(watched.expired());
  context.clear();
  EXPECT_TRUE(watched.expired());
}

TEST_F(ValueFileReads, DroppedValuesAreLoadedAgain) {
  const auto file = open();
  ReadContext context;
  ASSERT_TRUE(find_with_loads(*file, values_[3], context));
  context.clear();
  file->drop_cached_values();
  EXPECT_EQ(cache_.stats().blocks, 0U);
  EXPECT_TRUE(lacks_value(find(*file, values_[3], context)));
}

TEST_F(ValueFileReads, CompactionReadsPastTheCache) {
  const auto file = open();
  for (const WrittenValue& wanted : values_) {
    const auto loaded = file->read(wanted.key, wanted.reference);
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->value, wanted.value);
    file->drop_page_cache(wanted.key, wanted.reference);
  }
  EXPECT_EQ(cache_.stats().insertions, 0U);
  EXPECT_EQ(contents().dropped_bytes, file->record_bytes());
}

TEST_F(ValueFileReads, AReferenceOfAnotherKeyOrLengthIsRefusedAlsoFromTheCache) {
  const auto file = open();
  ReadContext context;
  ASSERT_TRUE(find_with_loads(*file, values_[3], context));
  WrittenValue of_another = values_[4];  // keys and values of one length: only the key tells
  of_another.reference.offset = values_[3].reference.offset;
  WrittenValue longer = values_[3];
  ++longer.reference.value_bytes;
  for (const WrittenValue& wrong : {of_another, longer}) {
    const auto found = find(*file, wrong, context);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().kind, ErrorKind::corruption);
    EXPECT_FALSE(file->read(wrong.key, wrong.reference));
  }
}

TEST_F(ValueFileReads, AReferenceBeyondTheRecordsIsRefused) {
  const auto file = open();
  const std::uint64_t end = file->file_bytes();
  for (const std::uint64_t offset : {std::uint64_t{0}, end - 5000, end, end + 1, UINT64_MAX}) {
    const ValueReference reference = ValueReference::to(values_[0].value, kValueFileNumber, offset);
    const auto read = file->read(values_[0].key, reference);
    ASSERT_FALSE(read) << offset;
    EXPECT_EQ(read.error().kind, ErrorKind::corruption);
    EXPECT_NE(read.error().message.find(kValuePath), std::string::npos);
  }
  ValueReference huge = values_[0].reference;
  huge.value_bytes = UINT64_MAX / 2;
  EXPECT_EQ(file->read(values_[0].key, huge).error().kind, ErrorKind::corruption);
}

TEST_F(ValueFileReads, AnUnreadableFileFailsEveryReadWithItsReason) {
  const auto missing = ValueFile::open(files_, "t/00000010.values", 10, cache_);
  ASSERT_FALSE(missing);
  const auto file = ValueFile::unreadable("t/00000010.values", 10, cache_, missing.error());
  ValueReference reference = values_[0].reference;
  reference.file = 10;
  ReadContext context;
  EXPECT_EQ(file->find("key0", reference, context).error().message, missing.error().message);
  EXPECT_EQ(file->read("key0", reference).error().message, missing.error().message);
  EXPECT_EQ(verify_value_file(file).error().message, missing.error().message);
  EXPECT_TRUE(context.missing.empty());
  file->drop_page_cache("key0", reference);
}

TEST(ValueFiles, RandomValuesOfAllSizesComeBackAndTheScannerMeetsEach) {
  SHALE_TRACE_SEED;
  std::mt19937_64 random{test_seed()};
  for (const std::size_t value_bytes_max : {0U, 100U, 20'000U, 900'000U}) {
    MemoryFiles files;
    std::vector<WrittenValue> values = random_values(random, 40, value_bytes_max);
    ASSERT_TRUE(write_values(files, values));
    EXPECT_TRUE(files[kValuePath].is_synced);
    BlockCache cache{1 << 20};
    const auto file = ValueFile::open(files, kValuePath, kValueFileNumber, cache).value();
    EXPECT_EQ(file->record_count(), values.size());
    EXPECT_EQ(file->file_bytes(), files[kValuePath].bytes.size());

    std::uint64_t record_bytes = 0;
    for (const WrittenValue& written : values) {
      ReadContext context;
      ASSERT_EQ(find_with_loads(*file, written, context).value(), written.value);
      record_bytes += value_record_bytes(written.key.size(), written.value.size());
    }
    EXPECT_EQ(file->record_bytes(), record_bytes);

    ValueFileScanner scanner{file};
    ASSERT_TRUE(scanner.seek_first());
    for (const WrittenValue& written : values) {
      ASSERT_TRUE(scanner.valid());
      EXPECT_EQ(scanner.key(), written.key);
      EXPECT_EQ(scanner.offset(), written.reference.offset);
      EXPECT_EQ(scanner.value_bytes(), written.value.size());
      ASSERT_TRUE(scanner.next());
    }
    EXPECT_FALSE(scanner.valid());
  }
}

TEST(ValueFiles, OneWithoutRecordsIsSound) {
  MemoryFiles files;
  std::vector<WrittenValue> none;
  ASSERT_TRUE(write_values(files, none));
  BlockCache cache{0};
  const auto file = ValueFile::open(files, kValuePath, kValueFileNumber, cache).value();
  EXPECT_EQ(file->record_count(), 0U);
  EXPECT_TRUE(verify_value_file(file));
}

}  // namespace
}  // namespace shale::engine::lsm
