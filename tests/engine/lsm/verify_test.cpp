#include "engine/lsm/verify.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "engine/lsm/manifest.h"
#include "engine/testing/test_seed.h"
#include "tests/engine/lsm/simulated_tree.h"

namespace shale::engine::lsm {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Bytes key_of(int number) { return fmt::format("k{:05}", number); }

class VerifyTest : public testing::Test {
 protected:
  // A tree with several levels, narrowed slices among them, of two classes of keys.
  void SetUp() override {
    SimulatedTree tree{disk_, policy_};
    ASSERT_TRUE(tree.open());
    std::mt19937_64 random{7};
    Lsn lsn = 0;
    for (int i = 0; i < 3'000; ++i) {
      const Bytes key = key_of(static_cast<int>(random() % 600));
      const Bytes name = random() % 8 == 0 ? "o" + key : key;
      ASSERT_TRUE(random() % 5 == 0 ? tree.erase(name, ++lsn) : tree.put(name, Bytes(40, 'v'), ++lsn));
      if (i % 150 == 149) tree.flush();
    }
    tree.flush();
    for (int i = 0; i < 5; ++i) tree.run_one();
    tree.close();
    ASSERT_TRUE(tree.open());  // removes the files that were still to be removed
  }
  // Those that count, by number.
  std::vector<std::string> tables() {
    std::vector<std::string> paths;
    const auto contents = Manifest::read(disk_, "/lsm").value();
    for (const auto& [number, slices] : contents.trees.at(1).tables) {
      paths.push_back("/lsm/" + TreeStore::table_name(number));
    }
    return paths;
  }
  std::string manifest() {
    for (const std::string& name : *disk_.list("/lsm")) {
      if (name.starts_with("manifest-")) return "/lsm/" + name;
    }
    return {};
  }
  // Adds an edit to the manifest, as nobody should.
  void edit(const VersionEdit& wrong) { ASSERT_TRUE(Manifest::open(disk_, "/lsm").value()->append(wrong)); }
  SliceDescriptor any_slice() {
    const auto trees = Manifest::read(disk_, "/lsm").value().trees;
    return trees.at(1).tables.begin()->second.front();
  }

  SimulatedDisk disk_{1};
  TestPolicy policy_;
};

TEST_F(VerifyTest, FindsNothingWrongWithASoundTree) {
  ASSERT_GT(tables().size(), 5u);
  const Bytes manifest_before = disk_.contents(manifest());
  const auto calls = disk_.mutating_calls();
  const Findings findings = verify(disk_);
  EXPECT_THAT(findings.problems, IsEmpty());
  EXPECT_GT(findings.records, 400u);
  EXPECT_EQ(disk_.mutating_calls(), calls);
  EXPECT_EQ(disk_.contents(manifest()), manifest_before);
}

TEST_F(VerifyTest, FindsAnyBitThatHasFlippedInATable) {
  const std::string path = tables()[tables().size() / 2];
  const std::uint64_t bytes = disk_.contents(path).size();
  std::mt19937_64 random{test_seed()};
  for (std::uint64_t byte = 0; byte < bytes; byte += 1 + random() % 5) {
    const std::uint64_t bit = byte * 8 + random() % 8;
    disk_.flip_bit(path, bit);
    ASSERT_THAT(verify(disk_).problems, Contains(AllOf(HasSubstr(path), HasSubstr("offset")))) << bit;
    disk_.flip_bit(path, bit);
  }
  EXPECT_THAT(verify(disk_).problems, IsEmpty());
}

TEST_F(VerifyTest, NamesEveryDamagedBlock) {
  const std::string path = tables().front();
  disk_.flip_bit(path, 30UL * 8);
  disk_.flip_bit(path, 900UL * 8);
  EXPECT_THAT(verify(disk_).problems,
              ElementsAre(AllOf(HasSubstr(path), HasSubstr("offset 0:")), HasSubstr(path)));
}

TEST_F(VerifyTest, NamesATableThatIsMissing) {
  const std::string path = tables().front();
  ASSERT_TRUE(disk_.remove(path));
  EXPECT_THAT(verify(disk_).problems, ElementsAre(AllOf(HasSubstr(path), HasSubstr("is missing"))));
}

TEST_F(VerifyTest, NamesATableThatStandsInAnothersPlace) {
  const std::string path = tables().front();
  ASSERT_TRUE(disk_.rename(tables().back(), path));
  EXPECT_THAT(verify(disk_).problems, Contains(AllOf(HasSubstr(path), HasSubstr("is table"))));
}

TEST_F(VerifyTest, StraysAreNoDamage) {
  ASSERT_TRUE(disk_.create("/lsm/00099999.table"));
  ASSERT_TRUE(disk_.create("/lsm/00099998.table.tmp"));
  const Findings findings = verify(disk_);
  EXPECT_THAT(findings.problems, IsEmpty());
  EXPECT_THAT(findings.remarks, ElementsAre(HasSubstr("00099998.table.tmp"), HasSubstr("00099999.table")));
}

TEST_F(VerifyTest, NamesADamagedEditAndStillChecksTheTables) {
  const std::string damaged_table = tables().back();
  disk_.flip_bit(manifest(), (20UL + 13) * 8);
  disk_.flip_bit(damaged_table, 8);
  EXPECT_THAT(verify(disk_).problems,
              ElementsAre(AllOf(HasSubstr(manifest()), HasSubstr("offset 20")), HasSubstr(damaged_table)));
}

TEST_F(VerifyTest, TablesWithoutAManifestAreDamageAndAreNotGivenUp) {
  ASSERT_TRUE(disk_.remove(manifest()));
  EXPECT_THAT(verify(disk_).problems, ElementsAre(HasSubstr("no manifest")));
  const auto files_before = *disk_.list("/lsm");
  SimulatedTree tree{disk_, policy_};
  const Status opened = tree.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, ErrorKind::corruption);
  EXPECT_EQ(*disk_.list("/lsm"), files_before);
}

