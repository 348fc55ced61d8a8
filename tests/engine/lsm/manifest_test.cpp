#include "engine/lsm/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/testing/simulated_disk.h"

namespace shale::engine::lsm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

class ManifestTest : public testing::Test {
 protected:
  std::unique_ptr<Manifest> open() {
    auto manifest = Manifest::open(disk_, "/lsm");
    EXPECT_TRUE(manifest) << manifest.error().message;
    return manifest ? std::move(*manifest) : nullptr;
  }

  SimulatedDisk disk_{1};
};

TEST_F(ManifestTest, FoldsEditsInOrder) {
  {
    const auto manifest = open();
    ASSERT_TRUE(manifest->append({7, 100, {}, {{0, 1}}}));
    ASSERT_TRUE(manifest->append({7, 200, {}, {{0, 2}}}));
    ASSERT_TRUE(manifest->append({7, 0, {1, 2}, {{1, 3}, {1, 4}}}));
    ASSERT_TRUE(manifest->append({8, 50, {}, {{0, 5}}}));
  }
  for (int again = 0; again < 2; ++again) {  // the second time from a snapshot
    const auto manifest = open();
    ASSERT_EQ(manifest->trees().size(), 2u);
    EXPECT_EQ(manifest->trees().at(7).persisted_lsn, 200u);
    EXPECT_THAT(manifest->trees().at(7).levels, ElementsAre(Pair(3, 1), Pair(4, 1)));
    EXPECT_THAT(manifest->trees().at(8).levels, ElementsAre(Pair(5, 0)));
  }
}

TEST_F(ManifestTest, ATableThatMovesKeepsItsNewLevel) {
  const auto manifest = open();
  ASSERT_TRUE(manifest->append({1, 10, {}, {{1, 9}}}));
  ASSERT_TRUE(manifest->append({1, 0, {9}, {{2, 9}}}));
  EXPECT_THAT(open()->trees().at(1).levels, ElementsAre(Pair(9, 2)));
}

TEST_F(ManifestTest, HasTheBytesThatTheFormatPageGives) {
  ASSERT_TRUE(open()->append({1, 300, {9}, {{2, 10}}}));
  const Bytes file = disk_.contents("/lsm/" + Manifest::file_name(1));
  const Bytes payload{"\x01\xac\x02\x01\x09\x01\x02\x0a", 8};
  ASSERT_EQ(file.size(), 12u + 12 + payload.size());
  EXPECT_EQ(file.substr(0, 12), (Bytes{"SHALEMAN\x01\0\0\0", 12}));
  EXPECT_EQ(file.substr(20, 4), (Bytes{"\x08\0\0\0", 4}));
  EXPECT_EQ(file.substr(24), payload);
  const std::uint64_t checksum = hash_bytes(BytesView{file}.substr(20));
  EXPECT_EQ(file.substr(12, 8), (Bytes{reinterpret_cast<const char*>(&checksum), 8}));
}

TEST_F(ManifestTest, DropsAnEditThatWasCutShort) {
  ASSERT_TRUE(open()->append({1, 10, {}, {{0, 1}}}));
  const std::string path = "/lsm/" + Manifest::file_name(1);
  const Bytes whole = disk_.contents(path);
  disk_.overwrite(path, whole.size(), "half an edit");
  EXPECT_THAT(open()->trees().at(1).levels, ElementsAre(Pair(1, 0)));
}

TEST_F(ManifestTest, RefusesDamageBeforeAWholeEditAndNamesThePlace) {
  {
    const auto manifest = open();
    ASSERT_TRUE(manifest->append({1, 10, {}, {{0, 1}}}));
    ASSERT_TRUE(manifest->append({1, 20, {}, {{0, 2}}}));
  }
  const std::string path = "/lsm/" + Manifest::file_name(1);
  disk_.flip_bit(path, (12 + 13) * 8);
  const auto manifest = Manifest::open(disk_, "/lsm");
  ASSERT_FALSE(manifest);
  EXPECT_EQ(manifest.error().kind, ErrorKind::corruption);
  EXPECT_THAT(manifest.error().message, HasSubstr(path));
  EXPECT_THAT(manifest.error().message, HasSubstr("offset 12"));
}

TEST_F(ManifestTest, RefusesEveryEditAfterOneThatMayHaveReachedTheDisk) {
  const auto manifest = open();
  disk_.fail(DiskCall::sync, 1, ErrorKind::io);
  EXPECT_FALSE(manifest->append({1, 10, {}, {{0, 1}}}));
  const auto refused = manifest->append({1, 20, {}, {{0, 2}}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::stopped);
}

TEST_F(ManifestTest, TakesAnEditAgainAfterAFullDisk) {
  const auto manifest = open();
  disk_.fail(DiskCall::write, 1, ErrorKind::no_space);
  EXPECT_FALSE(manifest->append({1, 10, {}, {{0, 1}}}));
  EXPECT_TRUE(manifest->append({1, 10, {}, {{0, 1}}}));
  EXPECT_THAT(open()->trees().at(1).levels, ElementsAre(Pair(1, 0)));
}

}  // namespace
}  // namespace shale::engine::lsm
