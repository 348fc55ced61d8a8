#include "engine/lsm/record_cache.h"

#include <gtest/gtest.h>

#include <string>
#include <unordered_map>
#include <vector>

#include "tests/engine/memory/seeded_random.h"

namespace shale::engine::lsm {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

std::string key_of(std::uint64_t n) { return "key" + std::to_string(n); }

// A point read of the tree: from the cache, or from a table, whose record is then offered to the cache.
bool read(RecordCache& cache, const std::string& key, BytesView in_table) {
  const HashedKey hashed{key};
  cache.prefetch_index(hashed);
  cache.prefetch_record(hashed);
  if (const auto value = cache.find(hashed)) {
    EXPECT_EQ(*value, in_table);
    return true;
  }
  cache.insert(hashed, in_table);
  return false;
}

TEST(RecordCache, ServesWhatWasInsertedUntilItIsErased) {
  RecordCache cache{kMiB};
  EXPECT_FALSE(cache.find(HashedKey{"a"}));
  cache.insert(HashedKey{"a"}, "1");
  cache.insert(HashedKey{""}, "");
  EXPECT_EQ(cache.find(HashedKey{"a"}), "1");
  EXPECT_EQ(cache.find(HashedKey{""}), "");
  cache.insert(HashedKey{"a"}, "2");
  EXPECT_EQ(cache.find(HashedKey{"a"}), "2");
  cache.erase(HashedKey{"a"});
  cache.erase(HashedKey{"never here"});
  EXPECT_FALSE(cache.find(HashedKey{"a"}));
  EXPECT_EQ(cache.record_count(), 1u);
  EXPECT_EQ(cache.hits(), 3u);
  EXPECT_EQ(cache.misses(), 2u);
  cache.clear();
  EXPECT_FALSE(cache.find(HashedKey{""}));
}

TEST(RecordCache, IsOffWithoutCapacity) {
  RecordCache cache{0};
  EXPECT_FALSE(read(cache, "a", "1"));
  EXPECT_FALSE(read(cache, "a", "1"));
  cache.erase(HashedKey{"a"});
  EXPECT_TRUE(cache.trim(1));
  EXPECT_LE(cache.memory_bytes(), kPageBytes);
  cache.set_capacity(kMiB);
  cache.insert(HashedKey{"a"}, "1");
  EXPECT_TRUE(read(cache, "a", "1"));
  cache.set_capacity(0);
  EXPECT_FALSE(read(cache, "a", "1"));
  EXPECT_LE(cache.memory_bytes(), kPageBytes);
}

TEST(RecordCache, LeavesLargeRecordsOut) {
  RecordCache cache{kMiB};
  cache.insert(HashedKey{"large"}, std::string(kMiB / 64, 'v'));
  EXPECT_FALSE(cache.find(HashedKey{"large"}));
  cache.insert(HashedKey{"small"}, "v");
  cache.insert(HashedKey{"small"},
               std::string(kMiB / 64, 'v'));  // the copy is stale even if the new one is not kept
  EXPECT_FALSE(cache.find(HashedKey{"small"}));
}

TEST(RecordCache, KeepsToItsCapacityWhateverItIsOffered) {
  SeededRandom random;
  for (const std::size_t capacity : {std::size_t{64} << 10, kMiB, 4 * kMiB}) {
    for (const std::size_t value_bytes_max : {std::size_t{1}, std::size_t{100}, std::size_t{900}}) {
      RecordCache cache{capacity};
      const std::uint64_t key_count = 4 * capacity / (value_bytes_max / 2 + 40);
      for (std::uint64_t i = 0; i < 3 * key_count; ++i) {
        const std::string key = key_of(random.below(key_count));
        const std::string value(key.back() * 31u % value_bytes_max, 'v');
        read(cache, key, value);
        ASSERT_LE(cache.memory_bytes(), capacity + capacity / 16);
      }
      EXPECT_GT(cache.hits(), cache.misses() / 20) << capacity << " " << value_bytes_max;
      EXPECT_GT(cache.memory_bytes(), capacity / 2);
    }
  }
}

TEST(RecordCache, HotRecordsSurviveAScanOfColdOnes) {
  const std::string value(100, 'v');
  RecordCache cache{4 * kMiB};
  constexpr std::uint64_t kHotCount = 5000;
  for (int round = 0; round < 2; ++round) {
    for (std::uint64_t n = 0; n < kHotCount; ++n) read(cache, key_of(n), value);
  }
  // The scan meets a million records, far more than fit, each twice: even if all were admitted, the hand
  // passes over what is read in between.
  std::uint64_t next_hot = 0;
  for (std::uint64_t n = 0; n < 1'000'000; ++n) {
    for (int twice = 0; twice < 2; ++twice) read(cache, "cold" + key_of(n), value);
    read(cache, key_of(next_hot++ % kHotCount), value);
  }
  std::uint64_t kept = 0;
  for (std::uint64_t n = 0; n < kHotCount; ++n) kept += cache.find(HashedKey{key_of(n)}) ? 1 : 0;
  EXPECT_GT(kept, kHotCount * 95 / 100);
}

TEST(RecordCache, AScanPassesByARestingCache) {
  const std::string value(100, 'v');
  RecordCache cache{4 * kMiB};
  std::uint64_t stored = 0;
  while (cache.memory_bytes() + kMiB / 4 < 4 * kMiB) cache.insert(HashedKey{key_of(stored++)}, value);
  for (std::uint64_t n = 0; n < 1'000'000; ++n) cache.insert(HashedKey{"cold" + key_of(n)}, value);
  std::uint64_t kept = 0;
  for (std::uint64_t n = 0; n < stored; ++n) kept += cache.find(HashedKey{key_of(n)}) ? 1 : 0;
  EXPECT_GT(kept, stored * 9 / 10);
}

TEST(RecordCache, ShrinksAndKeepsWhatIsHot) {
  const std::string value(100, 'v');
  RecordCache cache{64 * kMiB};
  for (std::uint64_t n = 0; n < 300'000; ++n) cache.insert(HashedKey{key_of(n)}, value);
  for (std::uint64_t n = 0; n < 2000; ++n) EXPECT_TRUE(cache.find(HashedKey{key_of(n)}));
  cache.set_capacity(40 * kMiB);
  int calls = 0;
  while (!cache.trim(1000)) ASSERT_LT(++calls, 1000);
  EXPECT_LE(cache.memory_bytes(), 40 * kMiB);
  EXPECT_GT(cache.memory_bytes(), 30 * kMiB);
  std::uint64_t kept = 0;
  for (std::uint64_t n = 0; n < 2000; ++n) kept += cache.find(HashedKey{key_of(n)}) ? 1 : 0;
  EXPECT_GT(kept, 1900u);

  cache.set_capacity(kMiB);
  EXPECT_TRUE(cache.trim(1'000'000));
  EXPECT_LE(cache.memory_bytes(), kMiB);
  cache.insert(HashedKey{"a"}, "1");
  EXPECT_TRUE(cache.find(HashedKey{"a"}));
}

TEST(RecordCache, NeverServesWhatIsStale) {
  SeededRandom random;
  RecordCache cache{kMiB};
  std::unordered_map<std::string, std::string> table;
  for (int i = 0; i < 600'000; ++i) {
    const std::string key = key_of(random.below(random.one_in(2) ? 500 : 50'000));
    std::string& in_table = table[key];
    if (random.one_in(5)) {
      in_table = random.bytes(random.below(random.one_in(100) ? 20'000 : 100));
      cache.erase(HashedKey{key});
    } else {
      read(cache, key, in_table);
    }
    if (random.one_in(20'000)) cache.set_capacity(random.below(3 * kMiB));
    if (random.one_in(1000)) cache.trim(random.below(1000));
    if (random.one_in(100'000)) cache.clear();
  }
  EXPECT_GT(cache.hits(), 0u);
}

}  // namespace
}  // namespace shale::engine::lsm