TEST_F(VerifyTest, HoldsSlicesToTheirTables) {
  SliceDescriptor beyond = any_slice();
  beyond.end_key += "x";
  edit({1, 0, {beyond.number}, {beyond}});
  EXPECT_THAT(verify(disk_).problems, Contains(HasSubstr("reaches beyond")));
}

TEST_F(VerifyTest, HoldsBalancesToTheEntries) {
  SliceDescriptor wrong = any_slice();
  ASSERT_THAT(wrong.balances, testing::Not(IsEmpty()));
  ++wrong.balances.front().sum;
  const auto slices = Manifest::read(disk_, "/lsm").value().trees.at(1).tables.at(wrong.number);
  VersionEdit all{1, 0, {wrong.number}, slices};
  all.added.front() = wrong;
  edit(all);
  EXPECT_THAT(verify(disk_).problems, Contains(HasSubstr("live keys of class")));
}

// A tree with values in value files.
class VerifyValues : public VerifyTest {
 protected:
  void SetUp() override {
    TreeStoreOptions options = tiny_tables();
    options.value_separation_bytes = 100;
    SimulatedTree tree{disk_, policy_, options};
    ASSERT_TRUE(tree.open());
    for (Lsn lsn = 1; lsn <= 200; ++lsn) {
      ASSERT_TRUE(tree.put(key_of(static_cast<int>(lsn) % 150), Bytes(300, 'v'), lsn));
    }
    tree.flush();
    ASSERT_TRUE(tree.settle());
    tree.close();
    ASSERT_TRUE(tree.open());
  }
  std::string value_file() {
    for (const std::string& name : *disk_.list("/lsm")) {
      if (name.ends_with(".values")) return "/lsm/" + name;
    }
    return {};
  }
};

TEST_F(VerifyValues, FindsNothingWrongWithSoundOnes) {
  ASSERT_FALSE(value_file().empty());
  const Findings findings = verify(disk_);
  EXPECT_THAT(findings.problems, IsEmpty());
  EXPECT_THAT(findings.remarks, IsEmpty());
  EXPECT_GT(findings.records, 300u);
}

TEST_F(VerifyValues, NamesADamagedRecordAndAMissingFile) {
  const std::string path = value_file();
  disk_.flip_bit(path, 1'000UL * 8);
  EXPECT_THAT(verify(disk_).problems, ElementsAre(AllOf(HasSubstr(path), HasSubstr("offset"))));
  ASSERT_TRUE(disk_.remove(path));
  EXPECT_THAT(verify(disk_).problems, ElementsAre(AllOf(HasSubstr(path), HasSubstr("is missing"))));
}

TEST_F(VerifyValues, HoldsTheManifestToWhatIsReferredTo) {
  const auto contents = Manifest::read(disk_, "/lsm").value();
  const auto& [number, slices] = *contents.trees.at(1).tables.begin();
  VersionEdit wrong{1, 0, {number}, slices};
  ASSERT_THAT(wrong.added.front().value_files, testing::Not(IsEmpty()));
  ++wrong.added.front().value_files.front().record_count;
  edit(wrong);
  EXPECT_THAT(verify(disk_).problems, ElementsAre(HasSubstr("counts other values")));
}

TEST_F(VerifyTest, SlicesOfARunMustNotOverlap) {
  SliceDescriptor second = any_slice();
  const auto trees = Manifest::read(disk_, "/lsm").value().trees;
  SliceDescriptor other = trees.at(1).tables.rbegin()->second.front();
  other.level = second.level;
  other.run = second.run;
  other.begin_key = second.begin_key;
  other.end_key = second.end_key;
  edit({1, 0, {other.number}, {other}});
  EXPECT_THAT(verify(disk_).problems, Contains(HasSubstr("overlap")));
}

}  // namespace
}  // namespace shale::engine::lsm
