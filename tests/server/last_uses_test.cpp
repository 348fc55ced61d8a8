#include "src/last_uses.h"

#include <gtest/gtest.h>

namespace shale::server {
namespace {

constexpr std::uint64_t kPlaces = 4096;
constexpr std::uint64_t kMemory = kPlaces * sizeof(std::uint32_t) * 1024;

TEST(LastUses, KeepTheNewestOfEachPlace) {
  LastUses uses{kMemory};
  EXPECT_EQ(uses.last(1), 0);
  uses.note(1, 1000);
  uses.note(2, 1001);
  EXPECT_EQ(uses.last(1), 1000);
  EXPECT_EQ(uses.last(2), 1001);
  uses.note(1, 1002);
  EXPECT_EQ(uses.last(1), 1002);
}

TEST(LastUses, KeysOfOnePlaceShareTheirLastUse) {
  LastUses uses{kMemory};
  uses.note(7, 1000);
  uses.note(7 + kPlaces, 2000);
  EXPECT_EQ(uses.last(7), 2000);
  EXPECT_EQ(uses.last(7 + kPlaces / 2), 0);
}

TEST(LastUses, TakeFourMebibytesAtMostAndOnePlaceAtLeast) {
  LastUses ample{1ull << 40};
  ample.note(0, 1000);
  EXPECT_EQ(ample.last(1u << 19), 0);
  EXPECT_EQ(ample.last(1u << 20), 1000);
  LastUses least{0};
  least.note(0, 1000);
  EXPECT_EQ(least.last(12345), 1000);
}

}  // namespace
}  // namespace shale::server
