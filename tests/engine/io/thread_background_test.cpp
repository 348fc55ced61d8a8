#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <mutex>
#include <vector>

#include "engine/io/background.h"

namespace shale::engine {
namespace {

using testing::ElementsAre;

// Blocks a background thread until it is opened.
class Gate {
 public:
  std::function<void()> work() {
    return [this] {
      entered_.set_value();
      opened_.get_future().wait();
    };
  }
  void wait_until_entered() { entered_.get_future().wait(); }
  void open() { opened_.set_value(); }

 private:
  std::promise<void> entered_;
  std::promise<void> opened_;
};

TEST(ThreadBackground, RunsLowerPrioritiesFirstAndEachInOrder) {
  auto background = make_thread_background(0, 1);
  Gate gate;
  background->submit(Priority::flush, gate.work());
  gate.wait_until_entered();
  std::vector<int> order;  // of one thread
  std::promise<void> finished;
  background->submit(Priority::deep_compaction, [&] {
    order.push_back(6);
    finished.set_value();
  });
  background->submit(Priority::shallow_compaction, [&] { order.push_back(4); });
  background->submit(Priority::flush, [&] { order.push_back(2); });
  background->submit(Priority::shallow_compaction, [&] { order.push_back(5); });
  background->submit(Priority::flush, [&] { order.push_back(3); });
  background->submit(Priority::client_read, [&] { order.push_back(1); });
  gate.open();
  finished.get_future().wait();
  background->stop();  // the work refers to what is about to go
  EXPECT_THAT(order, ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(ThreadBackground, DeepCompactionsLeaveOneThreadForTheRest) {
  auto background = make_thread_background(1, 2);
  Gate deep;
  background->submit(Priority::deep_compaction, deep.work());
  deep.wait_until_entered();
  std::promise<void> second_deep;
  background->submit(Priority::deep_compaction, [&] { second_deep.set_value(); });
  for (const Priority priority : {Priority::flush, Priority::shallow_compaction, Priority::client_read}) {
    const auto ran = std::make_shared<std::promise<void>>();
    background->submit(priority, [ran] { ran->set_value(); });
    ran->get_future().wait();
  }
  auto second_ran = second_deep.get_future();
  EXPECT_EQ(second_ran.wait_for(std::chrono::milliseconds{1}), std::future_status::timeout);
  deep.open();
  second_ran.wait();
  background->stop();  // the work refers to what is about to go
}

TEST(ThreadBackground, ReadsDoNotWaitForWork) {
  auto background = make_thread_background(1, 1);
  Gate work;
  background->submit(Priority::flush, work.work());
  work.wait_until_entered();
  std::promise<void> read;
  background->submit(Priority::client_read, [&] { read.set_value(); });
  read.get_future().wait();
  work.open();
  background->stop();  // the work refers to what is about to go
}

TEST(ThreadBackground, StopWaitsForWhatRunsAndDropsTheRest) {
  auto background = make_thread_background(1, 1);
  Gate gate;
  bool ran = false;
  bool dropped_ran = false;
  auto owned = std::make_shared<int>(1);
  background->submit(Priority::flush, gate.work());
  gate.wait_until_entered();
  background->submit(Priority::flush, [&dropped_ran, owned] { dropped_ran = true; });
  auto stopped = std::async(std::launch::async, [&] {
    background->stop();
    ran = true;
  });
  while (owned.use_count() > 1) std::this_thread::yield();  // the queue is dropped first
  EXPECT_EQ(stopped.wait_for(std::chrono::milliseconds{1}), std::future_status::timeout);
  gate.open();
  stopped.wait();
  background->stop();
  background->submit(Priority::client_read, [&dropped_ran] { dropped_ran = true; });
  EXPECT_TRUE(ran);
  EXPECT_FALSE(dropped_ran);
}

TEST(SystemClock, GoesForward) {
  const auto clock = make_system_clock();
  const auto before = clock->now();
  EXPECT_GE(clock->now(), before);
  EXPECT_GT(clock->unix_ms(), 1'600'000'000'000);
}

}  // namespace
}  // namespace shale::engine
