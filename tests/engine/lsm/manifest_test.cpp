#include "engine/lsm/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/encoding.h"
#include "engine/testing/simulated_disk.h"

namespace shale::engine::lsm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

// A slice with something in every field.
SliceDescriptor slice(std::uint64_t number, std::uint32_t level, std::uint64_t run = 1) {
  return {number,
          level,
          run,
          "from",
          "to",
          5000,
          70,
          3,
          1'700'000'000'000,
          {{0, 60}, {2, -1}},
          {{6, 2, 9000}, {8, 1, 4200}}};
}

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
    ASSERT_TRUE(manifest->append({7, 100, {}, {slice(1, 0)}}));
    ASSERT_TRUE(manifest->append({7, 200, {}, {slice(2, 0)}}));
    ASSERT_TRUE(manifest->append({7, 0, {1, 2}, {slice(3, 1, 9), slice(4, 1, 9)}}));
    ASSERT_TRUE(manifest->append({8, 50, {}, {slice(5, 0)}}));
  }
  for (int again = 0; again < 2; ++again) {  // the second time from a snapshot
    const auto manifest = open();
    ASSERT_EQ(manifest->opened_trees().size(), 2u);
    EXPECT_EQ(manifest->opened_trees().at(7).persisted_lsn, 200u);
    EXPECT_THAT(manifest->opened_trees().at(7).tables,
                ElementsAre(Pair(3, ElementsAre(slice(3, 1, 9))), Pair(4, ElementsAre(slice(4, 1, 9)))));
    EXPECT_THAT(manifest->opened_trees().at(8).tables, ElementsAre(Pair(5, ElementsAre(slice(5, 0)))));
  }
}

TEST_F(ManifestTest, ATableThatMovesKeepsItsNewLevel) {
  const auto manifest = open();
  ASSERT_TRUE(manifest->append({1, 10, {}, {slice(9, 1)}}));
  ASSERT_TRUE(manifest->append({1, 0, {9}, {slice(9, 2)}}));
  EXPECT_THAT(open()->opened_trees().at(1).tables, ElementsAre(Pair(9, ElementsAre(slice(9, 2)))));
}

TEST_F(ManifestTest, ATableMayHaveSeveralSlices) {
  const auto manifest = open();
  ASSERT_TRUE(manifest->append({1, 10, {}, {slice(9, 0)}}));
  SliceDescriptor low = slice(9, 0);
  low.end_key = "g";
  SliceDescriptor high = slice(9, 0);
  high.begin_key = "p";
  ASSERT_TRUE(manifest->append({1, 0, {9}, {low, high}}));
  EXPECT_THAT(open()->opened_trees().at(1).tables, ElementsAre(Pair(9, ElementsAre(low, high))));
  ASSERT_TRUE(open()->append({1, 0, {9}, {}}));
  EXPECT_THAT(open()->opened_trees().at(1).tables, IsEmpty());
}

