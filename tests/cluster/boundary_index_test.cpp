#include "cluster/boundary_index.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "engine/testing/test_seed.h"

namespace shale::cluster {
namespace {

using engine::Bytes;

// What count_up_to promises, by std::string's own order: for strings, and for what lies around them.
void expect_right(const std::set<Bytes>& strings, std::vector<Bytes> asked) {
  const std::vector<Bytes> sorted(strings.begin(), strings.end());
  const BoundaryIndex index{sorted};
  for (const Bytes& string : sorted) {
    asked.push_back(string);
    asked.push_back(string + '\0');
    asked.push_back(string + '\xff');
    asked.push_back(string.substr(0, string.size() - 1));
    asked.push_back(string.substr(0, string.size() / 2) + "~");
  }
  for (const Bytes& position : asked) {
    const auto expected = std::ranges::upper_bound(sorted, position) - sorted.begin();
    ASSERT_EQ(static_cast<std::ptrdiff_t>(index.count_up_to(position)), expected)
        << testing::PrintToString(position);
  }
}

TEST(BoundaryIndex, OfNothingCountsNothing) { expect_right({}, {"", "a"}); }

TEST(BoundaryIndex, OfOneString) { expect_right({"one boundary"}, {"", "a", "z"}); }

TEST(BoundaryIndex, KnowsStringsThatDifferInZerosOnly) {
  const Bytes zeros(20, '\0');
  std::set<Bytes> strings;
  for (std::size_t length = 1; length <= zeros.size(); length += length % 3 + 1) {
    strings.insert(zeros.substr(0, length));
    strings.insert("a" + zeros.substr(0, length));
  }
  expect_right(strings, {"", "a", "b", zeros + zeros, "a" + zeros + zeros});
}

TEST(BoundaryIndex, GoesThroughManyLevelsOfSharedBytes) {
  std::set<Bytes> strings;
  for (const char* family : {"order:2024:", "order:2025:", "session:", "user:profile:details:"}) {
    for (int number = 0; number < 300; ++number) strings.insert(fmt::format("{}{:012}", family, number * 7));
  }
  expect_right(strings, {"", "order:", "order:2024", "order:20250", "user:profile:details:9", "zzz"});
}

TEST(BoundaryIndex, AgreesWithASearchForRandomStrings) {
  const std::uint64_t seed = engine::test_seed();
  SCOPED_TRACE(fmt::format("TEST_SEED={}", seed));
  std::mt19937_64 random{seed};
  for (int round = 0; round < 40; ++round) {
    const std::string_view letters = round % 2 == 0 ? std::string_view{"\0a\xff", 3} : "0123456789";
    const auto any = [&] {
      Bytes string(1 + random() % (round % 3 == 0 ? 4 : 30), '\0');
      for (char& c : string) c = letters[random() % (random() % 4 == 0 ? letters.size() : 2)];
      return string;
    };
    std::set<Bytes> strings;
    for (std::size_t i = 0; i < 1 + random() % 500; ++i) strings.insert(any());
    std::vector<Bytes> asked{""};
    for (int i = 0; i < 300; ++i) asked.push_back(any());
    ASSERT_NO_FATAL_FAILURE(expect_right(strings, std::move(asked)));
  }
}

}  // namespace
}  // namespace shale::cluster
