// How long deleted and expired bytes may stay: what the page file holds is looked for byte by byte.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "engine/testing/test_seed.h"
#include "tests/engine/btree/simulated_tree.h"

namespace shale::engine::btree {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kAgeMax{64'000};
constexpr int kKeys = 1'500;
constexpr int kStep = 50;  // every so many keys one is erased, or expires

class BtreeDeletionAge : public testing::Test {
 protected:
  void open(milliseconds age_max) {
    TreeStoreOptions options = tiny_nodes();
    options.deletion_age_max = age_max;
    tree_.emplace(disk_, policy_, options);
    ASSERT_TRUE(tree_->open(test_seed()));
  }
  static Bytes key_of(int number) { return fmt::format("a{:08x}", number * 0x9e3779b9U); }
  // In the file's bytes no number's value is part of another's.
  static Bytes text_of(int number) { return fmt::format("<value {}>", number); }
  void put(int number, const Bytes& prefix = {}) {
    ASSERT_TRUE(tree_->put(key_of(number), prefix + text_of(number), ++lsn_));
  }
  void checkpoint() {
    tree_->flush();
    ASSERT_TRUE(tree_->settle());
  }
  void write_all() {
    for (int number = 0; number < kKeys; ++number) put(number);
    checkpoint();
  }
  void erase_some() {
    for (int number = 0; number < kKeys; number += kStep) ASSERT_TRUE(tree_->erase(key_of(number), ++lsn_));
  }
  void pass(milliseconds time) {
    constexpr int kSteps = 64;
    for (int step = 0; step < kSteps; ++step) {
      tree_->pass(time / kSteps);
      ASSERT_TRUE(tree_->settle());
    }
  }
  // Of those keys.
  int count_on_disk() {
    const Bytes contents = disk_.contents("/btree/pages");
    int count = 0;
    for (int number = 0; number < kKeys; number += kStep) {
      count += contents.find(text_of(number)) != Bytes::npos ? 1 : 0;
    }
    return count;
  }

  SimulatedDisk disk_{test_seed()};
  TestPolicy policy_;
  std::optional<SimulatedTree> tree_;
  Lsn lsn_ = 0;
};

TEST_F(BtreeDeletionAge, WithoutABoundDeletedBytesStay) {
  open(milliseconds{0});
  write_all();
  erase_some();
  checkpoint();
  pass(100 * kAgeMax);
  EXPECT_GT(count_on_disk(), 0);
}

TEST_F(BtreeDeletionAge, DeletedBytesAreGoneInTime) {
  open(kAgeMax);
  write_all();
  erase_some();  // and nobody asks for a checkpoint
  EXPECT_GT(count_on_disk(), 0);
  pass(kAgeMax);
  EXPECT_EQ(count_on_disk(), 0);
  EXPECT_LT(tree_->stats().obsolete_age, kAgeMax);
  EXPECT_EQ(tree_->scan()->size(), kKeys - kKeys / kStep);
  tree_->close();
  EXPECT_TRUE(tree_->verify().problems.empty());
}

TEST_F(BtreeDeletionAge, DeletedBytesAreGoneInTimeWhileOthersAreWritten) {
  open(kAgeMax);
  write_all();
  erase_some();
  for (int round = 0; round < 40; ++round) {
    for (int number = 1 + round; number < kKeys; number += kStep) put(number);
    pass(kAgeMax / 40);
  }
  EXPECT_EQ(count_on_disk(), 0);
}

TEST_F(BtreeDeletionAge, ExpiredBytesAreGoneInTime) {
  open(kAgeMax);
  const std::int64_t expiry_ms = tree_->unix_ms() + 3 * kAgeMax.count();
  for (int number = 0; number < kKeys; ++number) {
    put(number, number % kStep == 0 ? fmt::format("until {} ", expiry_ms) : "");
  }
  checkpoint();
  pass(2 * kAgeMax);
  EXPECT_EQ(count_on_disk(), kKeys / kStep);
  EXPECT_EQ(tree_->key_count('a'), kKeys);
  EXPECT_EQ(tree_->stats().obsolete_age, milliseconds{0});
  pass(2 * kAgeMax);
  EXPECT_EQ(count_on_disk(), 0);
  EXPECT_EQ(tree_->key_count('a'), kKeys - kKeys / kStep);
  EXPECT_EQ(tree_->stats().obsolete_age, milliseconds{0});
}

// Across a restart the time goes on, and the inner nodes remember.
TEST_F(BtreeDeletionAge, TheFileRemembersSinceWhen) {
  open(kAgeMax);
  write_all();
  erase_some();
  checkpoint();
  pass(kAgeMax / 8);
  tree_->close();
  ASSERT_TRUE(tree_->open(test_seed()));
  pass(kAgeMax / 32);
  EXPECT_GE(tree_->stats().obsolete_age, kAgeMax / 8);
  pass(kAgeMax);
  EXPECT_EQ(count_on_disk(), 0);
}

TEST_F(BtreeDeletionAge, NothingIsRewrittenThatHasNothingObsolete) {
  open(kAgeMax);
  write_all();
  pass(kAgeMax);
  const std::uint64_t written = tree_->stats().disk_bytes_written;
  pass(10 * kAgeMax);
  EXPECT_EQ(tree_->stats().disk_bytes_written, written);
}

// What cannot be read cannot be rid of anything: the rest is, and there is an end to trying.
TEST_F(BtreeDeletionAge, DamageIsGoneAround) {
  open(kAgeMax);
  write_all();
  erase_some();
  checkpoint();
  const PageAddress page = tree_->tree().path_to(key_of(0)).leaf().page;
  tree_->close();
  disk_.flip_bit("/btree/pages", (page.offset + page.bytes / 2) * 8);
  ASSERT_TRUE(tree_->open(test_seed()));
  pass(kAgeMax);
  EXPECT_LE(count_on_disk(), 3);  // of that leaf
  EXPECT_FALSE(tree_->damage.empty());
}

}  // namespace
}  // namespace shale::engine::btree
