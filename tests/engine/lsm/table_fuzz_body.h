// What the fuzzer and its seeded twin do with bytes from anywhere: take them for a table, checksums
// unchecked, and read it in every way. Whatever is wrong must come out as an Error; what is read must be in
// order.
#pragma once

#include <cstdint>
#include <cstdlib>

#include "engine/lsm/table_cursor.h"
#include "engine/lsm/table_format.h"
#include "engine/lsm/table_scanner.h"
#include "engine/lsm/value_reference.h"
#include "tests/engine/lsm/table_test_support.h"

namespace shale::engine::lsm {

inline void require(bool condition) {
  if (!condition) std::abort();
}

// A table whose parts a fuzzer can reach: several blocks, groups, tombstones, a reference, a filter.
inline Bytes fuzz_table(Compression compression) {
  std::vector<OwnedEntry> entries{value_entry("", "v"), value_entry("a", Bytes(300, 'a'))};
  for (int i = 10; i != 40; ++i) entries.push_back(value_entry("user:" + std::to_string(i), Bytes(20, 'v')));
  entries.push_back(tombstone_entry("x"));
  entries.push_back({"y", {}, {EntryType::value, 1, true}});
  ValueReference::to("a value in a value file", 9, 32).append_to(entries.back().value);
  MemoryFiles files;
  write_table(files, entries, {.block_bytes = 256, .compression = compression, .filter_bits_per_key = 4})
      .value();
  return files[kTablePath].bytes;
}

inline void read_in_every_way(const std::shared_ptr<Table>& table) {
  constexpr std::uint64_t kEntriesMax = 100000;  // a block of a few bytes may claim no more than it has
  Bytes last;
  std::uint64_t count = 0;
  {
    TableScanner scanner{table, 4096};
    Status status = scanner.seek_first();
    for (; status && scanner.valid(); status = scanner.next()) {
      static_cast<void>(value_head(scanner.entry()));  // a reference that was read is one
      last.assign(scanner.entry().key);
      require(++count < kEntriesMax);
    }
  }
  const auto run = [&](auto move) {
    ReadContext context;
    for (int round = 0; round != 100; ++round) {
      TableCursor cursor{*table, {}, context, 1024};
      const Status status = move(cursor);
      if (status || status.error().kind != ErrorKind::not_resident) return;
      run_all(context);
    }
  };
  run([](TableCursor& cursor) {
    Status status = cursor.seek({});
    while (status && cursor.valid()) status = cursor.next();
    return status;
  });
  run([](TableCursor& cursor) {
    Status status = cursor.seek_last();
    while (status && cursor.valid()) status = cursor.previous();
    return status;
  });
  for (const BytesView key : {BytesView{}, BytesView{"a"}, BytesView{"user:17"}, BytesView{"user:177"},
                              BytesView{"x"}, BytesView{"\xff\xff"}, BytesView{last}}) {
    ReadContext context;
    const auto found = find_with_loads(*table, key, context);
    require(!found || !*found || (**found).key == key);
    table->probe(HashedKey{key});
    run([&](TableCursor& cursor) { return cursor.seek(key); });
    run([&](TableCursor& cursor) { return cursor.seek_before(key); });
    TableScanner scanner{table, 1};
    static_cast<void>(scanner.seek(key).has_value());
  }
}

inline void read_as_table(Bytes bytes) {
  // The number is no defence against damage: take the file's own.
  std::uint64_t number = kTableNumber;
  if (bytes.size() >= TableFooter::kEncodedBytes) {
    TableFooter footer;
    const char* const at = bytes.data() + bytes.size() - TableFooter::kEncodedBytes;
    decode_footer(std::span<const char, TableFooter::kEncodedBytes>{at, TableFooter::kEncodedBytes}, false,
                  footer);
    if (footer.table_number != 0) number = footer.table_number;
  }
  MemoryFiles files;
  files.put(kTablePath, std::move(bytes));
  BlockCache cache{1 << 16};
  const auto table = Table::open(files, kTablePath, number, cache, Table::Checksums::skip);
  if (table) read_in_every_way(*table);
}

// The first byte says whether the rest is a table itself, or edits of a sound one: four bytes each, where
// (u16), how, and the byte that is put there.
inline void fuzz_table_once(BytesView input) {
  static const Bytes kSound[] = {fuzz_table(Compression::none), fuzz_table(Compression::lz4),
                                 fuzz_table(Compression::zstd)};
  if (input.empty()) return;
  const auto mode = static_cast<unsigned char>(input.front());
  input.remove_prefix(1);
  if (mode % 4 == 3) return read_as_table(Bytes{input});
  Bytes bytes = kSound[mode % 4];
  for (; input.size() >= 4; input.remove_prefix(4)) {
    std::uint16_t place = 0;
    std::memcpy(&place, input.data(), sizeof place);
    // Counted from the end, where the fuzzer then finds index and properties in the same places.
    const std::size_t at = bytes.size() - 1 - place % bytes.size();
    switch (static_cast<unsigned char>(input[2]) % 8) {
      case 0: bytes.resize(at + 1); break;
      case 1: bytes.insert(at, 1, input[3]); break;
      case 2: bytes.erase(at, 1); break;
      case 3: bytes[at] = static_cast<char>(bytes[at] ^ (1 << (input[3] & 7))); break;
      default: bytes[at] = input[3]; break;
    }
    if (bytes.empty()) return;
  }
  read_as_table(std::move(bytes));
}

}  // namespace shale::engine::lsm
