#include "src/keyspace.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/server/temporary_store.h"

namespace shale::server {
namespace {

constexpr std::int64_t kNow = 1'700'000'000'000;

class KeyspaceTest : public TemporaryStoreTest {
 protected:
  KeyspaceTest() { open(); }

  // Runs `work` on a keyspace that declares `keys`, as the dispatcher would, and commits.
  template <class Work>
  void run(const std::vector<Bytes>& keys, Work work, std::int64_t now_ms = kNow) {
    cluster::ShardLocks locks(store());
    cluster::Transaction transaction(store(), locks);
    locks.add(0, "a key of the command before");
    for (const Bytes& key : keys) locks.add(0, key);
    locks.lock();
    Keyspace keyspace(transaction, locks, 1, keys.size(), 0, now_ms);
    work(keyspace);
    ASSERT_TRUE(transaction.commit());
  }
  std::optional<Bytes> payload(const Bytes& key, std::int64_t now_ms = kNow) {
    std::optional<Bytes> payload;
    run(
        {key},
        [&](Keyspace& keyspace) {
          const auto found = keyspace.find(key).value();
          if (found) payload = Bytes(found->payload);
        },
        now_ms);
    return payload;
  }
};

TEST_F(KeyspaceTest, FindsWhatWasStored) {
  run({"key"}, [](Keyspace& keyspace) { keyspace.store("key", "value"); });
  EXPECT_EQ(payload("key"), "value");
  EXPECT_EQ(payload("other"), std::nullopt);
  run({"key"}, [](Keyspace& keyspace) { keyspace.erase("key"); });
  EXPECT_EQ(payload("key"), std::nullopt);
}

TEST_F(KeyspaceTest, AnExpiredKeyIsAbsent) {
  run({"key"}, [](Keyspace& keyspace) { keyspace.store("key", "value", kNow + 1); });
  EXPECT_EQ(payload("key", kNow), "value");
  EXPECT_EQ(payload("key", kNow + 1), std::nullopt);
}

TEST_F(KeyspaceTest, AKeyNamedTwiceIsOneKey) {
  run({"key"}, [](Keyspace& keyspace) { keyspace.store("key", "value"); });
  run({"key", "other", "key"}, [](Keyspace& keyspace) {
    EXPECT_TRUE(keyspace.find("key").value());
    keyspace.erase("key");
    EXPECT_FALSE(keyspace.find("key").value());
    keyspace.store("key", "again");
    EXPECT_EQ(keyspace.find("key").value()->payload, "again");
  });
  EXPECT_EQ(payload("key"), "again");
}

TEST_F(KeyspaceTest, AValueMayBeStoredFromItsOwnOldPayload) {
  run({"key"}, [](Keyspace& keyspace) { keyspace.store("key", std::string(100'000, 'x')); });
  run({"key"}, [](Keyspace& keyspace) {
    const Value old = *keyspace.find("key").value();
    keyspace.store("key", old.payload, kNow + 1000);
    EXPECT_EQ(keyspace.find("key").value()->payload, std::string(100'000, 'x'));
  });
  EXPECT_EQ(payload("key"), std::string(100'000, 'x'));
}

TEST_F(KeyspaceTest, AmongManyKeysEachIsFound) {
  std::vector<Bytes> keys;
  for (int i = 0; i < 10'000; ++i) keys.push_back(fmt::format("key:{}", i % 7'000));  // some twice
  run(keys, [&](Keyspace& keyspace) {
    for (const Bytes& key : keys) keyspace.store(key, "value of " + key);
    for (const Bytes& key : keys) ASSERT_EQ(keyspace.find(key).value()->payload, "value of " + key);
  });
  EXPECT_EQ(payload("key:6999"), "value of key:6999");
  EXPECT_EQ(store().key_count(0), 7'000);
}

TEST_F(KeyspaceTest, CountsHitsAndMissesOfReadsOnly) {
  run({"a", "b"}, [](Keyspace& keyspace) {
    keyspace.store("a", "1");
    EXPECT_TRUE(keyspace.find("a").value());
    EXPECT_TRUE(keyspace.read("a").value());
    EXPECT_FALSE(keyspace.read("b").value());
    EXPECT_FALSE(keyspace.read_declared(1).value());
    EXPECT_EQ(keyspace.hits(), 1u);
    EXPECT_EQ(keyspace.misses(), 2u);
  });
}

}  // namespace
}  // namespace shale::server
