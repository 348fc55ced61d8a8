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
  for (int i = 0; i < 64 * 20; ++i) sample.note(key(static_cast<std::uint64_t>(i)));
  EXPECT_FALSE(sample.middle());
}

TEST(LoadSample, HalvesAnEvenLoad) {
  std::mt19937_64 random{engine::test_seed()};
  LoadSample sample;
  for (int i = 0; i < kAccesses; ++i) sample.note(key(random() % 1000));
  const auto middle = sample.middle();
  ASSERT_TRUE(middle);
  EXPECT_GT(*middle, key(250));
  EXPECT_LT(*middle, key(750));
}

TEST(LoadSample, FollowsWhereTheLoadGoes) {
  std::mt19937_64 random{engine::test_seed()};
  LoadSample sample;
  for (int i = 0; i < kAccesses; ++i) sample.note(key(random() % 500));
  for (int i = 0; i < kAccesses; ++i) sample.note(key(5000 + random() % 1000));
  const auto middle = sample.middle();
  ASSERT_TRUE(middle);
  EXPECT_GT(*middle, key(5000));
}

TEST(LoadSample, DoesNotHalveOneHotKey) {
  std::mt19937_64 random{engine::test_seed()};
  LoadSample sample;
  for (int i = 0; i < kAccesses; ++i) sample.note(random() % 10 < 9 ? key(500) : key(random() % 1000));
  EXPECT_FALSE(sample.middle());
}

TEST(LoadSample, CutsBehindTheFirstOfTwoHotKeys) {
  LoadSample sample;
  std::mt19937_64 random{engine::test_seed()};
  for (int i = 0; i < kAccesses; ++i) sample.note(random() % 2 == 0 ? key(1) : key(2));
  EXPECT_EQ(sample.middle(), key(2));
}

TEST(LoadSample, KeepsTheBeginningOfLongKeys) {
  LoadSample sample;
  for (int i = 0; i < kAccesses; ++i)
    sample.note(key(static_cast<std::uint64_t>(i)) + engine::Bytes(1 << 20, 'x').substr(0, 4096));
  const auto middle = sample.middle();
  ASSERT_TRUE(middle);
  EXPECT_LT(middle->size(), 200u);
}

}  // namespace
}  // namespace shale::cluster
