// The checker is checked: what is linearizable passes, and what is not is found.
#include "tests/integration/register_history.h"

#include <gtest/gtest.h>

#include <random>

namespace shale::integration {
namespace {

using Kind = RegisterOperation::Kind;

RegisterOperation read(std::uint64_t seen, std::int64_t called, std::int64_t returned) {
  return {Kind::read, 0, seen, called, returned};
}
RegisterOperation write(std::uint64_t written, std::int64_t called,
                        std::int64_t returned = RegisterOperation::kNever) {
  return {Kind::write, written, 0, called, returned};
}
RegisterOperation swap(std::uint64_t written, std::uint64_t seen, std::int64_t called,
                       std::int64_t returned) {
  return {Kind::swap, written, seen, called, returned};
}
bool linearizable(std::vector<RegisterOperation> operations) {
  return RegisterHistory{std::move(operations)}.is_linearizable();
}

TEST(RegisterHistory, TakesWhatAnOrderExplains) {
  EXPECT_TRUE(linearizable({}));
  EXPECT_TRUE(linearizable({read(0, 1, 2), write(7, 3, 4), read(7, 5, 6)}));
  // While a write is going on, either value may be seen, in the order in which it happens.
  EXPECT_TRUE(linearizable({write(7, 1, 10), read(0, 2, 3), read(7, 4, 5)}));
  // Two at once: the later call may be the earlier write.
  EXPECT_TRUE(linearizable({write(1, 1, 10), write(2, 2, 9), read(1, 11, 12)}));
  EXPECT_TRUE(linearizable({write(1, 1, 10), write(2, 2, 9), read(2, 11, 12)}));
  EXPECT_TRUE(linearizable({write(1, 1, 2), swap(2, 1, 3, 10), swap(3, 2, 4, 9), read(3, 11, 12)}));
  // Nobody knows whether a write that never returned took effect, or when.
  EXPECT_TRUE(linearizable({write(1, 1), read(0, 2, 3), read(0, 4, 5)}));
  EXPECT_TRUE(linearizable({write(1, 1), read(0, 2, 3), read(1, 100, 101)}));
}

TEST(RegisterHistory, FindsWhatNoOrderExplains) {
  EXPECT_FALSE(linearizable({write(7, 1, 2), read(0, 3, 4)}));                  // lost
  EXPECT_FALSE(linearizable({write(1, 1, 2), write(2, 3, 4), read(1, 5, 6)}));  // stale
  EXPECT_FALSE(linearizable({read(5, 1, 2)}));                                  // never written
  EXPECT_FALSE(linearizable({read(7, 1, 2), write(7, 3, 4)}));                  // from the future
  EXPECT_FALSE(linearizable({write(7, 1, 10), read(7, 2, 3), read(0, 4, 5)}));  // back again
  EXPECT_FALSE(linearizable({swap(1, 0, 1, 4), swap(2, 0, 2, 3)}));             // both were first
  EXPECT_FALSE(linearizable({write(1, 1), read(1, 2, 3), read(0, 4, 5)}));      // undone
}

// A register that is right, with many clients: every history is linearizable; one with a stale read is not.
TEST(RegisterHistory, AgreesWithARegisterOnLongHistories) {
  std::mt19937_64 random{7};
  for (int round = 0; round < 20; ++round) {
    std::vector<RegisterOperation> operations;
    std::uint64_t value = 0;
    std::uint64_t next = 1;
    for (std::int64_t moment = 100; moment < 10000; moment += 10) {
      RegisterOperation operation;
      operation.kind = static_cast<Kind>(random() % 3);
      operation.called = moment - static_cast<std::int64_t>(random() % 40);  // several at once
      operation.returned = moment + static_cast<std::int64_t>(random() % 40);
      operation.seen = operation.kind == Kind::write ? 0 : value;
      if (operation.kind != Kind::read) value = operation.written = next++;
      operations.push_back(operation);
    }
    EXPECT_TRUE(linearizable(operations));
    const auto stale = std::ranges::find_if(operations, [](const auto& operation) {
      return operation.called > 5000 && operation.kind != Kind::write;
    });
    stale->seen = 1;
    EXPECT_FALSE(linearizable(operations));
  }
}

}  // namespace
}  // namespace shale::integration
