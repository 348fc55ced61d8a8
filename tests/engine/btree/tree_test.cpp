// How the tree grows, shrinks, forgets and reports.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/testing/test_seed.h"
#include "tests/engine/btree/simulated_tree.h"

namespace shale::engine::btree {
namespace {

using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class BtreeTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(tree_.open()); }
  void put(const Bytes& key, const Bytes& value) { ASSERT_TRUE(tree_.put(key, value, ++lsn_)); }
  void erase(const Bytes& key) { ASSERT_TRUE(tree_.erase(key, ++lsn_)); }
  void load(int count, std::size_t value_bytes = 40) {
    for (int i = 0; i < count; ++i) put(name(i * 7919 % count), Bytes(value_bytes, 'v'));
  }
  static Bytes name(int number) { return fmt::format("k{:06}", number); }
  void persist() {
    tree_.flush();
    ASSERT_TRUE(tree_.settle());
    ASSERT_EQ(tree_.persisted_lsn(), lsn_);
  }
  void reopen() {
    tree_.close();
    ASSERT_TRUE(tree_.open());
  }
  BtreeStats stats() { return *tree_.stats().btree; }

  SimulatedDisk disk_;
  TestPolicy policy_;
  SimulatedTree tree_{disk_, policy_};
  Lsn lsn_ = 0;
};

TEST_F(BtreeTest, KeysLoadedInOrderFillTheirLeaves) {
  for (int i = 0; i < 3000; ++i) put(name(i), Bytes(20, 'v'));
  const BtreeStats tree = stats();
  EXPECT_GE(tree.height, 3u);
  EXPECT_GT(static_cast<double>(tree.leaf_bytes) / static_cast<double>(tree.leaves), 512.0);
}

TEST_F(BtreeTest, KeysLoadedInAnyOrderFillTheirLeavesMostly) {
  load(3000, 20);
  const BtreeStats tree = stats();
  EXPECT_GT(static_cast<double>(tree.leaf_bytes) / static_cast<double>(tree.leaves), 0.7 * 512);
}

TEST_F(BtreeTest, ErasedTreesShrinkInMemoryAndOnDisk) {
  load(3000);
  persist();
  const BtreeStats full = stats();
  for (int i = 0; i < 3000; ++i) {
    if (i % 300 != 0) erase(name(i));
  }
  persist();
  ASSERT_TRUE(tree_.scan());  // brings everything into memory, one leaf after the other
  for (int i = 0; i < 3000; i += 300) put(name(i), Bytes(300, 'v'));
  persist();
  const BtreeStats empty = stats();
  EXPECT_LT(empty.leaves, full.leaves / 9);
  EXPECT_LT(empty.height, full.height);
  EXPECT_LT(empty.file_bytes, full.file_bytes / 2);
  EXPECT_EQ(tree_.key_count('k'), 10);
  tree_.close();
  EXPECT_THAT(verify(disk_).problems, IsEmpty());
}

TEST_F(BtreeTest, SmallUpdatesOfColdLeavesAreNotWrittenAsWholePages) {
  load(3000);
  persist();
  reopen();
  const std::uint64_t before = stats().file_bytes;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 3000; i += 50) put(name(i), Bytes(40, 'w'));
    persist();
  }
  const BtreeStats tree = stats();
  EXPECT_GT(tree.changes_written, 2 * tree.bases_written);
  EXPECT_LT(tree.file_bytes, before * 2);
  EXPECT_EQ(tree_.key_count('k'), 3000);
  const auto found = tree_.scan();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->size(), 3000u);
  EXPECT_EQ(found->at(name(50)), Bytes(40, 'w'));
}

