#include "engine/lsm/compression.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/engine/lsm/table_test_support.h"

namespace shale::engine::lsm {
namespace {

class Compressions : public testing::TestWithParam<Compression> {};
INSTANTIATE_TEST_SUITE_P(All, Compressions, testing::Values(Compression::lz4, Compression::zstd));

TEST_P(Compressions, ReadsBack) {
  for (const std::size_t bytes : {100U, 4096U, 100000U}) {
    Bytes raw;
    while (raw.size() < bytes) raw += "field " + std::to_string(raw.size() / 10);
    Bytes stored;
    ASSERT_TRUE(compress(GetParam(), raw, stored));
    EXPECT_LE(stored.size(), raw.size() - raw.size() / 8);
    EXPECT_LE(raw.size(), raw_bytes_max(GetParam(), stored.size()));
    Bytes back(raw.size(), '\0');
    ASSERT_TRUE(decompress(GetParam(), stored, back.data(), back.size()));
    EXPECT_EQ(back, raw);
    EXPECT_FALSE(decompress(GetParam(), stored, back.data(), back.size() - 1));
    EXPECT_FALSE(decompress(GetParam(), BytesView{stored}.substr(1), back.data(), back.size()));
    Bytes longer(raw.size() + 1, '\0');
    EXPECT_FALSE(decompress(GetParam(), stored, longer.data(), longer.size()));
  }
}

TEST_P(Compressions, TheBoundHoldsForWhatCompressesBest) {
  const Bytes raw(16 << 20, 'a');
  Bytes stored;
  ASSERT_TRUE(compress(GetParam(), raw, stored));
  EXPECT_LE(raw.size(), raw_bytes_max(GetParam(), stored.size()));
}

TEST_P(Compressions, IsLeftOutWhereItSavesLessThanAnEighth) {
  std::mt19937_64 random{1};
  Bytes raw;
  for (int i = 0; i != 4096; ++i) raw.push_back(static_cast<char>(random()));
  Bytes stored;
  EXPECT_FALSE(compress(GetParam(), raw, stored));
  raw.append(400, 'a');  // saves less than an eighth of all
  EXPECT_FALSE(compress(GetParam(), raw, stored));
  raw.append(2000, 'a');
  EXPECT_TRUE(compress(GetParam(), raw, stored));
  EXPECT_FALSE(compress(GetParam(), "", stored));
  EXPECT_FALSE(compress(GetParam(), "abc", stored));
}

}  // namespace
}  // namespace shale::engine::lsm
