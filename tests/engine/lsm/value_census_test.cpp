#include "engine/lsm/value_census.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/engine/lsm/value_test_support.h"

namespace shale::engine::lsm {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t kRecordsEach = 10;

// Value files of ten records of one length, and slices that refer to some of each.
class ValueCensusTest : public testing::Test {
 protected:
  LiveTable slice(const std::vector<std::pair<std::uint64_t, std::uint64_t>>& records_by_file) {
    SliceDescriptor descriptor;
    std::vector<ValueFileRef> values;
    for (const auto& [file, records] : records_by_file) {
      descriptor.value_files.push_back({file, records, records * record_bytes_});
      values.push_back(std::make_shared<const LiveValueFile>(value_file(file), [](const auto&) {}));
    }
    auto table = std::make_shared<const TableFile>(
        1, corruption("not needed"), [](auto, const auto&) {}, values);
    return {std::move(table), std::move(descriptor)};
  }
  void add(const std::vector<std::pair<std::uint64_t, std::uint64_t>>& records_by_file) {
    ValueCensus::Change change;
    change.add(slice(records_by_file));
    census_.apply(change);
  }
  void remove(const std::vector<std::pair<std::uint64_t, std::uint64_t>>& records_by_file) {
    ValueCensus::Change change;
    change.remove(slice(records_by_file));
    census_.apply(change);
  }
  std::shared_ptr<const ValueFile> value_file(std::uint64_t number) {
    const std::string path = std::to_string(number);
    if (missing_.contains(number)) return ValueFile::unreadable(path, number, cache_, corruption("missing"));
    std::vector<WrittenValue> values(kRecordsEach, {"key", Bytes(100, 'v'), {}});
    EXPECT_TRUE(write_values(files_, values, number, path));
    return ValueFile::open(files_, path, number, cache_).value();
  }

  MemoryFiles files_;
  BlockCache cache_{0};
  std::set<std::uint64_t> missing_;
  const std::uint64_t record_bytes_ = value_record_bytes(3, 100);
  ValueCensus census_;
};

TEST_F(ValueCensusTest, CountsWhatSlicesReferTo) {
  add({{5, 10}, {6, 4}});
  add({{6, 5}});
  EXPECT_EQ(census_.file_count(), 2u);
  EXPECT_EQ(census_.total_bytes(), 20 * record_bytes_);
  EXPECT_EQ(census_.live_bytes(), 19 * record_bytes_);
  remove({{5, 10}, {6, 4}});
  EXPECT_EQ(census_.file_count(), 1u);
  EXPECT_EQ(census_.total_bytes(), 10 * record_bytes_);
  EXPECT_EQ(census_.live_bytes(), 5 * record_bytes_);
}

TEST_F(ValueCensusTest, HasNoVictimsAsLongAsGarbageIsBounded) {
  add({{1, 10}, {2, 10}, {3, 6}, {4, 10}, {5, 7}});  // 7 of 50 are garbage
  EXPECT_DOUBLE_EQ(census_.fill_within(census_.total_bytes()), 0.14 / 0.15);
  EXPECT_THAT(census_.victims(), IsEmpty());
}

TEST_F(ValueCensusTest, ChoosesTheEmptiestAndOfTheseTheOldestUntilLittleGarbageIsLeft) {
  add({{1, 10}, {2, 5}, {3, 9}, {4, 5}, {5, 2}, {6, 5}, {7, 10}});
  // 24 of 70 are garbage. Without 5, 2 and 4: 6 of 52. Without 6 as well, 1 of 47.
  EXPECT_THAT(census_.victims(), ElementsAre(2, 4, 5, 6));
  EXPECT_EQ(census_.victim_live_bytes(), 17 * record_bytes_);
  EXPECT_EQ(census_.victim_garbage_bytes(), 23 * record_bytes_);
}

TEST_F(ValueCensusTest, KeepsItsVictimsUntilTheyAreGone) {
  add({{1, 10}, {2, 2}});
  ASSERT_THAT(census_.victims(), ElementsAre(2));
  add({{3, 1}});
  EXPECT_THAT(census_.victims(), ElementsAre(2));
  remove({{2, 2}});
  EXPECT_THAT(census_.victims(), ElementsAre(3));
}

TEST_F(ValueCensusTest, LeavesFilesAloneOfWhichAValueCannotBeRead) {
  missing_ = {2};
  add({{1, 10}, {2, 2}, {3, 2}});
  EXPECT_THAT(census_.victims(), ElementsAre(3));
  census_.exclude({3});
  EXPECT_THAT(census_.victims(), IsEmpty());
  EXPECT_EQ(census_.garbage_bytes(), 0u);  // none that could be collected
  remove({{1, 3}});
  EXPECT_THAT(census_.victims(), ElementsAre(1));
}

}  // namespace
}  // namespace shale::engine::lsm
