#include "cluster/position.h"

#include <gtest/gtest.h>

namespace shale::cluster {
namespace {

constexpr Placement kRing{Sharding::ring};
constexpr Placement kRange{Sharding::range};

// Slots as `CLUSTER KEYSLOT` of redis-server answers them.
TEST(Position, SlotIsTheOneOfRedisCluster) {
  EXPECT_EQ(slot_of("123456789"), 0x31c3u);  // the check value of CRC-16/XMODEM, below 16384
  EXPECT_EQ(slot_of("foo"), 12182u);
  EXPECT_EQ(slot_of("bar"), 5061u);
  EXPECT_EQ(slot_of(""), 0u);
  EXPECT_EQ(slot_of("somekey"), 11058u);
}

TEST(Position, HashTagIsTheFirstNonEmptyBracedText) {
  EXPECT_EQ(hash_tag("{user1000}.following"), "user1000");
  EXPECT_EQ(hash_tag("foo{}{bar}"), "foo{}{bar}");
  EXPECT_EQ(hash_tag("foo{{bar}}zap"), "{bar");
  EXPECT_EQ(hash_tag("foo{bar}{zap}"), "bar");
  EXPECT_EQ(hash_tag("plain"), "plain");
  EXPECT_EQ(hash_tag("open{only"), "open{only");
  EXPECT_EQ(hash_tag("}{"), "}{");
}

TEST(Position, KeysOfOneTagAreNeighboursInKeyOrder) {
  Bytes first;
  Bytes second;
  kRing.append(0, "{cart}:1", first);
  kRing.append(0, "{cart}:2", second);
  EXPECT_EQ(token_of("{cart}:1"), token_of("{cart}:2"));
  EXPECT_EQ(first.substr(0, kRing.prefix_bytes()), second.substr(0, kRing.prefix_bytes()));
  EXPECT_LT(first, second);
}

TEST(Position, SlotIsTheTokensHead) {
  for (const char* key : {"a", "b", "some longer key", "{tag}x"}) {
    EXPECT_EQ(token_of(key) >> (64 - kSlotBits), slot_of(key)) << key;
  }
}

TEST(Position, SplitsIntoWhatItWasMadeOf) {
  Bytes position;
  kRing.append(7, BytesView{"k\0\xff", 3}, position);
  const PositionParts parts = kRing.split(position);
  EXPECT_EQ(parts.token, token_of(BytesView{"k\0\xff", 3}));
  EXPECT_EQ(parts.database, 7u);
  EXPECT_EQ(parts.key, (BytesView{"k\0\xff", 3}));
}

Bytes range_position(DatabaseId database, BytesView key) {
  Bytes position;
  kRange.append(database, key, position);
  return position;
}

TEST(Position, OfKeyRangesAreInTheOrderOfDatabaseAndKey) {
  EXPECT_EQ(range_position(0x12345678, "key"), "\x12\x34\x56\x78key");
  const Bytes position = range_position(7, BytesView{"k\0\xff", 3});
  const PositionParts parts = kRange.split(position);
  EXPECT_EQ(parts.token, 0u);
  EXPECT_EQ(parts.database, 7u);
  EXPECT_EQ(parts.key, (BytesView{"k\0\xff", 3}));
  EXPECT_LT(range_position(0, "a{tag}"), range_position(0, "b{tag}"));
  EXPECT_LT(range_position(0, "\xff\xff"), range_position(kRange.first_id(1), ""));
}

// What FLUSHDB gives a database stays between its neighbours.
TEST(Position, OfKeyRangesKeepDatabasesInTheOrderOfTheirNumbers) {
  for (unsigned database = 0; database < kDatabaseCount; ++database) {
    DatabaseId id = kRange.first_id(database);
    EXPECT_EQ(Placement::number_of(id), database);
    EXPECT_FALSE(Placement::is_last_id(id));
    id += (1u << 28) - 1;
    EXPECT_EQ(Placement::number_of(id), database);
    EXPECT_TRUE(Placement::is_last_id(id));
  }
}

TEST(Position, TheEndOfAPrefixIsBehindAllThatBeginWithIt) {
  EXPECT_EQ(end_of_prefix("ab"), "ac");
  EXPECT_EQ(end_of_prefix("a\xff\xff"), "b");
  EXPECT_EQ(end_of_prefix("\xff\xff"), "");
  EXPECT_EQ(end_of_prefix(""), "");
}

}  // namespace
}  // namespace shale::cluster
