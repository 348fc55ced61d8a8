#include "cluster/position.h"

#include <gtest/gtest.h>

namespace shale::cluster {
namespace {

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
  append_position(0, "{cart}:1", first);
  append_position(0, "{cart}:2", second);
  EXPECT_EQ(token_of("{cart}:1"), token_of("{cart}:2"));
  EXPECT_EQ(first.substr(0, kPrefixBytes), second.substr(0, kPrefixBytes));
  EXPECT_LT(first, second);
}

TEST(Position, SlotIsTheTokensHead) {
  for (const char* key : {"a", "b", "some longer key", "{tag}x"}) {
    EXPECT_EQ(token_of(key) >> (64 - kSlotBits), slot_of(key)) << key;
  }
}

TEST(Position, SplitsIntoWhatItWasMadeOf) {
  Bytes position;
  append_position(7, BytesView{"k\0\xff", 3}, position);
  const PositionParts parts = split_position(position);
  EXPECT_EQ(parts.token, token_of(BytesView{"k\0\xff", 3}));
  EXPECT_EQ(parts.database, 7u);
  EXPECT_EQ(parts.key, (BytesView{"k\0\xff", 3}));
}

TEST(Position, TheEndOfAPrefixIsBehindAllThatBeginWithIt) {
  EXPECT_EQ(end_of_prefix("ab"), "ac");
  EXPECT_EQ(end_of_prefix("a\xff\xff"), "b");
  EXPECT_EQ(end_of_prefix("\xff\xff"), "");
  EXPECT_EQ(end_of_prefix(""), "");
}

}  // namespace
}  // namespace shale::cluster
