#include "src/pubsub/push_queue.h"

#include <gtest/gtest.h>

namespace shale::server {
namespace {

constexpr std::size_t kNoLimit = 1u << 20;

SharedPush push_of(std::string text) { return std::make_shared<const Push>(Push{std::move(text)}); }

void add(PushQueue& queue, std::string text, std::size_t output_bytes,
         protocol::Version version = protocol::Version::resp3) {
  queue.add(push_of(std::move(text)), output_bytes, version);
}

std::string take(PushQueue& queue, std::size_t offset, std::size_t bytes_max = kNoLimit) {
  std::string chunk;
  queue.copy_to(chunk, offset, bytes_max);
  queue.sent(chunk.size());
  return chunk;
}

TEST(PushQueue, GivesAPushWhenTheRepliesBeforeItHaveBeenSent) {
  PushQueue queue;
  add(queue, ">a", 0);
  add(queue, ">b", 10);
  add(queue, ">c", 10);
  add(queue, ">d", 25);
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
  add(queue, ">0123456789", 0);
  add(queue, ">next", 0);
  EXPECT_EQ(take(queue, 0, 4), ">012");
  EXPECT_EQ(queue.bytes(), 12u);
  EXPECT_EQ(take(queue, 0, 4), "3456");
  EXPECT_EQ(take(queue, 0, 6), "789>ne");
  EXPECT_EQ(take(queue, 0), "xt");
}

TEST(PushQueue, SaysItInTheProtocolThatTheClientSpokeWhenItCame) {
  PushQueue queue;
  add(queue, ">2>", 0, protocol::Version::resp2);
  add(queue, "+line", 0, protocol::Version::resp2);
  add(queue, ">3", 0, protocol::Version::resp3);
  add(queue, ">4", 0, protocol::Version::resp2);
  EXPECT_EQ(take(queue, 0, 2), "*2");
  EXPECT_EQ(take(queue, 0), ">+line>3*4");
}

TEST(PushQueue, KeepsItsPlacesWhenTheOutputMoves) {
  PushQueue queue;
  add(queue, ">a", 100);
  queue.shift(60);
  EXPECT_EQ(queue.offset(), 40u);
  add(queue, ">b", 50);
  queue.cut(45);
  EXPECT_EQ(take(queue, 40), ">a");
  EXPECT_EQ(queue.offset(), 45u);
}

TEST(PushQueue, HoldsNoMoreMemoryThanItNeeds) {
  PushQueue queue;
  for (int number = 0; number < 10000; ++number) add(queue, ">x", 0);
  EXPECT_GT(queue.memory_bytes(), 10000u * sizeof(SharedPush));
  while (!queue.empty()) take(queue, 0, 64);
  EXPECT_LT(queue.memory_bytes(), 10000u);
}

}  // namespace
}  // namespace shale::server
