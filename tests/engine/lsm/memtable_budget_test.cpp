#include "engine/lsm/memtable_budget.h"

#include <gtest/gtest.h>

#include <optional>

namespace shale::engine::lsm {
namespace {

TEST(MemtableBudget, WantsAFlushWhenActiveMemtablesHaveFilledHalf) {
  MemtableBudget budget{1'000};
  MemtableBudget::Share one{budget};
  MemtableBudget::Share other{budget};
  one.resize(300);
  other.resize(200);
  EXPECT_FALSE(budget.wants_flush());
  other.resize(201);
  EXPECT_TRUE(budget.wants_flush());
  EXPECT_TRUE(budget.is_flushing());
  one.seal();
  EXPECT_FALSE(budget.wants_flush());
  EXPECT_TRUE(budget.is_flushing());  // its memory is still to come back
  EXPECT_EQ(budget.used_bytes(), 501u);
}

TEST(MemtableBudget, GetsBackWhatADestroyedMemtableUsed) {
  MemtableBudget budget{1'000};
  for (const bool sealed : {false, true}) {
    std::optional<MemtableBudget::Share> share{budget};
    share->resize(700);
    if (sealed) share->seal();
    share.reset();
    EXPECT_EQ(budget.used_bytes(), 0u);
    EXPECT_FALSE(budget.wants_flush());
    EXPECT_FALSE(budget.is_flushing());
  }
}

TEST(MemtableBudget, ItsPressureRisesOverTheLastQuarter) {
  MemtableBudget budget{1'000};
  MemtableBudget::Share share{budget};
  share.resize(750);
  EXPECT_EQ(budget.pressure(), 0);
  EXPECT_TRUE(budget.has_room(250));
  EXPECT_FALSE(budget.has_room(251));
  share.resize(875);
  EXPECT_DOUBLE_EQ(budget.pressure(), 0.5);
  share.resize(1'000);
  EXPECT_DOUBLE_EQ(budget.pressure(), 1);
}

}  // namespace
}  // namespace shale::engine::lsm
