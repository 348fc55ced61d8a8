#include "engine/lsm/filter.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "tests/engine/lsm/table_test_support.h"

namespace shale::engine::lsm {
namespace {

std::vector<std::uint64_t> hashes_of_numbers(std::uint64_t begin, std::uint64_t end) {
  std::vector<std::uint64_t> hashes;
  for (std::uint64_t number = begin; number != end; ++number)
    hashes.push_back(hash_bytes(std::to_string(number)));
  return hashes;
}

double false_positive_rate(const Filter& filter, std::uint64_t begin, std::uint64_t count) {
  std::uint64_t passed = 0;
  for (const std::uint64_t hash : hashes_of_numbers(begin, begin + count))
    passed += filter.may_contain(hash) ? 1 : 0;
  return static_cast<double>(passed) / static_cast<double>(count);
}

// Keys fall into blocks as by a Poisson distribution; in a block of n keys each probe finds a bit set with
// 1 - (1 - 1/512)^(nk).
double theory(double bits_per_key, double probes) {
  const double mean = 512 / bits_per_key;
  double rate = 0;
  double weight = std::exp(-mean);
  for (int keys = 0; keys < 1000; ++keys) {
    rate += weight * std::pow(1 - std::pow(1 - 1.0 / 512, keys * probes), probes);
    weight *= mean / (keys + 1);
  }
  return rate;
}

TEST(Filter, HasEveryKeyItWasBuiltFrom) {
  const auto hashes = hashes_of_numbers(0, 20000);
  for (const double bits : {0.5, 1.0, 3.3, 10.0, 24.0}) {
    const Filter filter = Filter::build(hashes, bits);
    for (const std::uint64_t hash : hashes) ASSERT_TRUE(filter.may_contain(hash));
    EXPECT_NEAR(static_cast<double>(filter.memory_bytes()), 20000 * bits / 8, 64);
  }
}

TEST(Filter, LetsPassAboutAsManyAbsentKeysAsTheoryAllows) {
  const auto hashes = hashes_of_numbers(0, 200000);
  const auto rate = [&](double bits) {
    return false_positive_rate(Filter::build(hashes, bits), 1000000, 400000);
  };
  EXPECT_NEAR(rate(10), theory(10, 6), 0.05 * theory(10, 6));
  EXPECT_NEAR(rate(5), theory(5, 3), 0.05 * theory(5, 3));
  EXPECT_NEAR(rate(15.5), theory(15.5, 10), 0.25 * theory(15.5, 10));
  EXPECT_LT(theory(10, 6), 0.0097);
}

TEST(Filter, WithoutBitsOrKeysEverythingPasses) {
  EXPECT_TRUE(Filter::build({}, 10).may_contain(1));
  EXPECT_TRUE(Filter::build(hashes_of_numbers(0, 10), 0).may_contain(1));
  EXPECT_EQ(Filter::build(hashes_of_numbers(0, 10), 0).memory_bytes(), 0U);
}

TEST(Filter, ReadsBackAndRefusesOtherLengths) {
  const auto hashes = hashes_of_numbers(0, 1000);
  Bytes encoded;
  Filter::build(hashes, 10).encode(encoded);
  const std::optional<Filter> decoded = Filter::decode(encoded);
  ASSERT_TRUE(decoded);
  for (const std::uint64_t hash : hashes) ASSERT_TRUE(decoded->may_contain(hash));
  EXPECT_LT(false_positive_rate(*decoded, 5000, 10000), 0.02);
  for (std::size_t bytes = 0; bytes != encoded.size(); ++bytes) {
    EXPECT_FALSE(Filter::decode(BytesView{encoded}.substr(0, bytes)));
  }
  EXPECT_FALSE(Filter::decode(encoded + "x"));
}

}  // namespace
}  // namespace shale::engine::lsm
