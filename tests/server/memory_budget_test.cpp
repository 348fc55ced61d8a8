#include "src/memory_budget.h"

#include <gtest/gtest.h>

namespace shale::server {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kGiB = 1 << 30;

class BudgetOf : public testing::TestWithParam<std::uint64_t> {};
INSTANTIATE_TEST_SUITE_P(Sizes, BudgetOf,
                         testing::Values(32 * kMiB, 33 * kMiB + 7, 64 * kMiB, 128 * kMiB, 512 * kMiB,
                                         3 * kGiB, 64 * kGiB, 1024 * kGiB));

TEST_P(BudgetOf, PartsAddUpToTheWhole) {
  const MemoryBudget budget = divide_memory(GetParam()).value();
  EXPECT_EQ(budget.total, GetParam());
  EXPECT_EQ(budget.memtables + budget.caches + budget.log_maps + budget.connections + budget.overhead,
            budget.total);
}

TEST_P(BudgetOf, EveryPartIsEnoughToWorkWith) {
  const MemoryBudget budget = divide_memory(GetParam()).value();
  EXPECT_GE(budget.memtables, 8 * kMiB);
  EXPECT_GE(budget.caches, 4 * kMiB);
  EXPECT_GE(budget.connections, 3 * kMiB);
  EXPECT_GE(budget.log_segment, 2 * kMiB);
  EXPECT_LE(budget.log_segment, 16 * kMiB);
}

TEST_P(BudgetOf, CachesHaveTheBiggestShareWhereThereIsRoom) {
  const MemoryBudget budget = divide_memory(GetParam()).value();
  if (budget.total < 64 * kMiB) return;  // less is for what must be there
  EXPECT_GE(budget.caches, budget.memtables);
  EXPECT_GE(budget.caches, budget.connections);
  EXPECT_LE(budget.memtables, kGiB);
}

TEST(MemoryBudget, TooLittleIsRefused) {
  EXPECT_FALSE(divide_memory(32 * kMiB - 1));
  EXPECT_FALSE(divide_memory(0));
}

TEST(MemoryBudget, TheOptionIsBytesOrAShareOfWhatThereIs) {
  EXPECT_EQ(resolve_memory(64 << 20, 8 * kGiB), 64 * kMiB);
  EXPECT_EQ(resolve_memory(-25, 8 * kGiB), 8 * kGiB / 100 * 25);
  EXPECT_EQ(resolve_memory(0, 128 * kMiB), 128 * kMiB / 100 * 50);
}

}  // namespace
}  // namespace shale::server
