#include "src/commands/expiry_times.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "src/value.h"

namespace shale::server {
namespace {

constexpr std::int64_t kNow = 1'700'000'000'000;
constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

TEST(ExpiryTimes, AreUnixMilliseconds) {
  EXPECT_EQ(expiry_at(10, kSecondsFromNow, kNow), kNow + 10'000);
  EXPECT_EQ(expiry_at(10, kMillisecondsFromNow, kNow), kNow + 10);
  EXPECT_EQ(expiry_at(10, kUnixSeconds, kNow), 10'000);
  EXPECT_EQ(expiry_at(10, kUnixMilliseconds, kNow), 10);
  EXPECT_EQ(expiry_at(-10, kSecondsFromNow, kNow), kNow - 10'000);
}

TEST(ExpiryTimes, ThatDoNotFitAreNone) {
  EXPECT_EQ(expiry_at(kMax / 1000 + 1, kUnixSeconds, kNow), std::nullopt);
  EXPECT_EQ(expiry_at(kMax / 1000, kSecondsFromNow, kNow), std::nullopt);
  EXPECT_EQ(expiry_at(kMax, kMillisecondsFromNow, kNow), std::nullopt);
  EXPECT_EQ(expiry_at(kMax, kUnixMilliseconds, kNow), kMax);
  EXPECT_EQ(expiry_at(std::numeric_limits<std::int64_t>::min(), kSecondsFromNow, kNow), std::nullopt);
}

struct Taken {
  bool all = false;  // no argument was left or refused
  std::optional<std::int64_t> time;
  std::string_view error;
};

Taken take(std::vector<std::string_view> words) {
  Arguments arguments(words, 0);
  ExpiryOption option("KEEPTTL");
  while (option.take(arguments)) {
  }
  Taken taken{.all = arguments.empty(), .time = {}, .error = {}};
  taken.time = option.time(arguments, kNow);
  taken.error = arguments.error();
  return taken;
}

TEST(ExpiryOption, OneKindExcludesTheOthers) {
  EXPECT_TRUE(take({"EX", "1"}).all);
  EXPECT_TRUE(take({"ex", "1", "EX", "2"}).all);  // as in Redis, the last counts
  EXPECT_EQ(take({"ex", "1", "EX", "2"}).time, kNow + 2000);
  EXPECT_TRUE(take({"KEEPTTL", "keepttl"}).all);
  EXPECT_FALSE(take({"EX", "1", "PX", "2"}).all);
  EXPECT_FALSE(take({"EX", "1", "EXAT", "2"}).all);
  EXPECT_FALSE(take({"EX", "1", "KEEPTTL"}).all);
  EXPECT_FALSE(take({"KEEPTTL", "EX", "1"}).all);
  EXPECT_FALSE(take({"EX"}).all);
}

TEST(ExpiryOption, TakesPositiveIntegersOnly) {
  EXPECT_EQ(take({}).time, kNoExpiry);
  EXPECT_EQ(take({"EX", "0"}).time, std::nullopt);
  EXPECT_EQ(take({"EX", "-1"}).time, std::nullopt);
  EXPECT_EQ(take({"EX", "0"}).error, "");
  EXPECT_EQ(take({"EX", "ten"}).error, kNotAnInteger);
}

}  // namespace
}  // namespace shale::server
