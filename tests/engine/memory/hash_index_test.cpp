#include "engine/memory/hash_index.h"

#include <gtest/gtest.h>

#include <unordered_map>
#include <vector>

#include "tests/engine/memory/seeded_random.h"

namespace shale::engine {
namespace {

// The references stand for keys here: entry n has the reference n and the hash hash_of(n).
HashIndex::Slot* find(HashIndex& index, std::uint64_t hash, std::uint32_t wanted) {
  return index.find(hash, [&](std::uint32_t reference) { return reference == wanted; });
}

class HashIndexModel : public testing::TestWithParam<std::uint64_t> {};

// The mask leaves few different hashes, or lets all homes lie at the end of the table, where slots wrap
// around.
TEST_P(HashIndexModel, AgreesWithAMapWhileItGrowsAndShrinks) {
  SeededRandom random;
  HashIndex index;
  std::unordered_map<std::uint32_t, std::uint64_t> model;
  std::vector<std::uint32_t> known;
  const std::uint64_t fixed_bits = GetParam();
  const std::uint32_t insert_count = fixed_bits == 0 ? 100'000 : 6000;  // long clusters are slow
  for (std::uint32_t n = 1; n <= insert_count; ++n) {
    if (!model.empty() && random.one_in(3)) {
      const std::size_t victim = random.below(known.size());
      const std::uint32_t reference = known[victim];
      known[victim] = known.back();
      known.pop_back();
      auto* slot = find(index, model.at(reference), reference);
      ASSERT_NE(slot, nullptr);
      index.erase(slot);
      ASSERT_EQ(find(index, model.at(reference), reference), nullptr);
      model.erase(reference);
    }
    const std::uint64_t hash = random.below(~0ull) | fixed_bits;
    ASSERT_EQ(find(index, hash, n), nullptr);
    index.insert(hash, n);
    model.emplace(n, hash);
    known.push_back(n);
    for (int probe = 0; probe < 3; ++probe) {
      const std::uint32_t reference = known[random.below(known.size())];
      ASSERT_NE(find(index, model.at(reference), reference), nullptr) << "after insert " << n;
    }
  }
  EXPECT_EQ(index.entry_count(), model.size());
  for (const auto& [reference, hash] : model) ASSERT_NE(find(index, hash, reference), nullptr);
}

INSTANTIATE_TEST_SUITE_P(Hashes, HashIndexModel,
                         testing::Values(0, 0xffe0'0000'0000'0000, 0xff00'0000'0000'0000,
                                         0x007f'ff00'0000'0000));

TEST(HashIndex, SurvivesHashesThatAreAllEqual) {
  HashIndex index;
  for (std::uint32_t n = 1; n <= 3000; ++n) index.insert(~0ull, n);
  for (std::uint32_t n = 1; n <= 3000; n += 2) index.erase(find(index, ~0ull, n));
  for (std::uint32_t n = 1; n <= 3000; ++n) EXPECT_EQ(find(index, ~0ull, n) != nullptr, n % 2 == 0) << n;
}

TEST(HashIndex, LetsTheReferenceInASlotBeChanged) {
  HashIndex index;
  index.insert(42, 7);
  find(index, 42, 7)->reference = 9;
  EXPECT_EQ(find(index, 42, 7), nullptr);
  EXPECT_NE(find(index, 42, 9), nullptr);
}

TEST(HashIndex, GivesItsMemoryBackWhenCleared) {
  HashIndex index;
  const std::size_t empty_bytes = index.memory_bytes();
  for (std::uint32_t n = 1; n <= 10'000; ++n) index.insert(std::uint64_t{n} << 40, n);
  EXPECT_GT(index.memory_bytes(), empty_bytes);
  index.clear();
  EXPECT_EQ(index.memory_bytes(), empty_bytes);
  EXPECT_EQ(index.entry_count(), 0u);
  EXPECT_EQ(find(index, std::uint64_t{5} << 40, 5), nullptr);
}

}  // namespace
}  // namespace shale::engine
