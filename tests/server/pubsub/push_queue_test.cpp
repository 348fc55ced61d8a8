#include "src/pubsub/push_queue.h"

#include <gtest/gtest.h>

namespace shale::server {
namespace {

constexpr std::size_t kNoLimit = 1u << 20;

SharedPush push_of(std::string text) { return std::make_shared<const Push>(Push{std::move(text)}); }

std::string take(PushQueue& queue, std::size_t offset, std::size_t bytes_max = kNoLimit,
                 protocol::Version version = protocol::Version::resp3) {
  std::string chunk;
  queue.copy_to(chunk, offset, bytes_max, version);
  queue.sent(chunk.size());
  return chunk;
}

TEST(PushQueue, GivesAPushWhenTheRepliesBeforeItHaveBeenSent) {
  PushQueue queue;
  queue.add(push_of(">a"), 0);
  queue.add(push_of(">b"), 10);
  queue.add(push_of(">c"), 10);
  queue.add(push_of(">d"), 25);
  EXPECT_EQ(queue.offset(), 0u);
  EXPECT_EQ(take(queue, 0), ">a");
  EXPECT_EQ(queue.offset(), 10u);
  EXPECT_EQ(take(queue, 9), "");
  EXPECT_EQ(take(queue, 10), ">b>c");
  EXPECT_EQ(queue.count(), 1u);
  EXPECT_EQ(take(queue, 25), ">d");
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.bytes(), 0u);
}

TEST(PushQueue, GivesALongPushInChunks) {
  PushQueue queue;
  queue.add(push_of(">0123456789"), 0);
  queue.add(push_of(">next"), 0);
  EXPECT_EQ(take(queue, 0, 4), ">012");
  EXPECT_EQ(queue.bytes(), 12u);
  EXPECT_EQ(take(queue, 0, 4), "3456");
  EXPECT_EQ(take(queue, 0, 6), "789>ne");
  EXPECT_EQ(take(queue, 0), "xt");
}

TEST(PushQueue, SaysItInTheProtocolOfTheClient) {
  PushQueue queue;
  queue.add(push_of(">2>"), 0);
  queue.add(push_of("+line"), 0);
  queue.add(push_of(">3"), 0);
  EXPECT_EQ(take(queue, 0, 2, protocol::Version::resp2), "*2");
  EXPECT_EQ(take(queue, 0, kNoLimit, protocol::Version::resp2), ">+line*3");
}

TEST(PushQueue, KeepsItsPlacesWhenTheOutputMoves) {
  PushQueue queue;
  queue.add(push_of(">a"), 100);
  queue.shift(60);
  EXPECT_EQ(queue.offset(), 40u);
  queue.add(push_of(">b"), 50);
  queue.cut(45);
  EXPECT_EQ(take(queue, 40), ">a");
  EXPECT_EQ(queue.offset(), 45u);
}

TEST(PushQueue, HoldsNoMoreMemoryThanItNeeds) {
  PushQueue queue;
  for (int number = 0; number < 10000; ++number) queue.add(push_of(">x"), 0);
  EXPECT_GT(queue.memory_bytes(), 10000u * sizeof(SharedPush));
  while (!queue.empty()) take(queue, 0, 64);
  EXPECT_LT(queue.memory_bytes(), 10000u);
}

}  // namespace
}  // namespace shale::server
