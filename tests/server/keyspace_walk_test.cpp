#include "src/keyspace_walk.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <thread>

#include "cluster/position.h"
#include "tests/server/temporary_store.h"

namespace shale::server {
namespace {

constexpr std::int64_t kNow = 1'700'000'000'000;
constexpr WalkLimits kNoLimits{.keys = 1'000'000, .records = 1'000'000, .ranges = 1'000'000};

class KeyspaceWalkTest : public TemporaryStoreTest {
 protected:
  void put(unsigned database, const std::vector<Bytes>& keys, std::int64_t expires_at_ms = kNoExpiry) {
    cluster::ShardLocks locks(store());
    cluster::Transaction transaction(store(), locks);
    for (const Bytes& key : keys) locks.add(database, key);
    locks.lock();
    Bytes value;
    append_value_header(ValueType::string, expires_at_ms, value);
    for (std::size_t i = 0; i < keys.size(); ++i) transaction.put(i, value);
    for (auto committed = transaction.commit(); !committed; committed = transaction.commit()) {
      ASSERT_EQ(committed.error().kind, engine::ErrorKind::busy) << committed.error().message;
      locks.unlock();
      std::this_thread::yield();
      locks.lock();
    }
  }

  // One piece, with its loads done as the dispatcher would.
  WalkEnd walk(unsigned database, const ScanPlace& from, const WalkLimits& limits, const VisitKey& visit) {
    engine::ReadContext reads;
    std::vector<std::shared_ptr<engine::Load>> loads;
    for (;;) {
      auto walked = walk_keys(store(), reads, database, kNow, from, only_, limits, visit);
      if (walked) return *walked;
      EXPECT_EQ(walked.error().kind, engine::ErrorKind::not_resident) << walked.error().message;
      EXPECT_FALSE(reads.missing.empty());
      for (auto& load : reads.missing) {
        load->run();
        loads.push_back(load);
      }
      reads.clear();
    }
  }

  std::optional<TokenPrefix> only_;

