#include "engine/lsm/value_reference.h"

#include <gtest/gtest.h>

#include "engine/lsm/table_format.h"
#include "engine/lsm/table_scanner.h"
#include "engine/lsm/value_file_format.h"
#include "tests/engine/lsm/table_test_support.h"

// GCC 12 takes the memory behind a short string's bytes for ours.
#pragma GCC diagnostic ignored "-Warray-bounds"
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#pragma GCC diagnostic ignored "-Wstringop-overread"

namespace shale::engine::lsm {
namespace {

Bytes encoded(const ValueReference& reference) {
  Bytes bytes;
  reference.append_to(bytes);
  return bytes;
}

OwnedEntry separated_entry(BytesView key, BytesView value, std::uint64_t file, std::uint64_t offset,
                           std::int8_t balance = 1) {
  return {Bytes{key}, encoded(ValueReference::to(value, file, offset)), {EntryType::value, balance, true}};
}

TEST(ValueReference, SurvivesEncodingWithTheBeginningOfTheValue) {
  const Bytes long_value(5000, 'x');
  for (const BytesView value :
       {BytesView{}, BytesView{"short"}, BytesView{"exactly 16 bytes"}, BytesView{long_value}}) {
    const ValueReference reference = ValueReference::to(value, 300, 1ULL << 40);
    EXPECT_EQ(reference.head, value.substr(0, 16));
    const Bytes bytes = encoded(reference);
    EXPECT_LE(bytes.size(), ValueReference::kEncodedBytesMax);
    EXPECT_EQ(ValueReference::decode(bytes), reference);
  }
}

TEST(ValueReference, BytesOnDisk) {
  const Bytes value = "0123456789abcdefghi";
  EXPECT_EQ(encoded(ValueReference::to(value, 9, 300)), Bytes("\x09\xac\x02\x13") + "0123456789abcdef");
}

TEST(ValueReference, NothingShorterOrLongerIsOne) {
  const Bytes bytes = encoded(ValueReference::to(Bytes(5000, 'x'), 300, 70000));
  for (std::size_t length = 0; length != bytes.size(); ++length) {
    EXPECT_EQ(ValueReference::decode(BytesView{bytes}.substr(0, length)), std::nullopt) << length;
  }
  EXPECT_EQ(ValueReference::decode(bytes + 'x'), std::nullopt);
}

TEST(ValueReference, TheHeadOfAnEntryIsTheValuesWhereverItIs) {
  const OwnedEntry inline_entry = value_entry("k", "a value in the table");
  EXPECT_EQ(value_head(inline_entry.view()), "a value in the table");
  const OwnedEntry separated = separated_entry("k", "a value in a value file", 1, 32);
  EXPECT_EQ(value_head(separated.view()), "a value in a val");
}

TEST(EntryTag, EveryTagSurvivesEncodingAndNothingElseIsValid) {
  std::set<std::uint8_t> valid;
  for (const EntryType type : {EntryType::value, EntryType::tombstone}) {
    for (const std::int8_t balance : {-1, 0, 1}) {
      for (const bool separated : {false, true}) {
        if (separated && type == EntryType::tombstone) continue;
        const EntryTag tag{type, balance, separated};
        EXPECT_EQ(EntryTag::decode(tag.encode()), tag);
        valid.insert(tag.encode());
      }
    }
  }
  EXPECT_EQ(valid.size(), 9U);
  for (unsigned byte = 0; byte != 256; ++byte) {
    const auto tag = static_cast<std::uint8_t>(byte);
    EXPECT_EQ(EntryTag::is_valid(tag), valid.contains(tag)) << byte;
  }
}

TEST(TableWithReferences, SaysWhatItRefersToAndReadsThemBack) {
  const std::vector<OwnedEntry> entries{
      separated_entry("a", Bytes(5000, 'x'), 12, 32), value_entry("b", "in the table"),
      separated_entry("c", Bytes(7000, 'y'), 4, 32, 0), separated_entry("d", Bytes(6000, 'z'), 12, 5050)};
  MemoryFiles files;
  const auto written = write_table(files, entries).value();
  EXPECT_EQ(written.format_version, kTableFormatWithValueFiles);
  const std::vector<ValueFileUse> uses{{4, 1, value_record_bytes(1, 7000)},
                                       {12, 2, value_record_bytes(1, 5000) + value_record_bytes(1, 6000)}};
  EXPECT_EQ(written.value_files, uses);

  BlockCache cache{1 << 20};
  const auto table = Table::open(files, kTablePath, kTableNumber, cache).value();
  EXPECT_EQ(table->properties(), written);
  TableScanner scanner{table};
  ASSERT_TRUE(scanner.seek_first());
  for (const OwnedEntry& entry : entries) {
    ASSERT_TRUE(scanner.valid());
    EXPECT_EQ(scanner.entry().key, entry.key);
    EXPECT_EQ(scanner.entry().value, entry.value);
    EXPECT_EQ(scanner.entry().tag, entry.tag);
    ASSERT_TRUE(scanner.next());
  }
}

TEST(TableWithReferences, OnlyItIsInTheNewFormat) {
  MemoryFiles files;
  EXPECT_EQ(write_table(files, {value_entry("b", "in the table")}).value().format_version,
            kTableFormatWithoutValueFiles);
}

// A block is checked once and then believed, so an entry that is said to be a reference has to be one.
TEST(TableWithReferences, ABlockWithAReferenceThatIsNoneIsRefused) {
  const OwnedEntry sound = separated_entry("a", Bytes(5000, 'x'), 12, 32);
  for (const bool is_sound : {true, false}) {
    BlockBuilder builder;
    Entry entry = sound.view();
    if (!is_sound) entry.value.remove_suffix(1);
    builder.add(entry);
    const Bytes bytes = Bytes{builder.arrays()}.append(builder.entries());
    EXPECT_EQ(BlockView::parse(bytes).has_value(), is_sound);
  }
}

}  // namespace
}  // namespace shale::engine::lsm
