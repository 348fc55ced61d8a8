#include "src/working_memory.h"

#include <gtest/gtest.h>

#include <optional>

namespace shale::server {
namespace {

TEST(WorkingMemory, GivesWhatIsLeftAndTakesItBack) {
  WorkingMemory memory{100};
  std::optional<WorkingMemory::Reservation> first = memory.reserve(60);
  ASSERT_TRUE(first);
  EXPECT_FALSE(memory.reserve(41));
  EXPECT_FALSE(memory.reserve(UINT64_MAX));
  const auto second = memory.reserve(40);
  EXPECT_TRUE(second);
  first.reset();
  EXPECT_EQ(memory.bytes(), 40u);
  EXPECT_TRUE(memory.reserve(60));
}

}  // namespace
}  // namespace shale::server
