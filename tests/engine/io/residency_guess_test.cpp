#include "engine/io/residency_guess.h"

#include <gtest/gtest.h>

#include <random>

#include "engine/testing/test_seed.h"

namespace shale::engine {
namespace {

// A file of which `missing_percent` is not in memory, read through a guess.
struct Reads {
  int asked = 0;
  int missed = 0;  // looked for and not found
  int used = 0;
};

Reads read_often(ResidencyGuess& guess, int missing_percent, bool can_ask, std::mt19937_64& random) {
  Reads reads;
  for (int i = 0; i != 100'000; ++i) {
    const bool is_resident = static_cast<int>(random() % 100) >= missing_percent;
    const auto ask = [&]() -> std::optional<bool> {
      ++reads.asked;
      if (!can_ask) return std::nullopt;
      return is_resident;
    };
    if (!guess.is_worth_looking(ask)) continue;
    is_resident ? ++reads.used : ++reads.missed;
    if (!is_resident) guess.note_miss();
  }
  return reads;
}

TEST(ResidencyGuess, DoesNotAskAboutAFileThatIsInMemory) {
  std::mt19937_64 random{test_seed()};
  ResidencyGuess guess;
  const Reads reads = read_often(guess, 0, true, random);
  EXPECT_EQ(reads.asked, static_cast<int>(ResidencyGuess::kCautious));
  EXPECT_EQ(reads.used, 100'000);
}

TEST(ResidencyGuess, SeldomLooksInVainWhereMuchIsMissing) {
  SCOPED_TRACE(test_seed());
  std::mt19937_64 random{test_seed()};
  for (const int percent : {10, 50, 90}) {
    ResidencyGuess guess;
    const Reads reads = read_often(guess, percent, true, random);
    EXPECT_LT(reads.missed, 100) << percent;
    EXPECT_NEAR(reads.used, 1000 * (100 - percent), 2000) << percent;
  }
}

TEST(ResidencyGuess, WithoutAnswersLooksNowAndThen) {
  SCOPED_TRACE(test_seed());
  std::mt19937_64 random{test_seed()};
  ResidencyGuess missing;
  EXPECT_NEAR(read_often(missing, 100, false, random).missed, 100'000 / (ResidencyGuess::kCautious + 1), 2);
  ResidencyGuess resident;
  EXPECT_EQ(read_often(resident, 0, false, random).used,
            100'000 - static_cast<int>(ResidencyGuess::kCautious));
}

}  // namespace
}  // namespace shale::engine
