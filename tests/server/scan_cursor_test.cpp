#include "src/scan_cursor.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace shale::server {
namespace {

constexpr std::uint64_t kToken = 0x123456789abcdef0;
constexpr std::uint32_t kCoarse = 0x12345678;

TEST(ScanCursors, BetweenCoarsePlacesNothingIsRemembered) {
  ScanCursors cursors(0);
  const std::uint64_t cursor = cursors.cursor(0, {kToken, "key"}, kCoarse - 1);
  EXPECT_NE(cursor, 0u);
  EXPECT_EQ(cursors.size(), 0u);
  EXPECT_EQ(cursors.place(0, cursor), (ScanPlace{std::uint64_t{kCoarse} << 32, ""}));
}

TEST(ScanCursors, WithinOneTheExactPlaceIsRemembered) {
  ScanCursors cursors(0);
  const ScanPlace place{kToken, "key:5000"};
  const std::uint64_t cursor = cursors.cursor(3, place, kCoarse);
  EXPECT_EQ(cursors.size(), 1u);
  EXPECT_EQ(cursors.place(3, cursor), place);
  EXPECT_EQ(cursors.place(3, cursor), place);  // a client may ask twice
}

TEST(ScanCursors, StayBelowTwoToThe53) {
  ScanCursors cursors(std::numeric_limits<std::uint32_t>::max());
  constexpr std::uint64_t kTokenMax = std::numeric_limits<std::uint64_t>::max();
  EXPECT_LT(cursors.cursor(0, {kTokenMax, "k"}, 0xffffffff), std::uint64_t{1} << 53);
}

TEST(ScanCursors, AtTheFirstTokensAreNotMistakenForTheEnd) {
  ScanCursors cursors(0);
  EXPECT_NE(cursors.cursor(0, {0, "k"}, 0), 0u);
}

TEST(ScanCursors, AnEntryOfAnotherDatabaseOrPlaceIsNotUsed) {
  ScanCursors cursors(0);
  const std::uint64_t cursor = cursors.cursor(3, {kToken, "key"}, kCoarse);
  EXPECT_EQ(cursors.place(4, cursor), (ScanPlace{std::uint64_t{kCoarse} << 32, ""}));
  const std::uint64_t elsewhere = cursor + (std::uint64_t{1} << 21);
  EXPECT_EQ(cursors.place(3, elsewhere), (ScanPlace{std::uint64_t{kCoarse + 1} << 32, ""}));
}

// Then keys come twice; none is missed.
TEST(ScanCursors, AnEntryThatIsGoneFallsBackToTheCoarsePlace) {
  ScanCursors cursors(0);
  const std::uint64_t forgotten = cursors.cursor(0, {kToken, "first"}, kCoarse);
  const std::uint64_t kept = cursors.cursor(0, {kToken, "second"}, kCoarse);
  for (std::size_t i = 0; i < ScanCursors::kPlacesMax - 1; ++i) {
    EXPECT_EQ(cursors.place(0, kept), (ScanPlace{kToken, "second"}));
    cursors.cursor(0, {kToken, std::to_string(i)}, kCoarse);
  }
  EXPECT_EQ(cursors.size(), ScanCursors::kPlacesMax);
  EXPECT_EQ(cursors.place(0, forgotten), (ScanPlace{std::uint64_t{kCoarse} << 32, ""}));
  EXPECT_EQ(cursors.place(0, kept), (ScanPlace{kToken, "second"}));
}

TEST(ScanCursors, AnyNumberIsACursor) {
  ScanCursors cursors(0);
  EXPECT_EQ(cursors.place(0, 0), ScanPlace{});
  cursors.place(0, std::numeric_limits<std::uint64_t>::max());
}

}  // namespace
}  // namespace shale::server