TEST_F(BtreeTest, ColdLeavesThatGrowAreCutWhenTheyAreWritten) {
  load(500);
  persist();
  const BtreeStats before = stats();
  reopen();
  for (int round = 0; round < 12; ++round) {
    for (int i = 0; i < 500; ++i) put(fmt::format("{}-{}", name(i), round), Bytes(40, 'w'));
    tree_.begin_flush();
    tree_.run_one();
    put(name(round * 40), "written while the checkpoint waits");
    persist();
  }
  const BtreeStats after = stats();
  EXPECT_GT(after.leaves, 8 * before.leaves);
  EXPECT_LT(after.leaf_bytes / after.leaves, 2 * 512u);
  EXPECT_EQ(tree_.key_count('k'), 13 * 500);
  EXPECT_EQ(tree_.scan()->size(), 13 * 500u);
  tree_.close();
  EXPECT_THAT(verify(disk_).problems, IsEmpty());
}

TEST_F(BtreeTest, WhatWasInMemoryStaysThereWhenItsFirstPageIsWritten) {
  put("ka", "1");  // in a buffer, above nothing
  persist();
  put("kb", "2");
  EXPECT_EQ(tree_.key_count('k'), 2);  // without a guess
}

TEST_F(BtreeTest, GuessesAboutColdLeavesAreCorrectedWhenTheyAreRead) {
  load(500);
  persist();
  reopen();
  for (int i = 0; i < 20; ++i) put(name(1000 + i), "new");  // all into the last leaf, which is not there
  for (int i = 0; i < 10; ++i) erase(name(2000 + i));       // were never there
  EXPECT_LT(tree_.key_count('k'), 520);
  tree_.settle();  // few as they are, they are looked up
  EXPECT_EQ(tree_.key_count('k'), 520);
}

TEST_F(BtreeTest, ManyGuessesAreCorrectedWhenTheirLeavesAreMerged) {
  load(500);
  persist();
  reopen();
  for (int i = 0; i < 2000; ++i) put(fmt::format("{}x", name(i % 500)), fmt::format("{}", i));
  persist();
  EXPECT_LE(tree_.key_count('k'), 1000);
  for (int i = 0; i < 500; ++i) ASSERT_TRUE(tree_.get(name(i)));
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 500; ++i) {
      ASSERT_TRUE(tree_.get(name(i)));
      put(name(i), Bytes(100, static_cast<char>('a' + round)));
    }
    persist();
  }
  EXPECT_EQ(tree_.key_count('k'), 1000);
}

TEST_F(BtreeTest, ADroppedClassGivesItsSpaceBackAtOnceIfItIsAlone) {
  load(3000);
  persist();
  const std::uint64_t full = stats().file_bytes;
  policy_.dead.insert('k');
  tree_.reclaim_obsolete(++lsn_);
  EXPECT_EQ(stats().leaves, 1u);
  EXPECT_EQ(stats().changed_bytes, 0u);
  ASSERT_TRUE(tree_.settle());
  for (int i = 0; i < 4; ++i) {  // what was written last moves to the front
    tree_.pass(std::chrono::seconds{2});
    ASSERT_TRUE(tree_.settle());
  }
  EXPECT_LT(stats().file_bytes, full / 4);
  put("m", "lives");
  persist();
  reopen();
  EXPECT_EQ(*tree_.scan(), (std::map<Bytes, Bytes>{{"m", "lives"}}));
  tree_.close();
  EXPECT_THAT(verify(disk_).problems, IsEmpty());
}

TEST_F(BtreeTest, ADroppedClassAmongOthersIsSweptOut) {
  for (int i = 0; i < 1500; ++i) {
    put(fmt::format("a{:06}", i), Bytes(30, 'v'));
    put(fmt::format("b{:06}", i), Bytes(30, 'v'));
  }
  persist();
  reopen();
  policy_.dead.insert('a');
  tree_.reclaim_obsolete(++lsn_);
  put("b", "so that there is a record to persist");
  ASSERT_TRUE(tree_.settle());
  persist();
  const auto found = tree_.scan();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->size(), 1501u);
  EXPECT_EQ(tree_.key_count('b'), 1501);
  tree_.close();
  const Findings findings = verify(disk_);
  EXPECT_THAT(findings.problems, IsEmpty());
  EXPECT_EQ(findings.records, 1501u);
}

