#include "cluster/hot_keys.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "cluster/access_draw.h"

namespace shale::cluster {
namespace {

using std::chrono::seconds;

constexpr auto kAny = [](engine::BytesView) { return true; };

engine::Bytes key(std::size_t number) { return fmt::format("user:{:06}", number); }

// A sketch, and the time that goes by for it.
class Sketch {
 public:
  Sketch() { keys_.forget(now_); }

  void note(const engine::Bytes& position, Access access = Access::read, unsigned weight = 1) {
    keys_.note(engine::HashedKey{position}, access, weight);
  }
  void pass_a_second() { keys_.advance(now_ += seconds{1}); }
  std::vector<HotKey> hottest(std::size_t count) const { return keys_.hottest(count, now_, kAny); }
  HotKeys& keys() { return keys_; }
  HotKeys::TimePoint now() const { return now_; }

 private:
  HotKeys keys_;
  HotKeys::TimePoint now_{std::chrono::hours{1}};
};

TEST(HotKeys, SayNothingWhereNothingHasBeenAccessed) {
  const Sketch sketch;
  EXPECT_TRUE(sketch.hottest(10).empty());
}

TEST(HotKeys, TellARateOfAnyKey) {
  Sketch sketch;
  const auto rate = [&](const engine::Bytes& position) {
    return sketch.keys().accesses_per_second(engine::HashedKey{position}, sketch.now());
  };
  EXPECT_EQ(rate("hot"), 0);
  for (int second = 0; second < 40; ++second) {
    for (int i = 0; i < 100; ++i) sketch.note("hot", i % 4 == 0 ? Access::write : Access::read);
    sketch.note("cool");
    sketch.pass_a_second();
  }
  EXPECT_NEAR(rate("hot"), 100, 0.1);
  EXPECT_NEAR(rate("cool"), 1, 0.01);
  EXPECT_EQ(rate("none"), 0);
}

TEST(HotKeys, TellRatesReadsAndWritesApart) {
  Sketch sketch;
  for (int second = 0; second < 40; ++second) {
    for (int i = 0; i < 100; ++i) sketch.note("read");
    for (int i = 0; i < 40; ++i) sketch.note("both", i % 4 == 0 ? Access::write : Access::read);
    for (int i = 0; i < 5; ++i) sketch.note("written", Access::write, 4);
    sketch.pass_a_second();
  }
  const auto hot = sketch.hottest(2);
  ASSERT_EQ(hot.size(), 2);
  EXPECT_EQ(hot[0].position, "read");
  EXPECT_NEAR(hot[0].reads_per_second, 100, 0.1);
  EXPECT_EQ(hot[0].writes_per_second, 0);
  EXPECT_NEAR(hot[0].share, 100.0 / 160, 0.001);
  EXPECT_EQ(hot[1].position, "both");
  EXPECT_NEAR(hot[1].reads_per_second, 30, 0.1);
  EXPECT_NEAR(hot[1].writes_per_second, 10, 0.1);
  EXPECT_NEAR(sketch.hottest(3)[2].writes_per_second, 20, 0.1);
}

TEST(HotKeys, RatesAreRightFromTheFirstSecondOn) {
  Sketch sketch;
  for (int i = 0; i < 100; ++i) sketch.note("key");
  sketch.pass_a_second();
  EXPECT_NEAR(sketch.hottest(1)[0].reads_per_second, 100, 0.1);
}

// Ten of a hundred thousand keys, by Zipf's distribution; the seed is always the same.
TEST(HotKeys, FindTheTrueTenHottest) {
  constexpr std::size_t kKeys = 100'000;
  constexpr std::size_t kTop = 10;
  std::vector<double> weights(kKeys);
  for (std::size_t rank = 0; rank < kKeys; ++rank)
    weights[rank] = std::pow(static_cast<double>(rank + 1), -0.99);
  std::discrete_distribution<std::size_t> zipf(weights.begin(), weights.end());
  std::mt19937_64 random{20261123};
  Sketch sketch;
  AccessDraw draw;
  double found = 0;
  constexpr int kChecks = 10;
  for (int second = 0; second < 15 + kChecks; ++second) {
    for (int run = 0; run < 2000; ++run) {
      draw.begin(16);
      for (std::size_t i = 0; i < 16; ++i) {
        const std::size_t rank = zipf(random);
        if (const unsigned weight = draw.weight(i)) sketch.note(key(rank), Access::read, weight);
      }
    }
    sketch.pass_a_second();
    if (second < 15) continue;
    const auto hot = sketch.hottest(kTop);
    for (std::size_t rank = 0; rank < kTop; ++rank) {
      found += std::ranges::count(hot, key(rank), &HotKey::position) != 0 ? 1 : 0;
    }
  }
  EXPECT_GE(found / (kTop * kChecks), 0.95);
}

TEST(HotKeys, AreNoneWhereTheLoadIsEven) {
  std::mt19937_64 random{7};
  Sketch sketch;
  for (int second = 0; second < 30; ++second) {
    for (int i = 0; i < 5000; ++i) sketch.note(key(random() % 200'000));
    sketch.pass_a_second();
  }
  for (const HotKey& hot : sketch.hottest(10)) EXPECT_LT(hot.share, 0.002) << hot.position;
}

TEST(HotKeys, GetInAmongManyOthersWhenTheyComeLate) {
  Sketch sketch;
  std::size_t number = 0;
  for (int second = 0; second < 20; ++second) {
    for (int i = 0; i < 5000; ++i) sketch.note(key(++number));
    sketch.pass_a_second();
  }
  for (int second = 0; second < 3; ++second) {
    for (int i = 0; i < 5000; ++i) {
      sketch.note(key(++number));
      if (i % 25 == 0) sketch.note("late");
    }
    sketch.pass_a_second();
  }
  const auto hot = sketch.hottest(1);
  ASSERT_FALSE(hot.empty());
  EXPECT_EQ(hot[0].position, "late");
}

TEST(HotKeys, AreForgottenAsTimeGoesBy) {
  Sketch sketch;
  for (int i = 0; i < 100'000; ++i) sketch.note("yesterday's");
  sketch.pass_a_second();
  for (int second = 0; second < 60; ++second) {
    for (int i = 0; i < 1000; ++i) sketch.note("today's");
    sketch.pass_a_second();
  }
  EXPECT_EQ(sketch.hottest(1)[0].position, "today's");
  EXPECT_NEAR(sketch.hottest(2)[1].reads_per_second, 0, 100'000 * std::exp(-6));
  for (int second = 0; second < 180; ++second) sketch.pass_a_second();
  EXPECT_TRUE(sketch.hottest(1).empty());
}

TEST(HotKeys, ForgetAtOnceWhenAsked) {
  Sketch sketch;
  sketch.note("key");
  sketch.keys().forget(sketch.now());
  EXPECT_TRUE(sketch.hottest(1).empty());
  sketch.note("another");
  sketch.pass_a_second();
  EXPECT_EQ(sketch.hottest(9).size(), 1);
  EXPECT_NEAR(sketch.hottest(1)[0].share, 1, 1e-6);
}

TEST(HotKeys, KeepOnlyTheBeginningOfLongKeysAndSayHowLongTheyAre) {
  Sketch sketch;
  const engine::Bytes long_key(1u << 20, 'k');
  const engine::Bytes other_key = long_key + "2";
  for (int i = 0; i < 5; ++i) sketch.note(long_key);
  for (int i = 0; i < 3; ++i) sketch.note(other_key);
  const auto hot = sketch.hottest(10);
  ASSERT_EQ(hot.size(), 2);
  EXPECT_FALSE(hot[0].complete());
  EXPECT_EQ(hot[0].position_bytes, 1u << 20);
  EXPECT_EQ(hot[0].position, long_key.substr(0, HotKeys::kBytesKept));
  EXPECT_EQ(hot[1].position_bytes, (1u << 20) + 1);
  EXPECT_LE(HotKeys::kBytes, 64u << 10);
}

TEST(HotKeys, OnlyThoseThatAreWantedAreTold) {
  Sketch sketch;
  for (int i = 0; i < 3; ++i) sketch.note("flushed");
  sketch.note("live");
  const auto hot =
      sketch.keys().hottest(1, sketch.now(), [](engine::BytesView position) { return position == "live"; });
  ASSERT_EQ(hot.size(), 1);
  EXPECT_EQ(hot[0].position, "live");
}

TEST(AccessDraw, GivesEveryKeyOfARunTheSameWeightOnAverage) {
  AccessDraw draw;
  for (const std::size_t keys : {1, 2, 3, 5, 16, 17, 100}) {
    std::vector<double> weights(keys);
    constexpr int kRuns = 20'000;
    std::size_t most_drawn = 0;
    for (int run = 0; run < kRuns; ++run) {
      draw.begin(keys);
      std::size_t drawn = 0;
      for (std::size_t i = 0; i < keys; ++i) {
        weights[i] += draw.weight(i);
        drawn += draw.weight(i) != 0 ? 1 : 0;
      }
      most_drawn = std::max(most_drawn, drawn);
    }
    for (const double weight : weights) EXPECT_NEAR(weight / kRuns, 1, 0.15) << keys;
    EXPECT_LE(most_drawn, keys < 16 ? 2 : (keys + 15) / 16);
  }
}

}  // namespace
}  // namespace shale::cluster
