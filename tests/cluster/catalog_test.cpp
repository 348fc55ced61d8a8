#include "cluster/catalog.h"

#include <gtest/gtest.h>

namespace shale::cluster {
namespace {

CatalogState example() {
  CatalogState state;
  for (unsigned database = 0; database < kDatabaseCount; ++database) state.databases[database] = database * 3;
  state.log_needed_from = 12'345;
  state.shard_count = 2;
  state.map_version = 9;
  state.boundaries = {{"", ShardId{1}}, {"b", ShardId{0}}, {Bytes{"b\0c", 3}, ShardId{1}}};
  return state;
}

TEST(Catalog, ComesBackAsItWasWritten) {
  const auto read = CatalogState::decode(example().encode(), "catalog");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->databases, example().databases);
  EXPECT_EQ(read->log_needed_from, 12'345u);
  EXPECT_EQ(read->shard_count, 2u);
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

TEST(Catalog, NamesEnginesOnlyIfOneIsABPlusTree) {
  CatalogState state = example();
  const Bytes without = state.encode();
  EXPECT_EQ(without[8], 1);
  state.engines.assign(state.shard_count, EngineKind::lsm);
  EXPECT_EQ(state.encode(), without);
  state.engines.back() = EngineKind::btree;
  const Bytes with = state.encode();
  EXPECT_EQ(with[8], 2);
  const auto read = CatalogState::decode(with, "catalog");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->engines, state.engines);
  EXPECT_EQ(read->engine_of(state.shard_count - 1), EngineKind::btree);
}

TEST(Catalog, RefusesANewerFormatAsSuch) {
  Bytes newer = example().encode();
  newer[8] = 3;
  const auto read = CatalogState::decode(newer, "catalog");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, engine::ErrorKind::unsupported);
}

TEST(DatabaseTable, GivesEveryFlushAnIdentityNeverUsedBefore) {
  DatabaseTable databases;
  const DatabaseId old_id = databases.id(3);
  const DatabaseId new_id = databases.next_id();
  EXPECT_TRUE(databases.is_live(old_id));
  EXPECT_FALSE(databases.is_live(new_id));
  databases.advance(3, new_id);
  EXPECT_FALSE(databases.is_live(old_id));
  EXPECT_TRUE(databases.is_live(new_id));
  EXPECT_GT(databases.next_id(), new_id);
}

TEST(DatabaseTable, IgnoresOlderIdentities) {
  DatabaseTable databases;
  databases.advance(0, 40);
  databases.advance(0, 20);
  EXPECT_EQ(databases.id(0), 40u);
}

}  // namespace
}  // namespace shale::cluster
