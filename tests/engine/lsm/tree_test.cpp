#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "engine/lsm/key_bounds.h"
#include "engine/testing/test_seed.h"
#include "tests/engine/lsm/tree_harness.h"

namespace shale::engine::lsm {
namespace {

Bytes key_of(std::uint64_t number) { return fmt::format("k{:016x}", number * 0x9e3779b97f4a7c15u); }

TEST(Tree, FindsWhatWasPutInMemoryAndOnDisk) {
  TreeHarness tree;
  tree.put("ka", "1");
  EXPECT_EQ(tree.get("ka"), "1");
  tree.flush();
  EXPECT_EQ(tree.get("ka"), "1");
  EXPECT_EQ(tree.get("kb"), std::nullopt);
  tree.reopen();
  EXPECT_EQ(tree.get("ka"), "1");
}

TEST(Tree, ATombstoneHidesOlderTables) {
  TreeHarness tree;
  tree.put("ka", "1");
  tree.flush();
  tree.erase("ka");
  EXPECT_EQ(tree.get("ka"), std::nullopt);
  tree.flush();
  EXPECT_EQ(tree.get("ka"), std::nullopt);
  EXPECT_TRUE(tree.scan().empty());
}

TEST(Tree, AWriteReplacesWhatTheRecordCacheHolds) {
  TreeHarness tree;
  tree.put("ka", "old");
  tree.flush();
  for (int i = 0; i < 4; ++i) EXPECT_EQ(tree.get("ka"), "old");  // often enough to be cached
  tree.put("ka", "new");
  tree.flush();
  for (int i = 0; i < 4; ++i) EXPECT_EQ(tree.get("ka"), "new");
}

TEST(Tree, PersistsUpToTheLastFlushedRecord) {
  TreeHarness tree;
  tree.put("ka", "1");
  tree.put("kb", "2");
  EXPECT_EQ(tree.tree().persisted_lsn(), 0u);
  EXPECT_EQ(tree.tree().oldest_unpersisted_lsn(), 1u);
  tree.flush();
  EXPECT_EQ(tree.tree().persisted_lsn(), 2u);
  EXPECT_EQ(tree.tree().oldest_unpersisted_lsn(), std::nullopt);
  tree.reopen();
  EXPECT_EQ(tree.tree().persisted_lsn(), 2u);
}

TEST(Tree, CountsKeysWithoutReadingThem) {
  TreeHarness tree{small_tree()};
  for (std::uint64_t i = 0; i < 20'000; ++i) tree.put(key_of(i), Bytes(50, 'v'));
  for (std::uint64_t i = 0; i < 20'000; i += 2) tree.put(key_of(i), Bytes(60, 'w'));
  for (std::uint64_t i = 0; i < 20'000; i += 4) tree.erase(key_of(i));
  // A filter's false positive makes a new key count as an overwrite until compaction has looked: about one in
  // a hundred keys for each table in its way.
  EXPECT_NEAR(static_cast<double>(tree.key_count('k')), 15'000, 1'000);
  const auto counted = static_cast<std::int64_t>(tree.scan().size());
  EXPECT_EQ(counted, 15'000);
}

TEST(Tree, CountsNewKeysExactlyOnceGuessesAreLookedUp) {
  TreeStoreOptions options = small_tree();
  options.block_cache_bytes = 16u << 10;  // next to nothing is resident: every false positive is a guess
  TreeHarness tree{options};
  for (std::uint64_t i = 0; i < 20'000; ++i) tree.put(key_of(i), Bytes(50, 'v'));
  while (tree.key_count('k') != 20'000) std::this_thread::yield();  // the test's time limit is the bound
  tree.flush();
  EXPECT_EQ(tree.key_count('k'), 20'000);
  tree.reopen();
  EXPECT_EQ(tree.key_count('k'), 20'000);
}

TEST(Tree, DropsTheTablesOfADeadClassAndKeepsTheOthers) {
  TreeHarness tree{small_tree()};
  for (std::uint64_t i = 0; i < 5'000; ++i) tree.put(key_of(i), Bytes(50, 'v'));
  tree.put("other", "kept");
  tree.flush();
  tree.settle();
  {
    std::lock_guard lock{tree.mutex()};
    tree.policy.dead.insert('k');
    tree.tree().reclaim_obsolete(tree.lsn());
  }
  tree.put("other2", "x");
  tree.flush();
  EXPECT_EQ(tree.get("other"), "kept");
  EXPECT_EQ(tree.key_count('o'), 2);
}

TEST(Tree, ForgetsAClassThatIsAllItHolds) {
  TreeHarness tree{small_tree()};
  for (std::uint64_t i = 0; i < 5'000; ++i) tree.put(key_of(i), Bytes(50, 'v'));
  tree.flush();
  {
    std::lock_guard lock{tree.mutex()};
    tree.policy.dead.insert('k');
    tree.tree().reclaim_obsolete(tree.lsn());
  }
  while (tree.stats().disk_bytes > 0) std::this_thread::yield();  // the test's time limit is the bound
  EXPECT_TRUE(tree.scan().empty());
}

// Small new tables lie over the whole range.
TEST(Tree, TheMiddleKeyHalvesTheBytesAlsoWhereTablesOverlap) {
  TreeHarness tree{small_tree()};
  const auto put = [&](int number, std::size_t bytes) {
    tree.put(fmt::format("k{:03}", number), Bytes(bytes, 'v'));
  };
  for (int number = 0; number < 60; ++number) put(number, 60);
  tree.flush();
  tree.settle();
  for (int table = 0; table < 3; ++table) {
    for (int number = 1 + table; number < 60; number += 10) put(number, 120);
    tree.flush();
  }
  const std::lock_guard lock{tree.mutex()};
  const auto middle = tree.tree().middle_key();
  ASSERT_TRUE(middle);
  EXPECT_GT(*middle, "k010");
  EXPECT_LT(*middle, "k050");
}

// The bounds of tables that stay in memory are shorter than what these keys have in common.
TEST(Tree, KeysThatBeginAlikeForLongerThanBoundsStayApart) {
  TreeStoreOptions options = small_tree();
  options.table_bytes = 16u << 10;
  TreeHarness tree{options};
  const Bytes beginning(2 * kBoundBytesMax, 'k');
  std::map<Bytes, Bytes> expected;
  const auto put = [&](int number, const Bytes& value) {
    const Bytes key = fmt::format("{}{:05}", beginning, number);
    tree.put(key, value);
    expected[key] = value;
  };
  for (int round = 0; round < 6; ++round) {
    for (int number = round; number < 1'200; number += 1 + round % 3)
      put(number, Bytes(100, static_cast<char>('a' + round)));
    tree.flush();
  }
  tree.settle();
  EXPECT_EQ(tree.scan(), expected);
  tree.reopen();
  EXPECT_EQ(tree.scan(), expected);
  for (const auto& [key, value] : expected) ASSERT_EQ(tree.get(key), value);
}

TEST(Tree, RefusesATableThatWasDamagedAndNamesIt) {
  TreeHarness tree{small_tree()};
  for (std::uint64_t i = 0; i < 1'000; ++i) tree.put(key_of(i), Bytes(100, 'v'));
  tree.flush();
  tree.close();
  std::string damaged;
  for (const auto& file : std::filesystem::directory_iterator(tree.folder())) {
    if (file.path().extension() == ".table") damaged = file.path();
  }
  ASSERT_FALSE(damaged.empty());
  {
    const auto files = make_posix_file_system();
    auto contents = read_file(*files, damaged);
    ASSERT_TRUE(contents);
    (*contents)[100] = static_cast<char>((*contents)[100] ^ 0x10);  // in the first data block
    ASSERT_TRUE(replace_file(*files, damaged, *contents));
  }
  tree.open();
  ReadContext context;
  std::optional<Error> error;
  for (std::uint64_t i = 0; i < 1'000 && !error; ++i) {
    for (;;) {
      context.pins.clear();
      std::unique_lock lock{tree.mutex()};
      const auto found = tree.tree().get(HashedKey{key_of(i)}, context);
      if (found) {
        EXPECT_EQ(**found, Bytes(100, 'v'));
        break;
      }
      if (found.error().kind != ErrorKind::not_resident) {
        error = found.error();
        break;
      }
      lock.unlock();
      for (const auto& load : context.missing) load->run();
    }
  }
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind, ErrorKind::corruption);
  EXPECT_THAT(error->message, testing::HasSubstr(damaged));
}

// The tree against std::map: random writes, reads, scans, flushes and reopenings, with memory small enough
// that several levels of compaction take part.
class TreeModel : public testing::TestWithParam<int> {};

TEST_P(TreeModel, AgreesWithAMap) {
  const std::uint64_t seed = test_seed() + static_cast<std::uint64_t>(GetParam());
  SCOPED_TRACE(fmt::format("TEST_SEED={}", seed));
  std::mt19937_64 random{seed};
  TreeHarness tree{small_tree()};
  std::map<Bytes, Bytes> model;
  std::uint64_t compactions = 0;
  const auto pick_key = [&] { return key_of(random() % 8'000); };
  for (int round = 0; round < 12; ++round) {
    for (int i = 0; i < 6'000; ++i) {
      const Bytes key = pick_key();
      if (random() % 4 == 0) {
        tree.erase(key);
        model.erase(key);
      } else {
        const Bytes value(random() % (random() % 100 == 0 ? 6'000 : 120),
                          static_cast<char>('a' + random() % 26));
        tree.put(key, value);
        model[key] = value;
      }
    }
    for (int i = 0; i < 2'000; ++i) {
      const Bytes key = pick_key();
      const auto expected = model.find(key);
      ASSERT_EQ(tree.get(key), expected == model.end() ? std::nullopt : std::optional{expected->second})
          << key;
    }
    const Bytes from = pick_key();
    ASSERT_TRUE((tree.scan(from) == std::map<Bytes, Bytes>{model.lower_bound(from), model.end()})) << from;
    if (random() % 3 == 0) {
      tree.flush();
      if (random() % 2 == 0) {
        compactions += tree.stats().compactions;
        tree.reopen();
      }
    }
  }
  tree.flush();
  tree.settle();
  EXPECT_GT(compactions + tree.stats().compactions, 0u);
  ASSERT_TRUE(tree.scan() == model);
}

INSTANTIATE_TEST_SUITE_P(Seeds, TreeModel, testing::Range(0, 3));

}  // namespace
}  // namespace shale::engine::lsm
