#include "src/scan_cursor.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace shale::server {
namespace {

constexpr cluster::Placement kRing{cluster::Sharding::ring};
constexpr std::uint64_t kToken = 0x123456789abcdef0;
constexpr std::uint32_t kCoarse = 0x12345678;

TEST(ScanCursors, BetweenCoarsePlacesNothingIsRemembered) {
  ScanCursors cursors(kRing, 0);
  const std::uint64_t cursor = cursors.cursor(0, {kToken, "key"}, kCoarse - 1);
  EXPECT_NE(cursor, 0u);
  EXPECT_EQ(cursors.size(), 0u);
  EXPECT_EQ(cursors.place(0, cursor), (ScanPlace{std::uint64_t{kCoarse} << 32, ""}));
}

TEST(ScanCursors, WithinOneTheExactPlaceIsRemembered) {
  ScanCursors cursors(kRing, 0);
  const ScanPlace place{kToken, "key:5000"};
  const std::uint64_t cursor = cursors.cursor(3, place, kCoarse);
  EXPECT_EQ(cursors.size(), 1u);
  EXPECT_EQ(cursors.place(3, cursor), place);
  EXPECT_EQ(cursors.place(3, cursor), place);  // a client may ask twice
}

TEST(ScanCursors, StayBelowTwoToThe53) {
  ScanCursors cursors(kRing, std::numeric_limits<std::uint32_t>::max());
  constexpr std::uint64_t kTokenMax = std::numeric_limits<std::uint64_t>::max();
  EXPECT_LT(cursors.cursor(0, {kTokenMax, "k"}, 0xffffffff), std::uint64_t{1} << 53);
}

TEST(ScanCursors, AtTheFirstTokensAreNotMistakenForTheEnd) {
  ScanCursors cursors(kRing, 0);
  EXPECT_NE(cursors.cursor(0, {0, "k"}, 0), 0u);
}

TEST(ScanCursors, AnEntryOfAnotherDatabaseOrPlaceIsNotUsed) {
  ScanCursors cursors(kRing, 0);
  const std::uint64_t cursor = cursors.cursor(3, {kToken, "key"}, kCoarse);
  EXPECT_EQ(cursors.place(4, cursor), (ScanPlace{std::uint64_t{kCoarse} << 32, ""}));
  const std::uint64_t elsewhere = cursor + (std::uint64_t{1} << 21);
  EXPECT_EQ(cursors.place(3, elsewhere), (ScanPlace{std::uint64_t{kCoarse + 1} << 32, ""}));
}

// Then keys come twice; none is missed.
TEST(ScanCursors, AnEntryThatIsGoneFallsBackToTheCoarsePlace) {
  ScanCursors cursors(kRing, 0);
  const std::uint64_t forgotten = cursors.cursor(0, {kToken, "first"}, kCoarse);
  const std::uint64_t kept = cursors.cursor(0, {kToken, "second"}, kCoarse);
  EXPECT_EQ(cursors.place(0, forgotten), (ScanPlace{kToken, "first"}));
  for (std::size_t i = 0; i < ScanCursors::kPlacesMax - 1; ++i)
    cursors.cursor(0, {kToken, std::to_string(i)}, kCoarse);
  EXPECT_EQ(cursors.size(), ScanCursors::kPlacesMax);
  EXPECT_EQ(cursors.place(0, forgotten), (ScanPlace{std::uint64_t{kCoarse} << 32, ""}));
  EXPECT_EQ(cursors.place(0, kept), (ScanPlace{kToken, "second"}));
}

TEST(ScanCursors, LongKeysHaveLessPlaces) {
  ScanCursors cursors(kRing, 0);
  std::uint64_t newest = 0;
  for (int i = 0; i < 100; ++i) {
    newest = cursors.cursor(0, {kToken, std::string(100'000, 'k') + std::to_string(i)}, kCoarse);
  }
  EXPECT_EQ(cursors.size(), ScanCursors::kKeyBytesMax / 100'000);
  const std::string beyond(2 * ScanCursors::kKeyBytesMax, 'l');
  newest = cursors.cursor(0, {kToken, beyond}, kCoarse);
  EXPECT_EQ(cursors.size(), 1u);
  EXPECT_EQ(cursors.place(0, newest), (ScanPlace{kToken, beyond}));
  cursors.cursor(0, {kToken, "short"}, kCoarse);
  EXPECT_EQ(cursors.place(0, newest), (ScanPlace{std::uint64_t{kCoarse} << 32, ""}));
}

// A scan that is in no hurry keeps its place while another goes through a large tag.
TEST(ScanCursors, AFastScanDoesNotPushOutASlowOne) {
  ScanCursors cursors(kRing, 0);
  const std::uint64_t slow = cursors.cursor(0, {kToken, "slow"}, kCoarse);
  std::uint64_t fast = cursors.cursor(0, {kToken, "fast"}, kCoarse);
  for (std::size_t i = 0; i < 3 * ScanCursors::kPlacesMax; ++i) {
    cursors.place(0, fast);
    fast = cursors.cursor(0, {kToken, std::to_string(i)}, kCoarse);
  }
  EXPECT_EQ(cursors.size(), ScanCursors::kPlacesMax);
  EXPECT_EQ(cursors.place(0, slow), (ScanPlace{kToken, "slow"}));
}

TEST(ScanCursors, NoEntryIsGivenTwiceAtATime) {
  ScanCursors cursors(kRing, 0);
  const std::uint64_t first = cursors.cursor(0, {kToken, "first"}, kCoarse);
  std::uint64_t last = cursors.cursor(0, {kToken, "second"}, kCoarse);
  for (std::uint32_t i = 0; i < (1u << 21) + 10; ++i) {  // once round
    cursors.place(0, last);
    last = cursors.cursor(0, {kToken, "last"}, kCoarse);
    ASSERT_NE(last, first);
  }
  EXPECT_EQ(cursors.place(0, last), (ScanPlace{kToken, "last"}));
}

TEST(ScanCursors, OfKeyRangesSayHowTheNextKeyBegins) {
  const cluster::Placement range{cluster::Sharding::range};
  ScanCursors cursors(range, 0);
  const auto coarse_of = [&](engine::BytesView key) { return coarse_place(range, 0, key); };
  const std::uint64_t cursor = cursors.cursor(0, {0, "user:7"}, coarse_of("upper"));
  EXPECT_EQ(cursors.size(), 0u);
  EXPECT_EQ(cursors.place(0, cursor), (ScanPlace{0, "user"}));
  const std::uint64_t within = cursors.cursor(0, {0, "user:8"}, coarse_of("user:7"));
  EXPECT_EQ(cursors.place(0, within), (ScanPlace{0, "user:8"}));
  const std::uint64_t short_key = cursors.cursor(0, {0, "b"}, coarse_of("a\xff"));
  EXPECT_EQ(cursors.place(0, short_key), (ScanPlace{0, "b"}));  // not "b\0\0\0", which is behind it
  EXPECT_LT(cursors.cursor(0, {0, "\xff\xff\xff\xff\xff"}, 0xffffffff), std::uint64_t{1} << 53);
}

TEST(ScanCursors, AnyNumberIsACursor) {
  ScanCursors cursors(kRing, 0);
  EXPECT_EQ(cursors.place(0, 0), ScanPlace{});
  cursors.place(0, std::numeric_limits<std::uint64_t>::max());
}

}  // namespace
}  // namespace shale::server
