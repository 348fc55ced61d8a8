// Damage while the tree is in use: what it hits fails with an error that names it, everything else goes on,
// and compaction works around it without an end to it coming in sight of writers.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/lsm/table_format.h"
#include "engine/testing/test_seed.h"
#include "tests/engine/lsm/simulated_tree.h"
#include "tests/engine/workload.h"

namespace shale::engine::lsm {
namespace {

using testing::HasSubstr;

enum class Damage : std::uint8_t { block, footer, missing };

class TreeDamage : public testing::TestWithParam<Damage> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(tree_.open(random_()));
    write(2'000);
    tree_.flush();
    for (int i = 0; i < 3; ++i) tree_.run_one();
  }
  void write(int count) {
    for (; count > 0; --count) {
      workload_.add_write();
      ASSERT_TRUE(apply(tree_, policy_, workload_, workload_.last_lsn(), false)) << "writes are refused";
      if (count % 25 == 0) {
        tree_.flush();
        for (auto work = random_() % 6; work > 0; --work) tree_.run_one();
        runs_of_level0_max_ = std::max(runs_of_level0_max_, tree_.tree().version().runs(0).size());
      }
    }
  }
  // Of a slice drawn at random: begin, end and the file's path.
  SliceDescriptor any_slice() {
    std::vector<SliceDescriptor> slices;
    tree_.tree().version().for_each([&](const TableRef& slice) { slices.push_back(slice->slice()); });
    return slices[random_() % slices.size()];
  }
  // Of the table's data blocks, with which it begins.
  static std::uint64_t data_bytes(const Bytes& table) {
    constexpr std::size_t kFooterBytes = TableFooter::kEncodedBytes;
    TableFooter footer;
    const std::span<const char, kFooterBytes> encoded{table.data() + table.size() - kFooterBytes,
                                                      kFooterBytes};
    EXPECT_EQ(decode_footer(encoded, true, footer), FooterState::sound);
    return footer.filter_offset;
  }
  void do_damage(const std::string& path) {
    const Bytes contents = disk_.contents(path);
    const std::uint64_t bytes = contents.size();
    switch (GetParam()) {
      case Damage::block: return disk_.flip_bit(path, random_() % data_bytes(contents) * 8);
      case Damage::footer: return disk_.flip_bit(path, (bytes - 20) * 8);
      case Damage::missing: ASSERT_TRUE(disk_.remove(path));
    }
  }
  // Every read is right or fails with the name of a damaged file.
  void compare() {
    const Model model = workload_.after(workload_.last_lsn());
    std::set<Bytes> keys;
    for (Lsn lsn = 1; lsn <= workload_.last_lsn(); ++lsn) keys.insert(workload_.at(lsn).key);
    std::size_t failed = 0;
    for (const Bytes& key : keys) {
      const auto found = tree_.get(key);
      if (!found) {
        ++failed;
        EXPECT_TRUE(std::ranges::any_of(damaged_, [&](const std::string& path) {
          return found.error().message.find(path) != std::string::npos;
        })) << found.error().message;
        continue;
      }
      const auto expected = model.find(key);
      EXPECT_EQ(*found, expected == model.end() ? std::nullopt : std::optional{expected->second}) << key;
    }
    EXPECT_LT(failed, keys.size());
  }

