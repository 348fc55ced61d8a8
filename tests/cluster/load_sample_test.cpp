#include "cluster/load_sample.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "engine/testing/test_seed.h"

namespace shale::cluster {
namespace {

constexpr int kAccesses = 64 * 200;

engine::Bytes key(std::uint64_t number) { return fmt::format("{:04}", number); }

TEST(LoadSample, SaysNothingAfterFewAccesses) {
  LoadSample sample;
  for (int i = 0; i < 64 * 20; ++i) sample.note(key(static_cast<std::uint64_t>(i)), 1);
  EXPECT_FALSE(sample.middle());
}

TEST(LoadSample, HalvesAnEvenLoad) {
  std::mt19937_64 random{engine::test_seed()};
  LoadSample sample;
  for (int i = 0; i < kAccesses; ++i) sample.note(key(random() % 1000), 1);
  const auto middle = sample.middle();
  ASSERT_TRUE(middle);
  EXPECT_GT(*middle, key(250));
  EXPECT_LT(*middle, key(750));
}

TEST(LoadSample, FollowsWhereTheLoadGoes) {
  std::mt19937_64 random{engine::test_seed()};
  LoadSample sample;
  for (int i = 0; i < kAccesses; ++i) sample.note(key(random() % 500), 1);
  for (int i = 0; i < kAccesses; ++i) sample.note(key(5000 + random() % 1000), 1);
  const auto middle = sample.middle();
  ASSERT_TRUE(middle);
  EXPECT_GT(*middle, key(5000));
}

TEST(LoadSample, DoesNotHalveOneHotKey) {
  std::mt19937_64 random{engine::test_seed()};
  LoadSample sample;
  for (int i = 0; i < kAccesses; ++i) sample.note(random() % 10 < 9 ? key(500) : key(random() % 1000), 1);
  EXPECT_FALSE(sample.middle());
}

TEST(LoadSample, CutsBehindTheFirstOfTwoHotKeys) {
  LoadSample sample;
  std::mt19937_64 random{engine::test_seed()};
  for (int i = 0; i < kAccesses; ++i) sample.note(random() % 2 == 0 ? key(1) : key(2), 1);
  EXPECT_EQ(sample.middle(), key(2));
}

// A tenth of the accesses are to the upper half of the keys, and cost nine tenths of all.
TEST(LoadSample, HalvesTheCostAndNotTheAccesses) {
  std::mt19937_64 random{engine::test_seed()};
  LoadSample sample;
  for (int i = 0; i < kAccesses; ++i) {
    const bool dear = random() % 10 == 0;
    sample.note(key(random() % 500 + (dear ? 500 : 0)), dear ? 81 : 1);
  }
  const auto middle = sample.middle();
  ASSERT_TRUE(middle);
  EXPECT_GT(*middle, key(550));
  EXPECT_LT(*middle, key(950));
}

TEST(LoadSample, OneAccessIsNotTheLoadHoweverMuchItCosts) {
  std::mt19937_64 random{engine::test_seed()};
  LoadSample sample;
  for (int i = 0; i < kAccesses; ++i) sample.note(key(random() % 1000), 1);
  sample.note(key(1500), std::uint64_t{1} << 40);
  for (int i = 0; i < 640; ++i) sample.note(key(random() % 1000), 1);
  const auto middle = sample.middle();
  ASSERT_TRUE(middle);
  EXPECT_LT(*middle, key(800));
}

TEST(LoadSample, KeepsTheBeginningOfLongKeys) {
  const engine::Bytes end(4096, 'x');
  LoadSample sample;
  for (int i = 0; i < kAccesses; ++i) sample.note(key(static_cast<std::uint64_t>(i)) + end, 1);
  const auto middle = sample.middle();
  ASSERT_TRUE(middle);
  EXPECT_LT(middle->size(), 200u);
}

TEST(LoadSample, TellsShapesApart) {
  std::mt19937_64 random{engine::test_seed()};
  LoadSample few, even, one_key, two_keys, upwards, downwards, mixed;
  for (std::uint64_t i = 0; i < kAccesses; ++i) {
    if (i < 64 * 20) few.note(key(i), 1);
    even.note(key(random() % 1000), 1);
    one_key.note(random() % 10 < 9 ? key(500) : key(random() % 1000), 1);
    two_keys.note(key(random() % 2), 1);
    upwards.note(fmt::format("{:08}", i + random() % 50), 1);  // several writers, not quite in step
    downwards.note(fmt::format("{:08}", 2 * kAccesses - i), 1);
    mixed.note(random() % 2 == 0 ? fmt::format("{:08}", i) : fmt::format("{:08}", random() % kAccesses), 1);
  }
  EXPECT_EQ(few.shape(), LoadShape::too_little);
  EXPECT_EQ(even.shape(), LoadShape::halves);
  EXPECT_EQ(one_key.shape(), LoadShape::one_key);
  EXPECT_EQ(two_keys.shape(), LoadShape::halves);
  EXPECT_EQ(upwards.shape(), LoadShape::one_direction);
  EXPECT_EQ(downwards.shape(), LoadShape::one_direction);
  EXPECT_EQ(mixed.shape(), LoadShape::halves);
  EXPECT_GT(*upwards.front(), fmt::format("{:08}", kAccesses - 200));
  EXPECT_FALSE(LoadSample{}.front());
}

}  // namespace
}  // namespace shale::cluster