TEST_F(BtreeTest, ExpiredRecordsGoWhenTheirLeafIsWritten) {
  for (int i = 0; i < 200; ++i) put(name(i), "expired");
  for (int i = 200; i < 400; ++i) put(name(i), Bytes(30, 'v'));
  persist();
  for (int i = 0; i < 400; ++i) put(name(i + 400), Bytes(30, 'v'));
  persist();
  EXPECT_LT(tree_.key_count('k'), 650);
  tree_.close();
  EXPECT_THAT(verify(disk_).problems, IsEmpty());
}

TEST_F(BtreeTest, RecordsOfAnySizeHaveAPlace) {
  for (const std::size_t bytes : {10, 600, 5'000, 70'000, 100, 200'000}) {
    put(fmt::format("value{}", bytes), Bytes(bytes, 'v'));
    put(Bytes(bytes, 'k'), "v");
    persist();
  }
  reopen();
  for (const std::size_t bytes : {10, 600, 5'000, 70'000, 100, 200'000}) {
    EXPECT_EQ(*tree_.get(fmt::format("value{}", bytes)), Bytes(bytes, 'v'));
    EXPECT_EQ(*tree_.get(Bytes(bytes, 'k')), "v");
  }
}

TEST_F(BtreeTest, AFullDiskStopsWritesUntilThereIsRoom) {
  load(1000);
  persist();
  disk_.set_capacity(disk_.contents("/btree/pages").size());
  Status status;
  for (int i = 0; status && i < 100'000; ++i) status = tree_.put(name(i), Bytes(100, 'w'), ++lsn_);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::no_space);
  EXPECT_EQ(*tree_.get(name(0)), Bytes(100, 'w'));
  --lsn_;
  disk_.set_capacity(UINT64_MAX);
  tree_.settle();
  static_cast<void>(tree_.put("again", "tries", ++lsn_).has_value());
  ASSERT_TRUE(tree_.settle());
  ASSERT_TRUE(tree_.put("k", "v", ++lsn_));
  persist();
  tree_.close();
  EXPECT_THAT(verify(disk_).problems, IsEmpty());
}

TEST_F(BtreeTest, AFailedSyncStopsWritesForGood) {
  load(300);
  persist();
  put(name(1), "new");
  disk_.fail(DiskCall::sync, 1, ErrorKind::io);
  tree_.flush();
  tree_.settle();
  EXPECT_FALSE(tree_.put(name(2), "new", ++lsn_));
  EXPECT_EQ(*tree_.get(name(1)), "new");
  tree_.settle();
  EXPECT_FALSE(tree_.put(name(2), "new", ++lsn_));
}

// --- Damage

TEST_F(BtreeTest, ADamagedLeafFailsItsOwnReadsAndIsNamed) {
  load(1000);
  put(name(500), "a value of its own");
  persist();
  tree_.close();
  const std::size_t place = disk_.contents("/btree/pages").rfind("a value of its own");
  ASSERT_NE(place, Bytes::npos);
  disk_.flip_bit("/btree/pages", 8 * place + 1);
  EXPECT_THAT(verify(disk_).problems, Contains(HasSubstr("checksum mismatch")));
  ASSERT_TRUE(tree_.open());
  int damaged = 0;
  for (int i = 0; i < 1000; ++i) {
    const auto found = tree_.get(name(i));
    if (found) {
      ASSERT_EQ(*found, Bytes(40, 'v')) << i;
      continue;
    }
    ++damaged;
    EXPECT_THAT(found.error().message, HasSubstr("/btree/pages: page at offset "));
  }
  EXPECT_GT(damaged, 0);
  EXPECT_LT(damaged, 30);
  EXPECT_THAT(tree_.damage, Not(IsEmpty()));
  EXPECT_FALSE(tree_.scan());
  // Writes go on, also to keys of that leaf.
  for (int i = 0; i < 1000; ++i) put(name(i), "new");
  persist();
  reopen();
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(*tree_.get(name(i)), "new") << i;
}

TEST_F(BtreeTest, DamagedChangesFailTheirLeafsReadsAndTheTreeGoesOn) {
  load(1000);
  persist();
  reopen();
  put(name(500), "changes of their own");
  persist();
  EXPECT_EQ(stats().changes_written, 1u);
  tree_.close();
  const std::size_t place = disk_.contents("/btree/pages").rfind("changes of their own");
  ASSERT_NE(place, Bytes::npos);
  disk_.flip_bit("/btree/pages", 8 * place + 1);
  ASSERT_TRUE(tree_.open());
  const auto unreadable = [&] {
    std::vector<int> keys;
    for (int i = 0; i < 1000; ++i) {
      const auto found = tree_.get(name(i));
      if (found) continue;
      keys.push_back(i);
      EXPECT_THAT(found.error().message, HasSubstr("/btree/pages: page at offset "));
    }
    return keys;
  };
  std::vector<int> lost = unreadable();
  EXPECT_THAT(lost, Contains(500));
  EXPECT_LT(lost.size(), 30u);
  ASSERT_GE(lost.size(), 2u);
  // What is written to that leaf can be read, and persisted, again and again; what is not cannot.
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 1000; i += 100) put(name(i), fmt::format("new{}", round));
    put(name(lost.front()), "new");
    persist();
    reopen();
  }
  EXPECT_THAT(tree_.damage, Contains(HasSubstr("/btree/pages: page at offset ")));
  EXPECT_EQ(*tree_.get(name(500)), "new2");
  EXPECT_EQ(*tree_.get(name(lost.front())), "new");
  std::erase_if(lost, [&](int key) { return key % 100 == 0 || key == lost.front(); });
  EXPECT_EQ(unreadable(), lost);
  tree_.close();
  EXPECT_THAT(verify(disk_).problems, Each(HasSubstr("/btree/pages: page at offset ")));
}

TEST_F(BtreeTest, EitherSuperblockIsEnough) {
  load(100);
  persist();
  for (const std::uint64_t offset : {0u, 4096u}) {
    tree_.close();
    disk_.flip_bit("/btree/pages", 8 * (offset + 13));
    tree_.damage.clear();
    ASSERT_TRUE(tree_.open());
    EXPECT_THAT(tree_.damage,
                ElementsAre(HasSubstr(fmt::format("superblock at offset {} is damaged", offset))));
    EXPECT_EQ(tree_.scan()->size(), 100u);
  }
  tree_.close();
  disk_.flip_bit("/btree/pages", 8 * 13);
  disk_.flip_bit("/btree/pages", 8 * (4096 + 13));
  const Status opened = tree_.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, ErrorKind::corruption);
}

