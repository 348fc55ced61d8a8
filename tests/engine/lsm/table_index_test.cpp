#include "engine/lsm/table_index.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/engine/lsm/table_test_support.h"

namespace shale::engine::lsm {
namespace {

// Blocks of two keys each.
TableIndex index_of(const std::vector<Bytes>& keys, std::size_t keys_per_block = 2) {
  TableIndexBuilder builder;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < keys.size(); i += keys_per_block) {
    builder.add_block(100 + i, i == 0 ? BytesView{} : BytesView{keys[i - 1]}, keys[i]);
    bytes += 100 + i;
  }
  const std::optional<TableIndex> index = TableIndex::decode(builder.finish(), bytes);
  EXPECT_TRUE(index);
  return index.value_or(TableIndex{});
}

void expect_leads_to_every_key(const std::vector<Bytes>& keys, std::size_t keys_per_block = 2) {
  const TableIndex index = index_of(keys, keys_per_block);
  ASSERT_EQ(index.block_count(), (keys.size() + keys_per_block - 1) / keys_per_block);
  for (std::size_t i = 0; i != keys.size(); ++i) {
    ASSERT_EQ(index.find(keys[i]), std::optional<std::uint32_t>(i / keys_per_block)) << i;
  }
}

// What a compaction cuts at: nothing of the blocks before is at or above it, all of the block and behind is.
TEST(TableIndex, FencesPartTheKeysAtTheirBlock) {
  SHALE_TRACE_SEED;
  std::mt19937_64 random{test_seed()};
  std::vector<Bytes> with_zeros;  // where the end of a number and the end of a key are easily confused
  for (int i = 1; i != 40; ++i) {
    with_zeros.push_back(Bytes(static_cast<std::size_t>(i % 10), '\0') + Bytes(1, static_cast<char>(i)));
    with_zeros.push_back(Bytes(1, static_cast<char>(i)) + Bytes(static_cast<std::size_t>(i % 12), '\0'));
  }
  std::ranges::sort(with_zeros);
  with_zeros.erase(std::unique(with_zeros.begin(), with_zeros.end()), with_zeros.end());
  for (int round = 0; round != 100; ++round) {
    std::vector<Bytes> keys = with_zeros;
    if (round != 0) {
      keys.clear();
      for (const OwnedEntry& entry : random_entries(random, 2 + random() % 300, 0)) keys.push_back(entry.key);
    }
    const TableIndex index = index_of(keys);
    for (std::uint32_t block = 1; block < index.block_count(); ++block) {
      const Bytes fence = index.fence(block);
      ASSERT_GT(fence, keys[std::size_t{block} * 2 - 1]) << "block " << block;
      ASSERT_LE(fence, keys[std::size_t{block} * 2]) << "block " << block;
    }
  }
}

TEST(TableIndex, LeadsToTheBlockOfEveryKey) {
  SHALE_TRACE_SEED;
  std::mt19937_64 random{test_seed()};
  for (int round = 0; round != 100; ++round) {
    std::vector<Bytes> keys;
    for (const OwnedEntry& entry : random_entries(random, 1 + random() % 500, 0)) keys.push_back(entry.key);
    expect_leads_to_every_key(keys, 1 + random() % 4);
    // And to the block before whose first key any other key stands.
    const TableIndex index = index_of(keys);
    for (int i = 0; i != 50; ++i) {
      const Bytes key = random_key(random);
      const auto place = static_cast<std::size_t>(std::ranges::lower_bound(keys, key) - keys.begin());
      const std::uint32_t block = index.find(key).value_or(0);
      // No key of a later block is at or below it, none of an earlier one at or above.
      if (block + 1 < index.block_count()) {
        ASSERT_LE(place, (std::size_t{block} + 1) * 2);
      }
      ASSERT_GE(place, std::size_t{block} * 2);
    }
  }
}

// What a cursor's bounds rely on.
TEST(TableIndex, KnowsWhatLiesBeforeAKeyAndBehindIt) {
  SHALE_TRACE_SEED;
  std::mt19937_64 random{test_seed()};
  for (int round = 0; round != 100; ++round) {
    std::vector<Bytes> keys;
    for (const OwnedEntry& entry : random_entries(random, 1 + random() % 300, 0)) keys.push_back(entry.key);
    const TableIndex index = index_of(keys);
    std::vector<Bytes> asked = keys;
    for (int i = 0; i != 50; ++i) asked.push_back(random_key(random));
    for (std::uint32_t block = 1; block < index.block_count(); ++block) asked.push_back(index.fence(block));
    for (const Bytes& key : asked) {
      const auto below = static_cast<std::size_t>(std::ranges::lower_bound(keys, key) - keys.begin());
      const std::optional<std::uint32_t> before = index.find_before(key);
      if (below != 0) {
        ASSERT_TRUE(before);
        ASSERT_GE(*before, (below - 1) / 2);  // that key's block, or one behind it with nothing below
        ASSERT_TRUE(*before == 0 || index.fence(*before) < key);
      }
      for (std::uint32_t block = 1; block < index.block_count(); ++block) {
        ASSERT_EQ(index.begins_at_or_above(block, key), index.fence(block) >= key);
        ASSERT_EQ(index.begins_at_or_below(block, key), index.fence(block) <= key);
      }
    }
  }
}

TEST(TableIndex, FindsInUniformSkewedAndEqualHeads) {
  SHALE_TRACE_SEED;
  std::mt19937_64 random{test_seed()};
  std::vector<Bytes> uniform;
  std::vector<Bytes> skewed;
  std::vector<Bytes> equal;
  for (int i = 0; i != 20000; ++i) {
    const std::uint64_t token = random();
    uniform.emplace_back(reinterpret_cast<const char*>(&token), sizeof token);
    const std::uint64_t small = __builtin_bswap64(token >> (random() % 64));
    skewed.emplace_back(reinterpret_cast<const char*>(&small), sizeof small);
    equal.push_back("the same beginning " + std::to_string(100000 + i));
  }
  for (std::vector<Bytes>* const keys : {&uniform, &skewed, &equal}) {
    std::ranges::sort(*keys);
    keys->erase(std::unique(keys->begin(), keys->end()), keys->end());
    expect_leads_to_every_key(*keys);
  }
  EXPECT_LE(index_of(uniform).memory_bytes(), 16U * 10000 + 1024);
}

TEST(TableIndex, RefusesWhatIsNoIndexOfThisManyBytes) {
  TableIndexBuilder builder;
  builder.add_block(100, "", "a-long-key-1");
  builder.add_block(50, "a-long-key-1", "a-long-key-2");
  builder.add_block(70, "a-long-key-2", "b");
  const Bytes stored = builder.finish();
  EXPECT_TRUE(TableIndex::decode(stored, 220));
  EXPECT_FALSE(TableIndex::decode(stored, 219));
  EXPECT_FALSE(TableIndex::decode(stored, 221));
  for (std::size_t bytes = 0; bytes != stored.size(); ++bytes) {
    EXPECT_FALSE(TableIndex::decode(BytesView{stored}.substr(0, bytes), 220));
  }
  EXPECT_FALSE(TableIndex::decode(stored + "x", 220));
}

}  // namespace
}  // namespace shale::engine::lsm