TEST_F(ManifestTest, ReplacesAFileThatHasGrownLong) {
  const auto manifest = open();
  SliceDescriptor large = slice(3, 1);
  large.begin_key = Bytes(100'000, 'k');
  large.end_key = Bytes(100'000, 'l');
  for (int edit = 0; edit < 8; ++edit) ASSERT_TRUE(manifest->append({1, 10, {3}, {large}}));
  EXPECT_THAT(*disk_.list("/lsm"), ElementsAre(Manifest::file_name(2)));
  ASSERT_TRUE(manifest->append({1, 20, {}, {slice(4, 0)}}));
  EXPECT_THAT(open()->opened_trees().at(1).tables,
              ElementsAre(Pair(3, ElementsAre(large)), Pair(4, ElementsAre(slice(4, 0)))));
}

TEST_F(ManifestTest, HasTheBytesThatTheFormatPageGives) {
  ASSERT_TRUE(open()->append(
      {1, 300, {9}, {{10, 2, 11, "a", "b", 300, 7, 1, 1500, {{1, 6}, {2, -1}}, {{5, 2, 200}}}}}));
  const Bytes file = disk_.contents("/lsm/" + Manifest::file_name(1));
  const Bytes payload{
      "\x01\x00\xac\x02\x01\x09\x01"  // tree, not dropped, lsn, removed, one added:
      "\x0a\x02\x0b\x01"
      "a\x01"
      "b\xac\x02\x07\x01\xdc\x0b"  // up to cut_since_ms
      "\x02\x01\x0c\x02\x01"       // balances
      "\x01\x05\x02\xc8\x01",      // value files
      30};
  ASSERT_EQ(file.size(), 20u + 12 + payload.size());
  EXPECT_EQ(file.substr(0, 20), (Bytes{"SHALEMAN\x06\0\0\0\0\0\0\0\0\0\0\0", 20}));
  EXPECT_EQ(file.substr(28, 4), (Bytes{"\x1e\0\0\0", 4}));
  EXPECT_EQ(file.substr(32), payload);
  const std::uint64_t checksum = hash_bytes(BytesView{file}.substr(28));
  EXPECT_EQ(file.substr(20, 8), (Bytes{reinterpret_cast<const char*>(&checksum), 8}));
}

TEST_F(ManifestTest, DropsAnEditThatWasCutShort) {
  ASSERT_TRUE(open()->append({1, 10, {}, {slice(1, 0)}}));
  const std::string path = "/lsm/" + Manifest::file_name(1);
  const Bytes whole = disk_.contents(path);
  const auto file = disk_.create(path);
  ASSERT_TRUE(file);
  ASSERT_TRUE((*file)->write_at(0, whole + "half an edit"));
  EXPECT_THAT(open()->opened_trees().at(1).tables, ElementsAre(Pair(1, ElementsAre(slice(1, 0)))));
}

TEST_F(ManifestTest, RefusesDamageBeforeAWholeEditAndNamesThePlace) {
  {
    const auto manifest = open();
    ASSERT_TRUE(manifest->append({1, 10, {}, {slice(1, 0)}}));
    ASSERT_TRUE(manifest->append({1, 20, {}, {slice(2, 0)}}));
  }
  const std::string path = "/lsm/" + Manifest::file_name(1);
  disk_.flip_bit(path, (20 + 13) * 8);
  const auto manifest = Manifest::open(disk_, "/lsm");
  ASSERT_FALSE(manifest);
  EXPECT_EQ(manifest.error().kind, ErrorKind::corruption);
  EXPECT_THAT(manifest.error().message, HasSubstr(path));
  EXPECT_THAT(manifest.error().message, HasSubstr("offset 20"));
}

TEST_F(ManifestTest, RefusesADamagedSnapshotThoughNothingFollowsIt) {
  ASSERT_TRUE(open()->append({1, 10, {}, {slice(1, 0)}}));
  open();  // from here on the edit is a snapshot
  const std::string path = "/lsm/" + Manifest::file_name(2);
  const Bytes sound = disk_.contents(path);
  for (std::uint64_t bit = 0; bit < sound.size() * 8; bit += 3) {
    disk_.flip_bit(path, bit);
    const bool in_size = bit / 8 >= 12 && bit / 8 < 20;  // a smaller one claims less than is there
    EXPECT_TRUE(in_size || !Manifest::read(disk_, "/lsm")) << "bit " << bit;
    disk_.flip_bit(path, bit);
  }
  disk_.truncate(path, sound.size() - 1);
  EXPECT_FALSE(Manifest::open(disk_, "/lsm"));
}

TEST_F(ManifestTest, RefusesEveryEditAfterOneThatMayHaveReachedTheDisk) {
  const auto manifest = open();
  disk_.fail(DiskCall::sync, 1, ErrorKind::io);
  EXPECT_FALSE(manifest->append({1, 10, {}, {slice(1, 0)}}));
  const auto refused = manifest->append({1, 20, {}, {slice(2, 0)}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::stopped);
}

TEST_F(ManifestTest, TakesAnEditAgainAfterAFullDisk) {
  const auto manifest = open();
  disk_.fail(DiskCall::write, 1, ErrorKind::no_space);
  EXPECT_FALSE(manifest->append({1, 10, {}, {slice(1, 0)}}));
  EXPECT_TRUE(manifest->append({1, 10, {}, {slice(1, 0)}}));
  EXPECT_THAT(open()->opened_trees().at(1).tables, ElementsAre(Pair(1, ElementsAre(slice(1, 0)))));
}

TEST_F(ManifestTest, ForgetsATreeThatIsDropped) {
  {
    const auto manifest = open();
    ASSERT_TRUE(manifest->append({7, 100, {}, {slice(1, 0)}}));
    ASSERT_TRUE(manifest->append({8, 100, {}, {slice(1, 0)}}));  // two trees may have slices of one table
    VersionEdit drop;
    drop.tree = 7;
    drop.drops_tree = true;
    ASSERT_TRUE(manifest->append(drop));
  }
  for (int again = 0; again < 2; ++again) {
    const auto manifest = open();
    EXPECT_FALSE(manifest->opened_trees().contains(7));
    EXPECT_THAT(manifest->opened_trees().at(8).tables, ElementsAre(Pair(1, ElementsAre(slice(1, 0)))));
  }
}

// Which had no word about dropping.
TEST_F(ManifestTest, ReadsTheFormatBeforeAsWell) {
  for (const std::uint32_t format : {5u, 6u}) {
    Bytes payload{7};
    if (format == 6) payload += '\0';
    payload += Bytes{
        "\x64\x00\x01"
        "\x05\x02\x09\x01"
        "a\x01"
        "b\x90\x4e\x0a\x03\x00"
        "\x01\x00\x78"
        "\x01\x06\x02\xa8\x46",
        23};
    Bytes covered;
    append_u32(covered, static_cast<std::uint32_t>(payload.size()));
    covered += payload;
    Bytes file{"SHALEMAN"};
    append_u32(file, format);
    append_u64(file, 0);
    append_u64(file, hash_bytes(covered));
    file += covered;
    SimulatedDisk disk{1};
    ASSERT_TRUE(disk.create_folder("/lsm"));
    ASSERT_TRUE(replace_file(disk, "/lsm/manifest-000004", file));
    const auto contents = Manifest::read(disk, "/lsm");
    ASSERT_TRUE(contents) << contents.error().message;
    const SliceDescriptor expected{5, 2, 9, "a", "b", 10'000, 10, 3, 0, {{0, 60}}, {{6, 2, 9000}}};
    EXPECT_EQ(contents->trees.at(7).persisted_lsn, 100u);
    EXPECT_THAT(contents->trees.at(7).tables, ElementsAre(Pair(5, ElementsAre(expected))));
  }
}

}  // namespace
}  // namespace shale::engine::lsm
