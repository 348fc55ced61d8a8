#include "src/watch_table.h"

#include <gtest/gtest.h>

namespace shale::server {
namespace {

constexpr WatchedState kPresent{.present = true};
constexpr WatchedState kAbsent{};

struct Client {
  explicit Client(WatchTable& table) : watches(table, touched) {}
  std::atomic<bool> touched = false;
  Watches watches;
};

TEST(WatchTable, TellsThoseWhoWatchTheKey) {
  WatchTable table{1 << 20};
  Client client{table};
  Client other{table};
  EXPECT_FALSE(table.any());
  ASSERT_TRUE(client.watches.add(0, "a", kPresent));
  ASSERT_TRUE(other.watches.add(0, "b", kPresent));
  EXPECT_TRUE(table.any());
  table.touch(1, "a");  // the same name in another database
  table.touch(0, "c");
  EXPECT_FALSE(client.watches.has_failed(0));
  table.touch(0, "a");
  EXPECT_TRUE(client.watches.has_failed(0));
  EXPECT_FALSE(other.watches.has_failed(0));
}

TEST(WatchTable, ForgetsClientsThatWatchNoMore) {
  WatchTable table{1 << 20};
  {
    Client client{table};
    ASSERT_TRUE(client.watches.add(0, "a", kPresent));
    ASSERT_TRUE(client.watches.add(0, "a", kPresent));  // once more is the same
    EXPECT_EQ(client.watches.size(), 1u);
    table.touch(0, "a");
    client.watches.clear();
    EXPECT_FALSE(client.watches.has_failed(0));
    EXPECT_FALSE(table.any());
    ASSERT_TRUE(client.watches.add(0, "b", kPresent));
  }
  EXPECT_FALSE(table.any());
}

TEST(WatchTable, AReplacedDatabaseChangesOnlyKeysThatWereThere) {
  WatchTable table{1 << 20};
  Client with_key{table};
  Client without_key{table};
  Client elsewhere{table};
  ASSERT_TRUE(with_key.watches.add(3, "a", kPresent));
  ASSERT_TRUE(without_key.watches.add(3, "a", kAbsent));
  ASSERT_TRUE(elsewhere.watches.add(4, "a", kPresent));
  table.touch_replaced(3);
  EXPECT_TRUE(with_key.watches.has_failed(0));
  EXPECT_FALSE(without_key.watches.has_failed(0));
  EXPECT_FALSE(elsewhere.watches.has_failed(0));
  EXPECT_EQ(table.watched_absent(3), std::vector<Bytes>{"a"});
}

TEST(WatchTable, AKeyThatExpiresHasChangedUnlessItHadExpiredBefore) {
  WatchTable table{1 << 20};
  Client client{table};
  ASSERT_TRUE(client.watches.add(0, "a", {.present = true, .expires_at_ms = 100}));
  EXPECT_FALSE(client.watches.has_failed(99));
  EXPECT_TRUE(client.watches.has_failed(100));
  Client late{table};
  ASSERT_TRUE(late.watches.add(0, "a", {.present = false, .expires_at_ms = 100}));
  EXPECT_FALSE(late.watches.has_failed(100));
}

TEST(WatchTable, HoldsNoMoreThanItMay) {
  WatchTable table{1000};
  Client client{table};
  ASSERT_TRUE(client.watches.add(0, "a", kPresent));
  EXPECT_FALSE(client.watches.add(0, std::string(1000, 'x'), kPresent));
  EXPECT_EQ(table.count(), 1u);
  client.watches.clear();
  EXPECT_TRUE(client.watches.add(0, std::string(500, 'x'), kPresent));
}

}  // namespace
}  // namespace shale::server
