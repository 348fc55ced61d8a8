// Page files that are copied while trees go on writing to them.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/io/paced_copy.h"
#include "tests/engine/btree/simulated_tree.h"

namespace shale::engine::btree {
namespace {

using testing::IsEmpty;

constexpr int kKeys = 2000;

class PageFilePin : public testing::Test {
 protected:
  PageFilePin() { EXPECT_TRUE(tree_.open()); }

  // All keys anew, so that every page is replaced.
  void write_all(char value) {
    for (int i = 0; i < kKeys; ++i) {
      EXPECT_TRUE(tree_.put(fmt::format("k{:06}", i), Bytes(60, value), ++lsn_));
    }
    tree_.flush();
    EXPECT_TRUE(tree_.settle());
  }
  // A tree of what the pin has, on a disk of its own.
  void expect_copy_has(const PageFile::Pin& pin, char value) {
    EXPECT_TRUE(disk_.create_folder("/copy"));
    PacedCopy copy{disk_, {}};
    ASSERT_TRUE(pin.copy_to(copy, "/copy/pages"));
    SimulatedDisk other{1};
    EXPECT_TRUE(other.create_folder("/btree"));
    EXPECT_TRUE(replace_file(other, "/btree/pages", disk_.contents("/copy/pages")));
    EXPECT_THAT(verify(other).problems, IsEmpty());
    SimulatedTree copied{other, policy_};
    ASSERT_TRUE(copied.open());
    const auto found = copied.scan();
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->size(), static_cast<std::size_t>(kKeys));
    for (const auto& [key, stored] : *found) EXPECT_EQ(stored, Bytes(60, value)) << key;
  }
  std::uint64_t file_bytes() { return tree_.store().file().stats().file_bytes; }

  SimulatedDisk disk_{1};
  TestPolicy policy_;
  SimulatedTree tree_{disk_, policy_};
  Lsn lsn_ = 0;
};

TEST_F(PageFilePin, KeepsTheCommittedStateWhateverIsWritten) {
  write_all('a');
  write_all('b');
  const auto pin = tree_.store().file().pin().value();
  for (const char value : {'c', 'd', 'e', 'f'}) write_all(value);
  expect_copy_has(*pin, 'b');
}

TEST_F(PageFilePin, GivesBackWhatWasReleasedWhenTheLastHasGone) {
  write_all('a');
  auto older = tree_.store().file().pin().value();
  write_all('b');
  auto newer = tree_.store().file().pin().value();
  older.reset();
  for (const char value : {'c', 'd', 'e'}) write_all(value);
  expect_copy_has(*newer, 'b');
  const std::uint64_t grown = file_bytes();
  newer.reset();
  for (const char value : {'f', 'g', 'h', 'i', 'j', 'k'}) write_all(value);
  EXPECT_LE(file_bytes(), grown);
  tree_.close();
  EXPECT_THAT(verify(disk_).problems, IsEmpty());
}

}  // namespace
}  // namespace shale::engine::btree