  std::mt19937_64 random_{test_seed()};
  Workload workload_{test_seed(), 700, 60};
  SimulatedDisk disk_{test_seed()};
  TestPolicy policy_;
  SimulatedTree tree_{disk_, policy_};
  std::vector<std::string> damaged_;
  std::size_t runs_of_level0_max_ = 0;
};

TEST_P(TreeDamage, FailsTheReadsItHitsAndNothingElse) {
  const auto count_before = tree_.key_count('a');
  const SliceDescriptor hit = any_slice();
  damaged_.push_back("/lsm/" + TreeStore::table_name(hit.number));
  tree_.close();
  do_damage(damaged_.front());
  ASSERT_TRUE(tree_.open(random_()));
  EXPECT_EQ(tree_.key_count('a'), count_before);  // descriptors know
  for (Lsn lsn = tree_.persisted_lsn() + 1; lsn <= workload_.last_lsn(); ++lsn) {
    ASSERT_TRUE(apply(tree_, policy_, workload_, lsn, false));
  }
  compare();
  EXPECT_EQ(tree_.stats().damaged_tables, GetParam() == Damage::block ? 0u : 1u);  // a block is not read yet
}

// Damage in several tables, then four times as many writes as before: they are never refused, level 0 stays
// short, and compaction comes to an end.
TEST_P(TreeDamage, CompactionGoesAroundIt) {
  for (int i = 0; i < 3; ++i) {
    const std::string path = "/lsm/" + TreeStore::table_name(any_slice().number);
    if (!std::ranges::count(damaged_, path)) damaged_.push_back(path);
  }
  tree_.close();
  for (const std::string& path : damaged_) do_damage(path);
  ASSERT_TRUE(tree_.open(random_()));
  ASSERT_NO_FATAL_FAILURE(write(8'000));
  EXPECT_LT(runs_of_level0_max_, 50u);
  tree_.flush();
  ASSERT_TRUE(tree_.settle()) << "compaction finds no end";
  EXPECT_LT(tree_.tree().version().runs(0).size(), 40u);  // some for each damaged range
  EXPECT_EQ(tree_.stats().debt_bytes, 0u);
  compare();
}

INSTANTIATE_TEST_SUITE_P(Kinds, TreeDamage, testing::Values(Damage::block, Damage::footer, Damage::missing),
                         [](const auto& tested) {
                           switch (tested.param) {
                             case Damage::block: return "Block";
                             case Damage::footer: return "Footer";
                             case Damage::missing: return "Missing";
                           }
                           return "";
                         });

// The worst place: a table of level 0 spans all keys, so nothing above it can ever leave level 0.
TEST(TreeDamageInLevel0, WritesGoOnAboveATableThatSpansAllKeys) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(fmt::format("TEST_SEED={}", seed));
  SimulatedDisk disk{seed};
  TestPolicy policy;
  TreeStoreOptions options = tiny_tables();
  options.table_bytes = 1u << 20;
  SimulatedTree tree{disk, policy, options};
  Workload workload{seed, 300, 60};
  ASSERT_TRUE(tree.open(seed));
  const auto write = [&](int count) {
    for (; count > 0; --count) {
      workload.add_write();
      ASSERT_TRUE(apply(tree, policy, workload, workload.last_lsn(), false));
    }
    tree.begin_flush();
    while (tree.oldest_unpersisted_lsn() && tree.run_one()) {
    }
  };
  ASSERT_NO_FATAL_FAILURE(write(400));
  const auto newest = tree.tree().version().runs(0);
  ASSERT_FALSE(newest.empty());
  const std::string path = "/lsm/" + TreeStore::table_name(newest.front().tables().front()->number());
  tree.close();
  disk.flip_bit(path, (disk.contents(path).size() - 20) * 8);
  ASSERT_TRUE(tree.open(seed));
  for (int flush = 0; flush < 200; ++flush) {
    ASSERT_NO_FATAL_FAILURE(write(20));
    ASSERT_TRUE(tree.settle());
    // Some below the damage, some above it, and those that still wait to be pushed down beside it.
    ASSERT_LE(tree.tree().version().runs(0).size(), 40u);
  }
  const Model model = workload.after(workload.last_lsn());
  std::size_t read = 0;
  for (const auto& [key, value] : model) {
    const auto found = tree.get(key);
    if (!found) {
      EXPECT_THAT(found.error().message, HasSubstr(path));
      continue;
    }
    ++read;
    EXPECT_EQ(*found, value);
  }
  EXPECT_GT(read, model.size() / 2);
}

}  // namespace
}  // namespace shale::engine::lsm
