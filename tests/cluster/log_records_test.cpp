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