  // A whole scan through cursors: how often each key came.
  std::map<Bytes, int> scan(unsigned database, const WalkLimits& limits, int* pieces = nullptr) {
    std::map<Bytes, int> seen;
    ScanCursors cursors(store().placement(), 1);
    std::uint64_t cursor = 0;
    int count = 0;
    do {
      const auto end = walk(database, cursors.place(database, cursor), limits,
                            [&](BytesView key, const Value&) { return ++seen[Bytes(key)] < 3; });
      cursor = end.next ? cursors.cursor(database, *end.next, end.walked) : 0;
      EXPECT_LT(++count, 100'000);
    } while (cursor != 0 && count < 100'000);
    if (pieces != nullptr) *pieces = count;
    return seen;
  }
};

std::vector<Bytes> numbered(const char* prefix, int count) {
  std::vector<Bytes> keys;
  for (int i = 0; i < count; ++i) keys.push_back(fmt::format("{}{}", prefix, i));
  return keys;
}

void expect_each_once(const std::map<Bytes, int>& seen, const std::vector<Bytes>& keys) {
  EXPECT_EQ(seen.size(), keys.size());
  for (const Bytes& key : keys) {
    const auto found = seen.find(key);
    ASSERT_NE(found, seen.end()) << key;
    EXPECT_EQ(found->second, 1) << key;
  }
}

TEST_F(KeyspaceWalkTest, VisitsEveryKeyOnceWhateverThePageSize) {
  open();
  const auto keys = numbered("key:", 3000);
  put(0, keys);
  for (const std::size_t page : {1u, 10u, 999u, 100'000u}) {
    expect_each_once(scan(0, {.keys = page, .records = 1000, .ranges = 300}), keys);
  }
}

TEST_F(KeyspaceWalkTest, GoesThroughALargeHashTag) {
  open();
  const auto keys = numbered("{tag}:", 5000);
  put(0, keys);
  expect_each_once(scan(0, {.keys = 10, .records = 1000, .ranges = 300}), keys);
}

TEST_F(KeyspaceWalkTest, WalksOneTokenWithoutTheRest) {
  open();
  put(0, numbered("key:", 2000));
  const auto keys = numbered("{tag}:", 100);
  put(0, keys);
  only_ = {cluster::token_of("{tag}:"), {}};
  int pieces = 0;
  expect_each_once(scan(0, {.keys = 10, .records = 10, .ranges = 10}, &pieces), keys);
  EXPECT_LE(pieces, 11);
  only_ = {cluster::token_of("{nosuch}"), {}};
  expect_each_once(scan(0, {.keys = 10, .records = 10, .ranges = 10}), {});
}

TEST_F(KeyspaceWalkTest, WalksOnePrefixWithoutTheRestOfItsToken) {
  open();
  put(0, numbered("{tag}:a:", 2000));
  put(0, numbered("{tag}:c:", 2000));
  put(1, numbered("{tag}:b:", 2000));
  const auto keys = numbered("{tag}:b:", 100);
  put(0, keys);
  only_ = {cluster::token_of("{tag}:"), "{tag}:b:"};
  int pieces = 0;
  expect_each_once(scan(0, {.keys = 10, .records = 10, .ranges = 10}, &pieces), keys);
  EXPECT_LE(pieces, 11);
  only_->prefix = "{tag}:b\xff";
  expect_each_once(scan(0, kNoLimits), {});
}

// Any number is a cursor: also one whose place lies elsewhere in the token, or behind it.
TEST_F(KeyspaceWalkTest, EntersAPrefixFromAnyPlace) {
  open();
  const auto keys = numbered("{tag}:b:", 9);
  put(0, keys);
  const std::uint64_t token = cluster::token_of("{tag}:");
  only_ = {token, "{tag}:b:"};
  const auto count_from = [&](const ScanPlace& from) {
    std::size_t count = 0;
    EXPECT_FALSE(walk(0, from, kNoLimits, [&](BytesView, const Value&) { return ++count != 0; }).next);
    return count;
  };
  EXPECT_EQ(count_from({token - 1, "x"}), 9u);
  EXPECT_EQ(count_from({token, "{tag}:a"}), 9u);
  EXPECT_EQ(count_from({token, "{tag}:b:4"}), 5u);
  EXPECT_EQ(count_from({token, "{tag}:c"}), 0u);
  EXPECT_EQ(count_from({token + 1, {}}), 0u);
}

TEST_F(KeyspaceWalkTest, EndsWhereTheVisitorSays) {
  open();
  put(0, numbered("key:", 100));
  std::vector<Bytes> seen;
  const auto first = walk(0, {}, kNoLimits, [&](BytesView key, const Value&) {
    seen.emplace_back(key);
    return seen.size() < 40;
  });
  ASSERT_TRUE(first.next);
  EXPECT_EQ(seen.size(), 40u);
  const auto rest = walk(0, *first.next, kNoLimits, [&](BytesView key, const Value&) {
    seen.emplace_back(key);
    return true;
  });
  EXPECT_FALSE(rest.next);
  EXPECT_EQ(std::set<Bytes>(seen.begin(), seen.end()).size(), 100u);
  EXPECT_EQ(seen.size(), 100u);
}

TEST_F(KeyspaceWalkTest, ASmallDatabaseTakesFewPieces) {
  open();
  put(0, numbered("key:", 5));
  int pieces = 0;
  scan(0, {.keys = 10, .records = 1000, .ranges = 310}, &pieces);
  EXPECT_LE(pieces, 4);
}

TEST_F(KeyspaceWalkTest, PassesOverOtherDatabasesAndWhatWasFlushed) {
  open();
  put(1, numbered("{tag}:", 2000));
  put(3, numbered("{tag}:", 2000));
  put(2, numbered("flushed:", 500));
  ASSERT_TRUE(store().flush_database(2));
  const std::vector<Bytes> keys = {"{tag}:a", "{tag}:b", "other"};
  put(2, keys);
  const WalkLimits narrow{.keys = 2, .records = 100, .ranges = 300};
  expect_each_once(scan(2, narrow), keys);
  expect_each_once(scan(4, narrow), {});
}

TEST_F(KeyspaceWalkTest, PassesOverExpiredKeys) {
  open();
  put(0, numbered("gone:", 100), kNow);
  put(0, {"here"}, kNow + 1);
  expect_each_once(scan(0, {.keys = 10, .records = 100, .ranges = 300}), {"here"});
}

TEST_F(KeyspaceWalkTest, ReadsKeysBackFromTables) {
  options_.memtable_bytes = 1u << 20;
  open();
  std::vector<Bytes> keys;
  for (int batch = 0; batch < 100; ++batch) {
    const auto some = numbered(fmt::format("{}:{}:", batch, std::string(100, 'x')).c_str(), 200);
    put(0, some);
    keys.insert(keys.end(), some.begin(), some.end());
  }
  close();
  open();
  expect_each_once(scan(0, {.keys = 100, .records = 1000, .ranges = 300}), keys);
}

// Redis's promise: what is there from start to end is returned, whatever else comes and goes.
TEST_F(KeyspaceWalkTest, MissesNothingWhileOthersWrite) {
  open();
  const auto keys = numbered("stays:", 2000);
  put(0, keys);
  std::atomic<bool> stop = false;
  std::jthread writer([&] {
    for (int round = 0; !stop; ++round) {
      put(0, numbered(fmt::format("comes:{}:", round).c_str(), 50));
      std::this_thread::yield();
    }
  });
  for (int round = 0; round < 5; ++round) {
    const auto seen = scan(0, {.keys = 10, .records = 1000, .ranges = 300});
    for (const Bytes& key : keys) ASSERT_EQ(seen.count(key), 1u) << key;
  }
  stop = true;
}

}  // namespace
}  // namespace shale::server
