#include "engine/lsm/memtable.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/engine/memory/seeded_random.h"

namespace shale::engine::lsm {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::size_t kSmallChunk = std::size_t{64} << 10;

void put(Memtable& memtable, BytesView key, BytesView value, int balance_change = 0) {
  memtable.put(HashedKey{key}, value, EntryType::value, balance_change);
}

std::optional<BytesView> value_of(const Memtable& memtable, BytesView key) {
  const auto entry = memtable.find(HashedKey{key});
  if (!entry) return std::nullopt;
  EXPECT_EQ(entry->key, key);
  return entry->value;
}

std::vector<std::string> keys_forward(const Memtable& memtable) {
  std::vector<std::string> keys;
  auto cursor = memtable.cursor();
  for (cursor.seek_to_first(); cursor.valid(); cursor.next()) keys.emplace_back(cursor.entry().key);
  return keys;
}

std::vector<std::string> keys_backward(const Memtable& memtable) {
  std::vector<std::string> keys;
  auto cursor = memtable.cursor();
  for (cursor.seek_to_last(); cursor.valid(); cursor.previous()) keys.emplace_back(cursor.entry().key);
  return keys;
}

TEST(Memtable, IsEmptyAtFirst) {
  const Memtable memtable{kSmallChunk};
  EXPECT_FALSE(memtable.find(HashedKey{"a"}));
  EXPECT_EQ(memtable.entry_count(), 0u);
  EXPECT_EQ(memtable.live_bytes(), 0u);
  EXPECT_THAT(keys_forward(memtable), IsEmpty());
  EXPECT_THAT(keys_backward(memtable), IsEmpty());
  auto cursor = memtable.cursor();
  EXPECT_FALSE(cursor.valid());
  cursor.seek("a");
  EXPECT_FALSE(cursor.valid());
  memtable.prefetch_index(HashedKey{"a"});
  memtable.prefetch_record(HashedKey{"a"});
  memtable.prefetch_order(HashedKey{"a"});
}

TEST(Memtable, StoresEmptyKeysEmptyValuesAndZeroBytes) {
  Memtable memtable{kSmallChunk};
  const std::string zero(1, '\0');
  const std::string two_zeros(2, '\0');
  const std::string a_zero{"a\0", 2};
  put(memtable, a_zero, "5");
  put(memtable, two_zeros, "3");
  put(memtable, "", "1");
  put(memtable, "a", "");
  put(memtable, zero, "2");
  EXPECT_THAT(keys_forward(memtable), ElementsAre("", zero, two_zeros, "a", a_zero));
  EXPECT_EQ(value_of(memtable, ""), "1");
  EXPECT_EQ(value_of(memtable, zero), "2");
  EXPECT_EQ(value_of(memtable, two_zeros), "3");
  EXPECT_EQ(value_of(memtable, "a"), "");
  EXPECT_EQ(value_of(memtable, a_zero), "5");
}

TEST(Memtable, OverwritesInPlaceWhatFits) {
  Memtable memtable{kSmallChunk};
  put(memtable, "key", "a longer value");
  const char* const place = memtable.find(HashedKey{"key"})->value.data();
  put(memtable, "key", "short");
  EXPECT_EQ(value_of(memtable, "key"), "short");
  put(memtable, "key", "another value!");
  EXPECT_EQ(value_of(memtable, "key"), "another value!");
  EXPECT_EQ(memtable.find(HashedKey{"key"})->value.data(), place);
  EXPECT_EQ(memtable.dead_bytes(), 0u);
  EXPECT_EQ(memtable.live_bytes(), 3u + 14u);
  EXPECT_EQ(memtable.entry_count(), 1u);
}

TEST(Memtable, MovesWhatOutgrowsItsPlaceInBothIndexes) {
  Memtable memtable{kSmallChunk};
  for (int i = 0; i < 1000; ++i) put(memtable, "key" + std::to_string(i), "v");
  for (int i = 0; i < 1000; ++i) put(memtable, "key" + std::to_string(i), std::string(100, 'w'));
  EXPECT_EQ(memtable.entry_count(), 1000u);
  EXPECT_GT(memtable.dead_bytes(), 1000u * 18);
  auto cursor = memtable.cursor();
  int count = 0;
  for (cursor.seek_to_first(); cursor.valid(); cursor.next(), ++count) {
    ASSERT_EQ(cursor.entry().value, std::string(100, 'w'));
    ASSERT_EQ(value_of(memtable, cursor.entry().key), std::string(100, 'w'));
  }
  EXPECT_EQ(count, 1000);
}

TEST(Memtable, AppendingLoopsUseMemoryInProportionToTheirResult) {
  Memtable memtable{kSmallChunk};
  std::string value;
  for (int i = 0; i < 100'000; ++i) put(memtable, "log", value += "x");
  EXPECT_EQ(value_of(memtable, "log"), value);
  EXPECT_LT(memtable.memory_bytes(), 4 * value.size() + 2 * kSmallChunk);
}

TEST(Memtable, KeepsKeysAndValuesLargerThanAChunk) {
  Memtable memtable{kSmallChunk};
  const std::string large_key(std::size_t{1} << 20, 'k');
  const std::string large_value(std::size_t{5} << 20, 'v');
  put(memtable, large_key, "a");
  put(memtable, large_key + "2", large_value);
  put(memtable, "small", large_value);
  EXPECT_EQ(value_of(memtable, large_key), "a");
  EXPECT_EQ(value_of(memtable, large_key + "2"), large_value);
  EXPECT_THAT(keys_forward(memtable), ElementsAre(large_key, large_key + "2", "small"));
  EXPECT_GE(memtable.memory_bytes(), memtable.live_bytes());
}

TEST(Memtable, GivesBackLargeRecordsThatWereReplaced) {
  Memtable memtable{kSmallChunk};
  std::string value(std::size_t{1} << 20, 'v');
  // Many keys, so that the large one becomes a separator in the tree.
  for (int i = 0; i < 200; ++i) put(memtable, "key" + std::to_string(1000 + i), value);
  const std::size_t before = memtable.memory_bytes();
  value += 'w';
  for (int i = 0; i < 200; ++i) put(memtable, "key" + std::to_string(1000 + i), value);
  EXPECT_LE(memtable.memory_bytes(), before + 200 * kPageBytes);
  for (int i = 0; i < 200; ++i) put(memtable, "key" + std::to_string(1000 + i) + "a", "between");
  EXPECT_EQ(keys_forward(memtable).size(), 400u);
}

TEST(Memtable, TakesValuesThatAreViewsOfItself) {
  Memtable memtable{kSmallChunk};
  const std::string value(100'000, 'v');
  put(memtable, "from", value);
  put(memtable, "to", "x");
  put(memtable, "to", *value_of(memtable, "from"));
  EXPECT_EQ(value_of(memtable, "to"), value);
  put(memtable, "to", value_of(memtable, "to")->substr(10, 50));
  EXPECT_EQ(value_of(memtable, "to"), value.substr(10, 50));
}

TEST(Memtable, AddsUpBalances) {
  Memtable memtable{kSmallChunk};
  const HashedKey key{"key"};
  const auto tag = [&] { return memtable.find(key)->tag; };
  memtable.put(key, "v", EntryType::value, +1);
  EXPECT_EQ(tag(), (EntryTag{EntryType::value, +1}));
  memtable.put(key, "", EntryType::tombstone, -1);
  EXPECT_EQ(tag(), (EntryTag{EntryType::tombstone, 0}));
  memtable.put(key, "", EntryType::tombstone, -1);
  EXPECT_EQ(tag(), (EntryTag{EntryType::tombstone, -1}));
  memtable.put(key, "a much longer value", EntryType::value, +1);
  EXPECT_EQ(tag(), (EntryTag{EntryType::value, 0}));
  memtable.put(key, "v", EntryType::value, 0);
  EXPECT_EQ(tag(), (EntryTag{EntryType::value, 0}));
}

TEST(MemtableDeathTest, RefusesABalanceOutOfRange) {
  Memtable memtable{kSmallChunk};
  const HashedKey key{"key"};
  memtable.put(key, "v", EntryType::value, +1);
  EXPECT_DEBUG_DEATH(memtable.put(key, "v", EntryType::value, +1), "balance");
}

TEST(Memtable, ATombstoneHidesTheValueAndKeepsItsRoom) {
  Memtable memtable{kSmallChunk};
  put(memtable, "key", "value", +1);
  memtable.put(HashedKey{"key"}, "", EntryType::tombstone, -1);
  EXPECT_EQ(value_of(memtable, "key"), "");
  EXPECT_EQ(memtable.live_bytes(), 3u);
  put(memtable, "key", "again", +1);
  EXPECT_EQ(value_of(memtable, "key"), "again");
  EXPECT_EQ(memtable.dead_bytes(), 0u);
}

TEST(Memtable, PutsWhereItLocated) {
  Memtable memtable{kSmallChunk};
  const HashedKey key{"key"};
  auto slot = memtable.locate(key);
  EXPECT_FALSE(slot.entry);
  memtable.put_at(slot, key, "first", EntryType::value, +1);
  slot = memtable.locate(key);
  ASSERT_TRUE(slot.entry);
  EXPECT_EQ(slot.entry->value, "first");
  EXPECT_EQ(slot.entry->tag.balance, 1);
  memtable.put_at(slot, key, "a second one that is longer", EntryType::value, 0);
  EXPECT_EQ(value_of(memtable, "key"), "a second one that is longer");
  EXPECT_EQ(memtable.entry_count(), 1u);
}

TEST(Memtable, SeeksToTheFirstKeyThatIsNotSmaller) {
  Memtable memtable{kSmallChunk};
  for (int i = 100; i < 900; i += 2) put(memtable, "a long common prefix " + std::to_string(i), "");
  auto cursor = memtable.cursor();
  for (int i = 100; i < 899; ++i) {
    cursor.seek("a long common prefix " + std::to_string(i));
    ASSERT_TRUE(cursor.valid());
    ASSERT_EQ(cursor.entry().key, "a long common prefix " + std::to_string((i + 1) / 2 * 2));
  }
  cursor.seek("a long common prefix 899");
  EXPECT_FALSE(cursor.valid());
  cursor.seek("b");
  EXPECT_FALSE(cursor.valid());
  cursor.seek("");
  ASSERT_TRUE(cursor.valid());
  cursor.previous();
  EXPECT_FALSE(cursor.valid());
}

TEST(Memtable, MayBeReadByThreadsOnceItIsSealed) {
  Memtable memtable{kSmallChunk};
  for (int i = 0; i < 5000; ++i) put(memtable, "key" + std::to_string(i * 7), std::to_string(i));
  const Memtable& sealed = memtable;
  std::vector<std::thread> readers;
  for (int reader = 0; reader < 4; ++reader) {
    readers.emplace_back([&] {
      for (int i = 0; i < 5000; ++i) {
        const std::string key = "key" + std::to_string(i * 7);
        sealed.prefetch_index(HashedKey{key});
        sealed.prefetch_record(HashedKey{key});
        EXPECT_EQ(value_of(sealed, key), std::to_string(i));
      }
      EXPECT_EQ(keys_forward(sealed).size(), 5000u);
    });
  }
  for (auto& reader : readers) reader.join();
}

}  // namespace
}  // namespace shale::engine::lsm
