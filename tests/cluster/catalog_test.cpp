#include "cluster/catalog.h"

#include <gtest/gtest.h>

#include <set>

#include "engine/encoding.h"

namespace shale::cluster {
namespace {

CatalogState example() {
  CatalogState state;
  for (unsigned database = 0; database < kDatabaseCount; ++database) state.databases[database] = database * 3;
  state.log_needed_from = 12'345;
  state.map_version = 9;
  state.boundaries = {{"", ShardId{1}}, {"b", ShardId{0}}, {Bytes{"b\0c", 3}, ShardId{1}}};
  state.shards = {{ShardId{0}, EngineKind::btree, 5}, {ShardId{1}, EngineKind::lsm, 2}};
  state.next_shard = 4;
  state.next_tree = 6;
  return state;
}

TEST(Catalog, ComesBackAsItWasWritten) {
  const auto read = CatalogState::decode(example().encode(), "catalog");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->databases, example().databases);
  EXPECT_EQ(read->log_needed_from, 12'345u);
  EXPECT_EQ(read->shards, example().shards);
  EXPECT_EQ(read->next_shard, 4u);
  EXPECT_EQ(read->next_tree, 6u);
  EXPECT_EQ(read->map_version, 9u);
  ASSERT_EQ(read->boundaries.size(), 3u);
  EXPECT_EQ(read->boundaries[2].begin, (Bytes{"b\0c", 3}));
  EXPECT_EQ(read->boundaries[2].shard, ShardId{1});
}

TEST(Catalog, NoticesEveryFlippedBitAndNamesTheFile) {
  const Bytes whole = example().encode();
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    Bytes damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    const auto read = CatalogState::decode(damaged, "folder/catalog");
    ASSERT_FALSE(read) << "bit " << bit;
    EXPECT_NE(read.error().message.find("folder/catalog"), std::string::npos);
  }
}

TEST(Catalog, NoticesEveryTruncation) {
  const Bytes whole = example().encode();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(CatalogState::decode(BytesView{whole}.substr(0, length), "catalog")) << length;
  }
}

// ReadersFuzz found this one: formats that number their shards have nothing to read for each of them.
TEST(Catalog, DoesNotMakeMoreShardsThanThereAreRanges) {
  Bytes old{"SHALECAT"};
  engine::append_u32(old, 1);
  engine::append_u64(old, 7);
  for (unsigned database = 0; database < kDatabaseCount; ++database) engine::append_u32(old, database);
  engine::append_u32(old, 4'000'000'000);
  engine::append_u64(old, 1);
  engine::append_u32(old, 1);
  engine::append_u32(old, 0);
  engine::append_length_prefixed(old, "");
  engine::append_u64(old, engine::hash_bytes(old));
  const auto read = CatalogState::decode(old, "folder/catalog");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().message, "folder/catalog: holds an impossible shard map");
}

// What earlier builds have written: shards 0, 1, 2 ... with trees of the same numbers.
TEST(Catalog, ReadsEarlierFormats) {
  for (const std::uint32_t format : {1u, 2u}) {
    Bytes old{"SHALECAT"};
    engine::append_u32(old, format);
    engine::append_u64(old, 77);
    for (unsigned database = 0; database < kDatabaseCount; ++database) engine::append_u32(old, database);
    engine::append_u32(old, 2);  // shards
    engine::append_u64(old, 9);
    engine::append_u32(old, 2);  // boundaries
    engine::append_u32(old, 1);
    engine::append_length_prefixed(old, "");
    engine::append_u32(old, 0);
    engine::append_length_prefixed(old, "m");
    if (format == 2) old += Bytes{"\1\0", 2};
    engine::append_u64(old, engine::hash_bytes(old));
    const auto read = CatalogState::decode(old, "catalog");
    ASSERT_TRUE(read) << read.error().message;
    const EngineKind first = format == 2 ? EngineKind::btree : EngineKind::lsm;
    EXPECT_EQ(read->shards,
              (std::vector<ShardRecord>{{ShardId{0}, first, 0}, {ShardId{1}, EngineKind::lsm, 1}}));
    EXPECT_EQ(read->next_shard, 2u);
    EXPECT_EQ(read->next_tree, 2u);
    EXPECT_EQ(read->log_needed_from, 77u);
  }
}

