// How long deleted and expired bytes may stay: what a file holds is looked for byte by byte.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/testing/test_seed.h"
#include "tests/engine/lsm/simulated_tree.h"
#include "tests/engine/workload.h"

namespace shale::engine::lsm {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kAgeMax{60'000};
constexpr int kKeys = 1'500;

class DeletionAge : public testing::Test {
 protected:
  void open(milliseconds age_max, TreeStoreOptions options = tiny_tables()) {
    options.deletion_age_max = age_max;
    options.compression = Compression::none;
    tree_.emplace(disk_, policy_, options);
    ASSERT_TRUE(tree_->open(test_seed()));
  }
  static Bytes key_of(int number) { return fmt::format("a{:08x}", number * 0x9e3779b9U); }
  // In a file's bytes no number's value is part of another's.
  static Bytes text_of(int number) { return fmt::format("<value {}>", number); }
  void put(int number, const Bytes& prefix = {}) {
    ASSERT_TRUE(tree_->put(key_of(number), prefix + text_of(number), ++lsn_));
  }
  void write_all() {
    for (int number = 0; number < kKeys; ++number) {
      put(number);
      if (number % 100 == 99) flush_and_settle();
    }
    flush_and_settle();
  }
  void flush_and_settle() {
    tree_->flush();
    ASSERT_TRUE(tree_->settle());
  }
  void pass(milliseconds time) {
    constexpr int kSteps = 32;
    for (int step = 0; step < kSteps; ++step) {
      tree_->pass(time / kSteps);
      ASSERT_TRUE(tree_->settle());
    }
  }
  bool is_on_disk(int number) {
    const auto names = disk_.list(tree_->folder());
    EXPECT_TRUE(names);
    return std::ranges::any_of(*names, [&](const std::string& name) {
      const std::string path = tree_->folder() + "/" + name;
      return (name.ends_with(".table") || name.ends_with(".values")) &&
             disk_.contents(path).find(text_of(number)) != Bytes::npos;
    });
  }
  int count_on_disk(int step) {
    int count = 0;
    for (int number = 0; number < kKeys; number += step) count += is_on_disk(number) ? 1 : 0;
    return count;
  }
  void erase_every(int step) {
    for (int number = 0; number < kKeys; number += step) {
      ASSERT_TRUE(tree_->erase(key_of(number), ++lsn_));
      if (number % (100 * step) == 0) flush_and_settle();
    }
  }

  SimulatedDisk disk_{test_seed()};
  TestPolicy policy_;
  std::optional<SimulatedTree> tree_;
  Lsn lsn_ = 0;
};

TEST_F(DeletionAge, WithoutABoundDeletedBytesStay) {
  open(milliseconds{0});
  write_all();
  erase_every(50);
  flush_and_settle();
  pass(100 * kAgeMax);
  EXPECT_GT(count_on_disk(50), 0);
  EXPECT_GT(tree_->stats().tombstones, 0u);
  EXPECT_GT(tree_->stats().obsolete_entries, tree_->stats().tombstones);
  EXPECT_GE(tree_->stats().obsolete_age, 99 * kAgeMax);
}

TEST_F(DeletionAge, DeletedBytesAreGoneInTime) {
  for (const std::uint32_t runs_max : {1u, 3u}) {
    SCOPED_TRACE(runs_max);
    open(kAgeMax);
    Shape shape = tiny_levels();
    shape.runs_max.fill(runs_max);
    tree_->set_shape(shape);
    write_all();
    erase_every(50);  // what is not flushed yet is flushed in time, too
    EXPECT_GT(count_on_disk(50), 0);
    pass(kAgeMax);
    EXPECT_EQ(count_on_disk(50), 0);
    EXPECT_EQ(tree_->stats().tombstones, 0u);
    EXPECT_LT(tree_->stats().obsolete_age, kAgeMax);
    EXPECT_EQ(tree_->scan()->size(), kKeys - kKeys / 50u);
    tree_.reset();
  }
}

TEST_F(DeletionAge, ExpiredBytesAreGoneInTime) {
  open(kAgeMax);
  const std::int64_t expiry_ms = tree_->unix_ms() + 3 * kAgeMax.count();
  for (int number = 0; number < kKeys; number += 50) put(number, fmt::format("until {} ", expiry_ms));
  for (int number = 0; number < kKeys; ++number) {
    if (number % 50 != 0) put(number);
    if (number % 100 == 0) flush_and_settle();
  }
  flush_and_settle();
  pass(2 * kAgeMax);
  EXPECT_EQ(count_on_disk(50), kKeys / 50);
  EXPECT_EQ(tree_->key_count('a'), kKeys);
  pass(2 * kAgeMax);
  EXPECT_EQ(count_on_disk(50), 0);
  EXPECT_EQ(tree_->key_count('a'), kKeys - kKeys / 50);
  EXPECT_EQ(tree_->stats().obsolete_age, milliseconds{0});
}

// Across a restart the time goes on, and the tables remember.
TEST_F(DeletionAge, TablesRememberSinceWhen) {
  open(kAgeMax);
  write_all();
  erase_every(50);
  flush_and_settle();
  pass(kAgeMax / 4);
  const auto age = tree_->stats().obsolete_age;
  EXPECT_GE(age, kAgeMax / 5);
  tree_->close();
  ASSERT_TRUE(tree_->open(test_seed()));
  EXPECT_EQ(tree_->stats().obsolete_age, age);
  pass(3 * kAgeMax / 4);
  EXPECT_EQ(count_on_disk(50), 0);
}

TEST_F(DeletionAge, NothingIsRewrittenThatHasNothingObsolete) {
  open(kAgeMax);
  write_all();
  const std::uint64_t written = tree_->stats().compaction_bytes_written;
  pass(10 * kAgeMax);
  EXPECT_EQ(tree_->stats().compaction_bytes_written, written);
}

// What cannot be read cannot be rid of anything: the rest is, and there is an end to trying.
TEST_F(DeletionAge, DamageIsGoneAround) {
  open(kAgeMax);
  write_all();
  erase_every(50);
  flush_and_settle();
  const auto& last = tree_->tree().version().runs(Version::kLastLevel).back().tables();
  const std::string path = tree_->folder() + "/" + TreeStore::table_name(last[last.size() / 2]->number());
  tree_->close();
  disk_.flip_bit(path, (disk_.contents(path).size() - 20) * 8);
  ASSERT_TRUE(tree_->open(test_seed()));
  const int before = count_on_disk(50);
  pass(kAgeMax);
  EXPECT_LT(count_on_disk(50), before / 4);
  EXPECT_LE(tree_->stats().tombstones, 30u);
}

}  // namespace
}  // namespace shale::engine::lsm