TEST_F(BtreeTest, AFlippedBitAnywhereIsFoundOrDoesNotMatter) {
  load(300, 10);
  persist();
  tree_.close();
  const std::size_t bytes = disk_.contents("/btree/pages").size();
  std::mt19937_64 random{test_seed()};
  SCOPED_TRACE(fmt::format("TEST_SEED={}", test_seed()));
  for (int i = 0; i < 300; ++i) {
    const std::uint64_t bit = random() % (8 * bytes);
    disk_.flip_bit("/btree/pages", bit);
    const bool is_found = !verify(disk_).problems.empty();
    const Status opened = tree_.open();
    if (opened) {
      const auto found = tree_.scan();
      if (found) {
        ASSERT_EQ(found->size(), 300u) << "bit " << bit;
        ASSERT_THAT(*found, Each(testing::Pair(testing::_, Bytes(10, 'v')))) << "bit " << bit;
      } else {
        ASSERT_TRUE(is_found) << "bit " << bit;
        EXPECT_THAT(found.error().message, HasSubstr("/btree/pages"));
      }
    } else {
      EXPECT_TRUE(is_found) << "bit " << bit;
      EXPECT_THAT(opened.error().message, HasSubstr("/btree/pages"));
    }
    tree_.close();
    disk_.flip_bit("/btree/pages", bit);
  }
}

}  // namespace
}  // namespace shale::engine::btree
