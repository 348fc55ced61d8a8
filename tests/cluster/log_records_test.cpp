#include "cluster/log_records.h"

#include <gtest/gtest.h>

namespace shale::cluster {
namespace {

constexpr Placement kRing{Sharding::ring};

TEST(LogRecords, ABatchIsReadBackWriteByWrite) {
  Bytes first;
  Bytes second;
  kRing.append(1, "a", first);
  kRing.append(2, "b", second);
  Bytes payload;
  append_put(payload, first, "value");
  append_erase(payload, second);
  BytesView rest = payload;
  const auto put = take_write(kRing, rest);
  ASSERT_TRUE(put);
  EXPECT_EQ(put->operation, WriteOperation::put);
  EXPECT_EQ(put->position, first);
  EXPECT_EQ(put->value, "value");
  const auto erase = take_write(kRing, rest);
  ASSERT_TRUE(erase);
  EXPECT_EQ(erase->operation, WriteOperation::erase);
  EXPECT_EQ(erase->position, second);
  EXPECT_TRUE(rest.empty());
}

TEST(LogRecords, HaveTheBytesThatTheFormatPageGives) {
  const Bytes position = "0123456789ab-key";
  Bytes payload;
  append_put(payload, position, "v");
  append_erase(payload, position);
  EXPECT_EQ(payload, "\x01\x10" + position + "\x01v" + "\x02\x10" + position);
}

TEST(LogRecords, IdentitiesAreReadBackInTheirOrderAndTheWritesStay) {
  using enum IdentityChange::Kind;
  const std::vector<IdentityChange> changes{{renewed, 3, 0x01020304}, {swapped, 3, 15}};
  Bytes payload;
  append_identity_changes(payload, changes);
  EXPECT_EQ(payload, Bytes("\2\0\0\0"
                           "\1\3\0\0\0\4\3\2\1"
                           "\2\3\0\0\0\17\0\0\0",
                           22));
  for (std::size_t length = 0; length < payload.size(); ++length) {
    BytesView cut = BytesView{payload}.substr(0, length);
    EXPECT_FALSE(take_identity_changes(LogRecord::identities, cut)) << length;
  }
  payload += "writes";
  BytesView rest = payload;
  const auto read = take_identity_changes(LogRecord::identities, rest);
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, changes);
  EXPECT_EQ(rest, "writes");
  payload[4] = 9;
  rest = payload;
  EXPECT_FALSE(take_identity_changes(LogRecord::identities, rest));
  EXPECT_FALSE(take_identity_changes(static_cast<LogRecord>(77), rest));
}

TEST(LogRecords, RecordsOfEarlierBuildsAreReadAsTheSameChanges) {
  using enum IdentityChange::Kind;
  const Bytes two_numbers("\3\0\0\0\5\0\0\0", 8);
  BytesView rest = two_numbers;
  EXPECT_EQ(take_identity_changes(LogRecord::flush_databases, rest).value(),
            (std::vector<IdentityChange>{{renewed, 3, 5}}));
  EXPECT_TRUE(rest.empty());
  rest = two_numbers;
  EXPECT_EQ(take_identity_changes(LogRecord::swap_databases, rest).value(),
            (std::vector<IdentityChange>{{swapped, 3, 5}}));
  const Bytes transaction = Bytes("\1\0\0\0", 4) + two_numbers + "writes";
  rest = transaction;
  EXPECT_EQ(take_identity_changes(LogRecord::transaction, rest).value(),
            (std::vector<IdentityChange>{{renewed, 3, 5}}));
  EXPECT_EQ(rest, "writes");
  EXPECT_TRUE(take_identity_changes(LogRecord::batch, rest)->empty());
  rest = BytesView{two_numbers}.substr(1);
  EXPECT_FALSE(take_identity_changes(LogRecord::flush_databases, rest));
}

TEST(LogRecords, RefusesWhatIsNotAWrite) {
  Bytes whole;
  append_put(whole, "0123456789ab-key", "value");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    BytesView cut = BytesView{whole}.substr(0, length);
    EXPECT_FALSE(take_write(kRing, cut)) << length;
  }
  whole[0] = 9;
  BytesView unknown = whole;
  EXPECT_FALSE(take_write(kRing, unknown));
}

TEST(LogRecords, PositionsAreAsLongAsTheirShardingMakesThem) {
  Bytes payload;
  append_put(payload, "0123", "value");
  BytesView rest = payload;
  EXPECT_FALSE(take_write(kRing, rest));
  EXPECT_TRUE(take_write(Placement{Sharding::range}, rest));
}

}  // namespace
}  // namespace shale::cluster
