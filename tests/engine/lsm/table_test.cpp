#include "engine/lsm/table.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <thread>

#include "engine/lsm/table_cursor.h"
#include "engine/lsm/table_scanner.h"
#include "tests/engine/cursor_walk.h"
#include "tests/engine/lsm/table_test_support.h"

namespace shale::engine::lsm {
namespace {

using testing::ElementsAre;

std::shared_ptr<Table> open_table(MemoryFiles& files, BlockCache& cache) {
  return Table::open(files, kTablePath, kTableNumber, cache).value();
}

// Runs `move` on new cursors until none of its blocks is missing.
template <class Move>
void with_cursor(const std::shared_ptr<Table>& table, Move move) {
  ReadContext context;
  while (true) {
    TableCursor cursor{*table, {}, context};
    const Status status = move(cursor);
    if (status) return;
    ASSERT_EQ(status.error().kind, ErrorKind::not_resident) << status.error().message;
    run_all(context);
  }
}

void expect_same(const Entry& entry, const OwnedEntry& wanted) {
  ASSERT_EQ(entry.key, wanted.key);
  ASSERT_EQ(entry.value, wanted.value);
  ASSERT_EQ(entry.tag, wanted.tag);
}

void expect_scans(const std::shared_ptr<Table>& table, const std::vector<OwnedEntry>& entries,
                  std::uint32_t read_bytes) {
  TableScanner scanner{table, read_bytes};
  ASSERT_TRUE(scanner.seek_first());
  for (const OwnedEntry& entry : entries) {
    ASSERT_TRUE(scanner.valid());
    expect_same(scanner.entry(), entry);
    ASSERT_TRUE(scanner.next());
  }
  EXPECT_FALSE(scanner.valid());
  EXPECT_EQ(scanner.bytes_read(), table->properties().data_bytes);
}

void expect_walks(const std::shared_ptr<Table>& table, const std::vector<OwnedEntry>& entries) {
  with_cursor(table, [&](TableCursor& cursor) -> Status {
    std::size_t i = 0;
    Status status = cursor.seek({});
    for (; status && cursor.valid(); status = cursor.next()) expect_same(cursor.entry(), entries[i++]);
    if (status) {
      EXPECT_EQ(i, entries.size());
    }
    return status;
  });
  with_cursor(table, [&](TableCursor& cursor) -> Status {
    std::size_t i = entries.size();
    Status status = cursor.seek_last();
    for (; status && cursor.valid(); status = cursor.previous()) expect_same(cursor.entry(), entries[--i]);
    if (status) {
      EXPECT_EQ(i, 0U);
    }
    return status;
  });
}

void expect_seeks(const std::shared_ptr<Table>& table, const std::vector<OwnedEntry>& entries,
                  BytesView key) {
  const auto place = std::ranges::lower_bound(entries, key, {}, &OwnedEntry::key);
  const bool is_there = place != entries.end() && place->key == key;
  ReadContext context;
  const auto found = find_with_loads(*table, key, context).value();
  ASSERT_EQ(found.has_value(), is_there);
  if (found) expect_same(*found, *place);
  with_cursor(table, [&](TableCursor& cursor) -> Status {
    const Status status = cursor.seek(key);
    if (!status) return status;
    EXPECT_EQ(cursor.valid(), place != entries.end());
    if (cursor.valid()) {
      EXPECT_EQ(cursor.entry().key, place->key);
    }
    return {};
  });
  TableScanner scanner{table, 10000};
  ASSERT_TRUE(scanner.seek(key));
  ASSERT_EQ(scanner.valid(), place != entries.end());
  if (scanner.valid()) expect_same(scanner.entry(), *place);
}

// Whatever the bounds, with as many turns.
void expect_bounded_walks(const std::shared_ptr<Table>& table, const std::vector<OwnedEntry>& entries,
                          std::mt19937_64& random) {
  CursorModel model;
  for (const OwnedEntry& entry : entries) model.emplace(entry.key, entry.value);
  const auto any_key = [&] {
    return random() % 2 == 0 ? random_key(random) : entries[random() % entries.size()].key;
  };
  const auto make = [&](CursorBounds bounds, ReadContext& context) {
    return std::make_unique<CursorAdapter<TableCursor>>(*table, bounds, context, 600U);
  };
  for (int walk = 0; walk != 30; ++walk) {
    const Bytes begin = random() % 3 == 0 ? Bytes{} : any_key();
    const Bytes end = random() % 3 == 0 ? Bytes{} : any_key();
    expect_walk_with_loads(make, {begin, end}, model, draw_moves(random, 100, any_key));
  }
}

TEST(Table, AnswersAsASortedListDoes) {
  SHALE_TRACE_SEED;
  std::mt19937_64 random{test_seed()};
  for (int round = 0; round != 40; ++round) {
    const auto entries = random_entries(random, 1 + random() % 2000);
    TableBuilderOptions options;
    options.block_bytes = static_cast<std::uint32_t>(round % 8 == 0 ? 1 : 256 << random() % 10);
    options.compression = static_cast<Compression>(random() % 3);
    options.filter_bits_per_key = static_cast<double>(random() % 4) * 3.3;
    MemoryFiles files;
    const auto written = write_table(files, entries, options);
    ASSERT_TRUE(written);
    EXPECT_TRUE(files[kTablePath].is_synced);
    // From plenty of cache to none.
    BlockCache cache{std::uint64_t{1} << 20 >> (round % 3 * 10)};
    const auto table = open_table(files, cache);
    EXPECT_EQ(table->properties(), *written);
    for (const OwnedEntry& entry : entries) {
      ReadContext context;
      ASSERT_TRUE(table->may_contain(hash_bytes(entry.key)));
      const auto found = find_with_loads(*table, entry.key, context).value();
      ASSERT_TRUE(found);
      expect_same(*found, entry);
    }
    for (int i = 0; i != 100; ++i) expect_seeks(table, entries, random_key(random));
    expect_seeks(table, entries, "");
    expect_seeks(table, entries, Bytes(400, '\xff'));
    expect_scans(table, entries, 1U << (random() % 20));
    expect_walks(table, entries);
    expect_bounded_walks(table, entries, random);
    if (HasFailure()) return;
  }
}

TEST(Table, HoldsLargeAndEmptyThings) {
  for (const Compression compression : {Compression::none, Compression::lz4, Compression::zstd}) {
    std::vector<OwnedEntry> entries{value_entry("", "the empty key"), value_entry("a", "")};
    entries.push_back(value_entry(Bytes(1 << 20, 'k'), "behind a key of 1 MiB"));
    entries.push_back(value_entry(Bytes(1 << 20, 'k') + "2", "behind one that shares 1 MiB"));
    std::mt19937_64 random{1};
    Bytes noise(3 << 20, '\0');
    for (char& byte : noise) byte = static_cast<char>(random());
    entries.push_back(value_entry("large", noise));
    entries.push_back(value_entry("large and soft", Bytes(3 << 20, 's')));
    entries.push_back(value_entry("medium", Bytes(70000, 'm')));
    entries.push_back(tombstone_entry("small"));
    MemoryFiles files;
    ASSERT_TRUE(write_table(files, entries, {.compression = compression}));
    BlockCache cache{1 << 20};
    const auto table = open_table(files, cache);
    expect_scans(table, entries, TableScanner::kReadBytes);
    expect_walks(table, entries);
    for (const OwnedEntry& entry : entries) expect_seeks(table, entries, entry.key);
  }
}

TEST(Table, WithoutEntriesIsEmpty) {
  MemoryFiles files;
  ASSERT_TRUE(write_table(files, {}));
  BlockCache cache{1 << 20};
  const auto table = open_table(files, cache);
  EXPECT_EQ(table->properties().entry_count, 0U);
  expect_scans(table, {}, TableScanner::kReadBytes);
  expect_walks(table, {});
  expect_seeks(table, {}, "key");
  EXPECT_EQ(table->probe(HashedKey{"key"}), Presence::absent);
}

class ClassOfFirstByte final : public KeyPolicy {
 public:
  std::uint32_t count_class(BytesView key) const { return static_cast<unsigned char>(key.front()); }
  bool is_live_class(std::uint32_t) const { return true; }
  std::int64_t obsolete_from_ms(BytesView, BytesView) const override { return kNeverObsolete; }
};

TEST(Table, PropertiesSayWhatIsInIt) {
  const ClassOfFirstByte policy;
  MemoryFiles files;
  const auto properties =
      write_table(files,
                  {value_entry("\x01.1", "ab"), value_entry("\x01.2", "cd", 0), tombstone_entry("\x01.3"),
                   value_entry("\x02.1", "e"), value_entry("\x02.2", "fgh"), tombstone_entry("\x03.1", -1),
                   tombstone_entry("\x04.1", 0)},
                  {.policy = &policy})
          .value();
  EXPECT_EQ(properties.table_number, kTableNumber);
  EXPECT_EQ(properties.entry_count, 7U);
  EXPECT_EQ(properties.tombstone_count, 3U);
  EXPECT_EQ(properties.raw_key_bytes, 21U);
  EXPECT_EQ(properties.raw_value_bytes, 8U);
  EXPECT_EQ(properties.block_count, 1U);
  EXPECT_EQ(properties.smallest_key, "\x01.1");
  EXPECT_EQ(properties.largest_key, "\x04.1");
  EXPECT_EQ(properties.file_bytes, files[kTablePath].bytes.size());
  EXPECT_THAT(properties.balances,
              ElementsAre(ClassBalance{1, 0}, ClassBalance{2, 2}, ClassBalance{3, -1}, ClassBalance{4, 0}));
  BlockCache cache{1 << 20};
  EXPECT_EQ(open_table(files, cache)->properties(), properties);
}

TEST(Table, TheBuilderKnowsItsSizeAndWritesInPieces) {
  MemoryFiles files;
  TableBuilder builder{files.create(kTablePath).value(), {.table_number = kTableNumber}};
  std::uint64_t raw_bytes = 0;
  for (int i = 100000; i != 120000; ++i) {
    const OwnedEntry entry = value_entry("key" + std::to_string(i), Bytes(100, 'v'));
    ASSERT_TRUE(builder.add(entry.view()));
    raw_bytes += entry.key.size() + entry.value.size();
    ASSERT_NEAR(static_cast<double>(builder.file_bytes()), static_cast<double>(raw_bytes),
                0.1 * static_cast<double>(raw_bytes) + 100);
  }
  const std::uint64_t before = builder.file_bytes();
  const TableProperties properties = builder.finish().value();
  EXPECT_NEAR(static_cast<double>(before), static_cast<double>(properties.data_bytes), 100);
  EXPECT_LT(files[kTablePath].writes, properties.file_bytes / (200 * 1024) + 2);
}

TEST(Table, TheBuilderReportsThatADiskIsFull) {
  const auto entries = [] {
    std::vector<OwnedEntry> many;
    for (int i = 100000; i != 110000; ++i)
      many.push_back(value_entry("key" + std::to_string(i), Bytes(100, 'v')));
    return many;
  }();
  for (std::uint64_t writes = 0;; ++writes) {
    MemoryFiles files;
    auto file = files.create(kTablePath).value();
    files[kTablePath].writes_until_refusal = writes;
    TableBuilder builder{std::move(file), {.table_number = kTableNumber}};
    Status status;
    for (std::size_t i = 0; i != entries.size() && status; ++i) status = builder.add(entries[i].view());
    if (status) {
      const auto finished = builder.finish();
      if (finished) {
        EXPECT_GT(writes, 3U);
        break;
      }
      status = finished.error();
    }
    EXPECT_EQ(status.error().kind, ErrorKind::no_space);
  }
}

TEST(Table, ProbeNeverLoads) {
  MemoryFiles files;
  std::vector<OwnedEntry> entries;
  for (int i = 1000; i != 3000; i += 2) {
    entries.push_back(i % 10 == 0 ? tombstone_entry("key" + std::to_string(i))
                                  : value_entry("key" + std::to_string(i), "v"));
  }
  ASSERT_TRUE(write_table(files, entries));
  BlockCache cache{1 << 20};
  const auto table = open_table(files, cache);
  const std::uint64_t reads = files[kTablePath].reads;
  const auto absent_by_filter = [&](int i) {
    return table->probe(HashedKey{"key" + std::to_string(i)}) == Presence::absent;
  };
  std::vector<int> passed;
  for (int i = 1001; i < 3000; i += 2) {
    if (!absent_by_filter(i)) passed.push_back(i);
  }
  EXPECT_LT(passed.size(), 40U);
  EXPECT_EQ(table->probe(HashedKey{"key1002"}), Presence::unknown);
  EXPECT_EQ(files[kTablePath].reads, reads);
  ReadContext context;
  ASSERT_TRUE(find_with_loads(*table, "key1002", context).value());
  EXPECT_EQ(table->probe(HashedKey{"key1002"}), Presence::value);
  EXPECT_EQ(table->probe(HashedKey{"key1010"}), Presence::tombstone);
  EXPECT_EQ(cache.stats().hits + cache.stats().misses, 2U);  // probes are not counted
  // Without a filter only the block can tell.
  ASSERT_TRUE(write_table(files, entries, {.filter_bits_per_key = 0}));
  const auto plain = open_table(files, cache);
  EXPECT_EQ(plain->probe(HashedKey{"key1001"}), Presence::unknown);
  context.clear();
  ASSERT_TRUE(find_with_loads(*plain, "key1002", context).value());
  EXPECT_EQ(plain->probe(HashedKey{"key1001"}), Presence::absent);
}

TEST(Table, ResidentBytesCountFilterAndIndex) {
  MemoryFiles files;
  std::vector<OwnedEntry> entries;
  for (int i = 100000; i != 140000; ++i)
    entries.push_back(value_entry("key" + std::to_string(i), Bytes(100, 'v')));
  ASSERT_TRUE(write_table(files, entries));
  BlockCache cache{1 << 20};
  const auto table = open_table(files, cache);
  const double filter_bytes = 40000 * 10.0 / 8;
  // Keys that share their first eight bytes: 24 bytes per fence, a text of nine or less, and a
  // slot for the block.
  const double index_bytes = static_cast<double>(table->properties().block_count) * (24 + 9 + 8);
  EXPECT_NEAR(static_cast<double>(table->resident_bytes()), filter_bytes + index_bytes, 4096);
}

TEST(Table, TheScannerReadsInLargePiecesPastTheCacheAndDropsThem) {
  MemoryFiles files;
  std::vector<OwnedEntry> entries;
  for (int i = 100000; i != 120000; ++i)
    entries.push_back(value_entry("key" + std::to_string(i), Bytes(100, 'v')));
  ASSERT_TRUE(write_table(files, entries));
  BlockCache cache{1 << 30};
  const auto table = open_table(files, cache);
  const std::uint64_t reads = files[kTablePath].reads;
  expect_scans(table, entries, TableScanner::kReadBytes);
  const std::uint64_t data_bytes = table->properties().data_bytes;
  EXPECT_LE(files[kTablePath].reads - reads, data_bytes / (500 * 1024) + 1);
  EXPECT_EQ(files[kTablePath].dropped_bytes, data_bytes);
  EXPECT_EQ(cache.stats().blocks, 0U);
}

TEST(Table, ManyThreadsReadAtOnce) {
  SHALE_TRACE_SEED;
  std::mt19937_64 random{test_seed()};
  const auto entries = random_entries(random, 2000);
  MemoryFiles files;
  ASSERT_TRUE(write_table(files, entries, {.compression = Compression::lz4}));
  BlockCache cache{32 * 1024};
  const auto table = open_table(files, cache);
  std::vector<std::thread> threads;
  for (std::uint64_t thread = 0; thread != 4; ++thread) {
    threads.emplace_back([&, thread] {
      std::mt19937_64 choice{test_seed() + thread};
      for (int i = 0; i != 2000; ++i) {
        const OwnedEntry& entry = entries[choice() % entries.size()];
        ReadContext context;
        const auto found = find_with_loads(*table, entry.key, context).value();
        ASSERT_TRUE(found);
        ASSERT_EQ(found->value, entry.value);
        if (i % 100 == 0) table->drop_cached_blocks();
        if (i % 500 == 0) expect_scans(table, entries, 20000);
        if (i % 500 == 1) expect_walks(table, entries);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace shale::engine::lsm
