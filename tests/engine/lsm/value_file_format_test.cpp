// The bytes of a small value file, as docs/formats.md explains them. If this fails, the format has changed:
// give it a new version, and keep reading this one.
#include "engine/lsm/value_file_format.h"

#include <gtest/gtest.h>

#include "tests/engine/lsm/value_test_support.h"

// GCC 12 takes the memory behind a short string's bytes for ours.
#pragma GCC diagnostic ignored "-Warray-bounds"
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#pragma GCC diagnostic ignored "-Wstringop-overread"

namespace shale::engine::lsm {
namespace {

// clang-format off
constexpr std::string_view kGolden =
    // 0: header of file 9
    "5348414c4556414c 01000000 00000000 0900000000000000 530248b998fa3746"
    // 32: "user:1" = "one"
    "8a776ca2971e3bb7 06 03 757365723a31 6f6e65"
    // 51: "z" = 130 times "v"
    "822c82d5be042ac5 01 8201 7a"
    "7676767676767676767676767676767676767676767676767676"
    "7676767676767676767676767676767676767676767676767676"
    "7676767676767676767676767676767676767676767676767676"
    "7676767676767676767676767676767676767676767676767676"
    "7676767676767676767676767676767676767676767676767676"
    // 193: footer: 2 records, 161 bytes
    "0200000000000000 a100000000000000 cc2b505587e83416 5348414c56414c0a";
// clang-format on

std::vector<WrittenValue> golden_values() { return {{"user:1", "one", {}}, {"z", Bytes(130, 'v'), {}}}; }

TEST(ValueFileFormat, BytesOnDisk) {
  MemoryFiles files;
  std::vector<WrittenValue> values = golden_values();
  ASSERT_TRUE(write_values(files, values));
  EXPECT_EQ(files[kValuePath].bytes, from_hex(kGolden));
}

TEST(ValueFileFormat, TheseBytesAreStillRead) {
  MemoryFiles files;
  files.put(kValuePath, from_hex(kGolden));
  BlockCache cache{1 << 20};
  const auto file = ValueFile::open(files, kValuePath, kValueFileNumber, cache).value();
  EXPECT_EQ(file->record_count(), 2U);
  std::uint64_t offset = 32;
  for (const WrittenValue& written : golden_values()) {
    const ValueReference reference = ValueReference::to(written.value, kValueFileNumber, offset);
    EXPECT_EQ(file->read(written.key, reference).value().value, written.value);
    offset += value_record_bytes(written.key.size(), written.value.size());
  }
  EXPECT_TRUE(verify_value_file(file));
}

TEST(ValueFileFormat, ARecordIsAsLongAsComputed) {
  for (const std::uint64_t key_bytes : {0U, 1U, 127U, 128U, 16'383U, 16'384U}) {
    for (const std::uint64_t value_bytes : {0U, 127U, 128U, 4096U, 2'097'152U}) {
      Bytes lengths;
      append_varint(lengths, key_bytes);
      append_varint(lengths, value_bytes);
      EXPECT_EQ(value_record_bytes(key_bytes, value_bytes), 8 + lengths.size() + key_bytes + value_bytes);
    }
  }
}

}  // namespace
}  // namespace shale::engine::lsm
