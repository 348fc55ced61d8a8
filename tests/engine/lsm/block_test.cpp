#include "engine/lsm/block.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/engine/cursor_walk.h"
#include "tests/engine/lsm/table_test_support.h"

namespace shale::engine::lsm {
namespace {

Bytes build_block(const std::vector<OwnedEntry>& entries) {
  BlockBuilder builder;
  for (const OwnedEntry& entry : entries) {
    const std::uint64_t bytes_max = builder.bytes_with(entry.key.size(), entry.value.size());
    builder.add(entry.view());
    EXPECT_LE(builder.arrays().size() + builder.entries().size(), bytes_max);
  }
  return Bytes{builder.arrays()}.append(builder.entries());
}

void expect_finds(const Bytes& bytes, const std::vector<OwnedEntry>& entries,
                  const std::vector<Bytes>& others) {
  const std::optional<BlockView> block = BlockView::parse(bytes);
  ASSERT_TRUE(block);
  EXPECT_EQ(block->entry_count(), entries.size());
  for (const OwnedEntry& entry : entries) {
    const std::optional<Entry> found = block->find(entry.key);
    ASSERT_TRUE(found) << entry.key;
    EXPECT_EQ(found->value, entry.value);
    EXPECT_EQ(found->tag, entry.tag);
  }
  BlockCursor cursor;
  cursor.reset(*block);
  for (const Bytes& key : others) {
    const auto place = std::ranges::lower_bound(entries, key, {}, &OwnedEntry::key);
    const bool is_there = place != entries.end() && place->key == key;
    ASSERT_EQ(block->find(key).has_value(), is_there);
    cursor.seek(key);
    ASSERT_EQ(cursor.valid(), place != entries.end());
    if (!cursor.valid()) continue;
    ASSERT_EQ(cursor.entry().key, place->key);
  }
  cursor.seek_first();
  for (const OwnedEntry& entry : entries) {
    ASSERT_TRUE(cursor.valid());
    ASSERT_EQ(cursor.entry().key, entry.key);
    ASSERT_EQ(cursor.entry().value, entry.value);
    ASSERT_EQ(cursor.entry().tag, entry.tag);
    cursor.next();
  }
  EXPECT_FALSE(cursor.valid());
  cursor.seek_last();
  for (std::size_t i = entries.size(); i-- != 0;) {
    ASSERT_TRUE(cursor.valid());
    ASSERT_EQ(cursor.entry().key, entries[i].key);
    cursor.previous();
  }
  EXPECT_FALSE(cursor.valid());
}

TEST(Block, AnswersAsASortedListDoes) {
  SHALE_TRACE_SEED;
  std::mt19937_64 random{test_seed()};
  for (int round = 0; round != 300; ++round) {
    // Up to some hundred KiB, so that offsets of both widths come up.
    const auto entries = random_entries(random, 1 + random() % 60, round % 10 == 0 ? 5000 : 100);
    std::vector<Bytes> others;
    for (int i = 0; i != 50; ++i) others.push_back(random_key(random));
    for (const OwnedEntry& entry : entries) {
      others.push_back(entry.key + '\0');
      if (!entry.key.empty()) others.push_back(entry.key.substr(0, random() % entry.key.size()));
    }
    expect_finds(build_block(entries), entries, others);
    if (HasFatalFailure()) return;
  }
}

TEST(Block, ACursorTurnsAnywhere) {
  SHALE_TRACE_SEED;
  std::mt19937_64 random{test_seed()};
  for (int round = 0; round != 200; ++round) {
    const auto entries = random_entries(random, 1 + random() % 60, 100);
    CursorModel model;
    for (const OwnedEntry& entry : entries) model.emplace(entry.key, entry.value);
    const auto any_key = [&] {
      return random() % 2 == 0 ? random_key(random) : entries[random() % entries.size()].key;
    };
    const Bytes bytes = build_block(entries);
    CursorAdapter<BlockCursor> cursor;
    cursor.inner().reset(*BlockView::parse(bytes));
    ASSERT_TRUE(expect_walk(cursor, model, draw_moves(random, 200, any_key)));
    if (HasFailure()) return;
  }
}

TEST(Block, ManyRestartPointsMayHaveTheSameHead) {
  std::vector<OwnedEntry> entries{value_entry("a", "first")};
  for (int i = 10000; i != 10200; ++i)
    entries.push_back(value_entry("k-and-a-long-beginning" + std::to_string(i), "v"));
  entries.push_back(value_entry("z", "last"));
  expect_finds(
      build_block(entries), entries,
      {"", "k", "k-and-a-long-beginning10050x", "k-and-a-long-beginning0", "k-and-a-long-beginning2", "{"});
}

TEST(Block, KeysThatEndInZeroBytesAreTheirOwn) {
  const std::vector<OwnedEntry> entries{value_entry("", "0"),
                                        value_entry(BytesView("\0", 1), "1"),
                                        value_entry(BytesView("\0\0", 2), "2"),
                                        value_entry("a", "3"),
                                        value_entry(BytesView("a\0", 2), "4"),
                                        value_entry(BytesView("a\0\0\0\0\0", 6), "5")};
  expect_finds(build_block(entries), entries, {Bytes(3, '\0'), Bytes("a\0\0", 3), Bytes("b")});
}

TEST(Block, ADamagedBlockIsRefusedOrHarmless) {
  SHALE_TRACE_SEED;
  std::mt19937_64 random{test_seed()};
  for (int round = 0; round != 20000; ++round) {
    const auto entries = random_entries(random, 1 + random() % 8, 10);
    Bytes bytes = build_block(entries);
    for (std::uint64_t edits = 1 + random() % 3; edits != 0; --edits) {
      bytes[random() % bytes.size()] = static_cast<char>(random() % 4 == 0 ? random() : random() % 20);
    }
    if (random() % 8 == 0) bytes.resize(random() % bytes.size());
    const Bytes exact{bytes.data(), bytes.size()};
    const std::optional<BlockView> block = BlockView::parse(exact);
    if (!block) continue;
    BlockCursor cursor;
    cursor.reset(*block);
    std::uint32_t count = 0;
    Bytes last;
    for (cursor.seek_first(); cursor.valid(); cursor.next(), ++count) {
      ASSERT_TRUE(count == 0 || last < cursor.entry().key);
      last = cursor.entry().key;
      ASSERT_TRUE(block->find(last));
    }
    ASSERT_EQ(count, block->entry_count());
    for (int i = 0; i != 5; ++i) {
      const Bytes key = random_key(random);
      cursor.seek(key);
      ASSERT_EQ(block->find(key).has_value(), cursor.valid() && cursor.entry().key == key);
    }
  }
}

}  // namespace
}  // namespace shale::engine::lsm
