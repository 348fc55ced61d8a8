// Trees whose large values lie in value files.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "engine/testing/test_seed.h"
#include "tests/engine/lsm/tree_harness.h"

namespace shale::engine::lsm {
namespace {

using testing::HasSubstr;

Bytes key_of(std::uint64_t number) { return fmt::format("k{:016x}", number * 0x9e3779b97f4a7c15u); }

// Values that do not compress, so that sizes mean something, and that say whose they are.
Bytes value_of(std::uint64_t number, std::size_t bytes) {
  std::mt19937_64 random{number};
  Bytes value = fmt::format("{:016x}", number);
  while (value.size() < bytes) {
    const std::uint64_t part = random();
    value.append(reinterpret_cast<const char*>(&part), sizeof part);
  }
  value.resize(bytes);
  return value;
}

std::vector<std::string> value_files_of(const TreeHarness& tree) {
  std::vector<std::string> paths;
  for (const auto& file : std::filesystem::directory_iterator(tree.folder())) {
    if (file.path().extension() == ".values") paths.push_back(file.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

// The error that a read of this key ends with, if it does.
std::optional<Error> error_of_get(TreeHarness& tree, BytesView key) {
  ReadContext context;
  for (;;) {
    {
      const std::lock_guard lock{tree.mutex()};
      const auto found = tree.tree().get(HashedKey{key}, context);
      if (found) return {};
      if (found.error().kind != ErrorKind::not_resident) return found.error();
    }
    for (const auto& load : context.missing) load->run();
  }
}

TEST(ValueTree, FindsLargeValuesInMemoryInValueFilesAndAfterReopening) {
  TreeHarness tree;
  for (std::uint64_t i = 0; i < 50; ++i) tree.put(key_of(i), value_of(i, 10 + i * 500));
  for (int round = 0; round < 3; ++round) {
    for (std::uint64_t i = 0; i < 50; ++i) ASSERT_EQ(tree.get(key_of(i)), value_of(i, 10 + i * 500)) << i;
    EXPECT_EQ(tree.scan().size(), 50u);
    if (round == 0) {
      EXPECT_TRUE(value_files_of(tree).empty());
      tree.flush();
      EXPECT_EQ(value_files_of(tree).size(), 1u);
    } else {
      tree.reopen();
    }
  }
}

TEST(ValueTree, FindsAValueThatIsTooLargeForEveryCache) {
  TreeHarness tree{small_tree()};
  tree.put("k", value_of(1, 5u << 20));
  tree.flush();
  EXPECT_TRUE(tree.get("k") == value_of(1, 5u << 20));
  EXPECT_TRUE(tree.get("k") == value_of(1, 5u << 20));
  EXPECT_EQ(tree.scan().size(), 1u);
}

TEST(ValueTree, KeepsFewLargeValuesAmongManySmallOnesInTheTable) {
  TreeHarness tree;
  tree.put("klarge", value_of(1, 5000));
  for (std::uint64_t i = 0; i < 2'000; ++i) tree.put(key_of(i), Bytes(100, 'v'));
  tree.flush();
  EXPECT_TRUE(value_files_of(tree).empty());
  EXPECT_EQ(tree.get("klarge"), value_of(1, 5000));
}

TEST(ValueTree, NeverSeparatesIfTheOptionSaysSo) {
  TreeStoreOptions options;
  options.value_separation_bytes = 0;
  TreeHarness tree{options};
  tree.put("k", value_of(1, 50'000));
  tree.flush();
  EXPECT_TRUE(value_files_of(tree).empty());
  EXPECT_EQ(tree.get("k"), value_of(1, 50'000));
}

TEST(ValueTree, AFileGoesWhenNoTableRefersToItAnyMore) {
  TreeHarness tree{small_tree()};
  for (std::uint64_t i = 0; i < 40; ++i) tree.put(key_of(i), value_of(i, 5'000));
  tree.flush();
  const std::vector<std::string> first = value_files_of(tree);
  ASSERT_EQ(first.size(), 1u);
  for (int round = 0; round < 40 && std::filesystem::exists(first.front()); ++round) {
    for (std::uint64_t i = 0; i < 40; ++i) tree.put(key_of(i), value_of(i + 1000, 5'000));
    tree.flush();
    tree.settle();
    tree.reopen();  // what was discarded but not yet removed is a stray
  }
  EXPECT_FALSE(std::filesystem::exists(first.front()));
  for (std::uint64_t i = 0; i < 40; ++i) EXPECT_EQ(tree.get(key_of(i)), value_of(i + 1000, 5'000));
}

TEST(ValueTree, RemovesAFileThatNoTableRefersToAtTheStart) {
  TreeHarness tree;
  tree.put("k", value_of(1, 50'000));
  tree.flush();
  ASSERT_EQ(value_files_of(tree).size(), 1u);
  tree.close();
  for (const char* const name : {"/00000777.values", "/00000778.values.tmp"}) {
    ASSERT_TRUE(replace_file(*make_posix_file_system(), tree.folder() + name, "left over"));
  }
  tree.open();
  EXPECT_EQ(value_files_of(tree).size(), 1u);
  EXPECT_FALSE(std::filesystem::exists(tree.folder() + "/00000778.values.tmp"));
  EXPECT_EQ(tree.get("k"), value_of(1, 50'000));
}

TEST(ValueTree, ADamagedRecordFailsItsReadsAndNoOthers) {
  TreeHarness tree;
  for (std::uint64_t i = 0; i < 20; ++i) tree.put(key_of(i), value_of(i, 5'000));
  tree.flush();
  tree.close();
  const std::string path = value_files_of(tree).at(0);
  {
    const auto files = make_posix_file_system();
    Bytes contents = read_file(*files, path).value();
    contents[8'000] = static_cast<char>(contents[8'000] ^ 1);
    ASSERT_TRUE(replace_file(*files, path, contents));
  }
  tree.open();
  std::vector<Error> errors;
  for (std::uint64_t i = 0; i < 20; ++i) {
    if (const auto error = error_of_get(tree, key_of(i))) errors.push_back(*error);
  }
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors.front().kind, ErrorKind::corruption);
  EXPECT_THAT(errors.front().message, HasSubstr(path));
  EXPECT_THAT(errors.front().message, HasSubstr("offset "));
}

TEST(ValueTree, AMissingFileFailsItsValuesAndNothingElse) {
  TreeHarness tree;
  tree.put("kfirst", value_of(1, 50'000));
  tree.flush();
  const std::string path = value_files_of(tree).at(0);
  tree.put("ksecond", value_of(2, 50'000));
  tree.put("ksmall", "inline");
  tree.flush();
  tree.close();
  std::filesystem::remove(path);
  tree.open();
  EXPECT_EQ(tree.get("ksecond"), value_of(2, 50'000));
  EXPECT_EQ(tree.get("ksmall"), "inline");
  const auto error = error_of_get(tree, "kfirst");
  ASSERT_TRUE(error);
  EXPECT_THAT(error->message, HasSubstr(path));
  EXPECT_EQ(tree.key_count('k'), 3);
  tree.put("kfirst", "again");  // and can be overwritten
  EXPECT_EQ(tree.get("kfirst"), "again");
}

TEST(ValueTree, CompactionDropsObsoleteLargeValuesByTheirBeginning) {
  TreeHarness tree{small_tree()};
  for (int round = 0; round < 12; ++round) {
    for (std::uint64_t i = 0; i < 60; ++i) {
      tree.put(key_of(i), (i % 2 == 0 ? "expired" : "") + value_of(i, 5'000));
    }
    tree.flush();
    tree.settle();
  }
  // What has expired is still there in the newest flushes, but what compaction has carried to the bottom is
  // not.
  std::uint64_t found = 0;
  for (std::uint64_t i = 0; i < 60; ++i) {
    const auto value = tree.get(key_of(i));
    if (i % 2 != 0) {
      ASSERT_EQ(value, value_of(i, 5'000));
    }
    found += value ? 1 : 0;
  }
  EXPECT_GE(found, 30u);
}

std::uint64_t value_file_bytes(const TreeHarness& tree) {
  std::uint64_t bytes = 0;
  for (const std::string& path : value_files_of(tree)) bytes += std::filesystem::file_size(path);
  return bytes;
}

TEST(ValueTree, CollectsTheGarbageThatOverwritingLeaves) {
  constexpr std::uint64_t kKeys = 400;
  constexpr std::size_t kValueBytes = 5'000;
  TreeHarness tree{small_tree()};
  std::mt19937_64 random{1};
  std::vector<std::uint64_t> latest(kKeys);
  for (std::uint64_t write = 0; write < 6 * kKeys; ++write) {
    const std::uint64_t key = write < kKeys ? write : random() % kKeys;
    latest[key] = random();
    tree.put(key_of(key), value_of(latest[key], kValueBytes));
  }
  tree.flush();
  tree.settle();
  const EngineStats stats = tree.stats();
  EXPECT_GT(stats.relocated_value_bytes, 0u);
  EXPECT_LE(stats.value_file_bytes - stats.live_value_bytes, stats.value_file_bytes / 4);
  EXPECT_LT(stats.disk_bytes_written, 3 * stats.user_bytes_written);
  tree.reopen();  // removes what was left to be removed in the background
  EXPECT_EQ(tree.stats().value_files, value_files_of(tree).size());
  EXPECT_LT(value_file_bytes(tree), 2 * kKeys * kValueBytes);
  for (std::uint64_t key = 0; key < kKeys; ++key) {
    ASSERT_EQ(tree.get(key_of(key)), value_of(latest[key], kValueBytes)) << key;
  }
}

TEST(ValueTree, AValueThatCannotBeReadStaysWhereItIsWhileOthersAreMoved) {
  TreeHarness tree{small_tree()};
  for (std::uint64_t i = 0; i < 40; ++i) tree.put(key_of(i), value_of(i, 5'000));
  tree.flush();
  tree.close();
  const std::string path = value_files_of(tree).at(0);
  {
    const auto files = make_posix_file_system();
    Bytes contents = read_file(*files, path).value();
    contents[8'000] = static_cast<char>(contents[8'000] ^ 1);
    ASSERT_TRUE(replace_file(*files, path, contents));
  }
  tree.open();
  std::uint64_t damaged = 0;
  while (!error_of_get(tree, key_of(damaged))) ++damaged;
  for (int round = 0; round < 20; ++round) {  // makes garbage of the rest
    for (std::uint64_t i = 0; i < 40; ++i) {
      if (i != damaged && i % 4 != 0) tree.put(key_of(i), value_of(i, 5'000));
    }
    tree.flush();
    tree.settle();
  }
  EXPECT_GT(tree.stats().relocated_value_bytes, 0u);
  for (std::uint64_t i = 0; i < 40; ++i) {
    const auto error = error_of_get(tree, key_of(i));
    ASSERT_EQ(error.has_value(), i == damaged);
    if (error) {
      EXPECT_THAT(error->message, HasSubstr(path));
    }
  }
}

// The tree against std::map, with values on both sides of the threshold.
class ValueTreeModel : public testing::TestWithParam<int> {};

TEST_P(ValueTreeModel, AgreesWithAMap) {
  const std::uint64_t seed = test_seed() + static_cast<std::uint64_t>(GetParam());
  SCOPED_TRACE(fmt::format("TEST_SEED={}", seed));
  std::mt19937_64 random{seed};
  TreeHarness tree{small_tree()};
  std::map<Bytes, Bytes> model;
  const auto pick_key = [&] { return key_of(random() % 600); };
  for (int round = 0; round < 12; ++round) {
    for (int i = 0; i < 800; ++i) {
      const Bytes key = pick_key();
      if (random() % 5 == 0) {
        tree.erase(key);
        model.erase(key);
      } else {
        const Bytes value = value_of(random(), random() % 3 == 0 ? random() % 200 : 3'000 + random() % 6'000);
        tree.put(key, value);
        model[key] = value;
      }
    }
    for (int i = 0; i < 300; ++i) {
      const Bytes key = pick_key();
      const auto expected = model.find(key);
      ASSERT_EQ(tree.get(key), expected == model.end() ? std::nullopt : std::optional{expected->second})
          << key;
    }
    const Bytes from = pick_key();
    ASSERT_TRUE((tree.scan(from) == std::map<Bytes, Bytes>{model.lower_bound(from), model.end()})) << from;
    if (random() % 3 == 0) {
      tree.flush();
      if (random() % 2 == 0) tree.reopen();
    }
  }
  tree.flush();
  tree.settle();
  ASSERT_TRUE(tree.scan() == model);
  tree.reopen();
  ASSERT_TRUE(tree.scan() == model);
}

INSTANTIATE_TEST_SUITE_P(Seeds, ValueTreeModel, testing::Range(0, 3));

}  // namespace
}  // namespace shale::engine::lsm