TEST(Catalog, RefusesALayoutThatCannotBe) {
  const auto refused = [](const CatalogState& state) {
    return !CatalogState::decode(state.encode(), "catalog");
  };
  CatalogState without_shard = example();
  without_shard.shards.pop_back();
  EXPECT_TRUE(refused(without_shard));
  CatalogState shard_without_range = example();
  shard_without_range.shards.push_back({ShardId{3}, EngineKind::lsm, 4});
  EXPECT_TRUE(refused(shard_without_range));
  CatalogState tree_of_two = example();
  tree_of_two.shards[0].tree = 2;
  EXPECT_TRUE(refused(tree_of_two));
  CatalogState number_to_come = example();
  number_to_come.next_tree = 5;
  EXPECT_TRUE(refused(number_to_come));
}

CatalogState ranges() {
  CatalogState state = example();
  const Placement placement{Sharding::range};
  state.sharding = Sharding::range;
  for (unsigned database = 0; database < kDatabaseCount; ++database)
    state.databases[database] = placement.first_id(database) + 2 * database;
  state.boundaries = {{"", ShardId{1}}, {"", ShardId{0}}};
  placement.append(state.databases[3], "key", state.boundaries[1].begin);
  return state;
}

TEST(Catalog, SaysWhichShardingTheFolderHas) {
  EXPECT_EQ(CatalogState::decode(example().encode(), "catalog")->sharding, Sharding::ring);
  const auto read = CatalogState::decode(ranges().encode(), "catalog");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->sharding, Sharding::range);
  EXPECT_EQ(read->boundaries[1].begin, ranges().boundaries[1].begin);
  EXPECT_EQ(read->databases, ranges().databases);
  CatalogState unknown = example();
  unknown.sharding = Sharding{2};
  EXPECT_FALSE(CatalogState::decode(unknown.encode(), "catalog"));
}

// Flushes take the boundaries along: one that is left behind would have cut off what it should not.
TEST(Catalog, RefusesRangesBetweenKeysThatAreNoMore) {
  CatalogState left_behind = ranges();
  ++left_behind.databases[3];
  EXPECT_FALSE(CatalogState::decode(left_behind.encode(), "catalog"));
  CatalogState no_position = ranges();
  no_position.boundaries[1].begin = "abc";
  EXPECT_FALSE(CatalogState::decode(no_position.encode(), "catalog"));
}

TEST(Catalog, RefusesANewerFormatAsSuch) {
  Bytes newer = example().encode();
  newer[8] = 6;
  const auto read = CatalogState::decode(newer, "catalog");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, engine::ErrorKind::unsupported);
}

TEST(DatabaseTable, GivesEveryFlushAnIdentityNeverUsedBefore) {
  DatabaseTable databases;
  const DatabaseId old_id = databases.id(3);
  const auto after = databases.ids_after_flush(databases.ids(), 3, 1);
  ASSERT_TRUE(after);
  const DatabaseId new_id = (*after)[3];
  EXPECT_EQ((*after)[2], databases.id(2));
  EXPECT_TRUE(databases.is_live(old_id));
  EXPECT_FALSE(databases.is_live(new_id));
  databases.advance(3, new_id);
  EXPECT_FALSE(databases.is_live(old_id));
  EXPECT_TRUE(databases.is_live(new_id));
  EXPECT_GT((*databases.ids_after_flush(databases.ids(), 3, 1))[3], new_id);
}

TEST(DatabaseTable, FlushingAllGivesEachDatabaseAnIdentityOfItsOwn) {
  for (const Sharding sharding : {Sharding::ring, Sharding::range}) {
    const DatabaseTable databases{sharding};
    const auto after = databases.ids_after_flush(databases.ids(), 0, kDatabaseCount);
    ASSERT_TRUE(after);
    std::set<DatabaseId> ids(after->begin(), after->end());
    EXPECT_EQ(ids.size(), kDatabaseCount);
    for (const DatabaseId id : ids) EXPECT_FALSE(databases.is_live(id));
  }
}

TEST(DatabaseTable, OfKeyRangesEndsRatherThanTakeAnotherDatabasesIdentity) {
  DatabaseTable databases{Sharding::range};
  databases.advance(3, Placement{Sharding::range}.first_id(4) - 1);
  EXPECT_FALSE(databases.ids_after_flush(databases.ids(), 3, 1));
  EXPECT_FALSE(databases.ids_after_flush(databases.ids(), 0, kDatabaseCount));
  EXPECT_TRUE(databases.ids_after_flush(databases.ids(), 4, 1));
}

TEST(DatabaseTable, IgnoresOlderIdentities) {
  DatabaseTable databases;
  databases.advance(0, 40);
  databases.advance(0, 20);
  EXPECT_EQ(databases.id(0), 40u);
}

}  // namespace
}  // namespace shale::cluster
