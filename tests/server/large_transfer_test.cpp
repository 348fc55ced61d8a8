// Large values between a connection and their files: arguments that come in, replies that go out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "engine/large/large_value_store.h"
#include "src/large_argument.h"
#include "src/large_replies.h"
#include "tests/server/temporary_store.h"

namespace shale::server {
namespace {

std::string patterned(std::size_t bytes) {
  std::string value(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) value[i] = static_cast<char>((i * 7 + i / 251) & 0xff);
  return value;
}

class LargeTransfer : public TemporaryStoreTest {
 protected:
  LargeTransfer() { open(); }

  std::shared_ptr<engine::LargeValue> stored(const std::string& value) {
    staged_ = store().large_values().stage(value.size());
    EXPECT_TRUE(staged_->append(value));
    EXPECT_TRUE(staged_->finish("key"));
    auto found = store().large_values().find(staged_->reference().id);
    EXPECT_TRUE(found->open());
    return found;
  }
  ~LargeTransfer() override { staged_.reset(); }

  std::shared_ptr<engine::StagedLargeValue> staged_;
};

// Receives `bytes`, as far as there is room; returns how many that were.
std::size_t receive(LargeArgument& argument, std::string_view bytes, bool memory_is_short) {
  const auto room = argument.room(memory_is_short);
  const std::size_t count = std::min(room.size(), bytes.size());
  if (count != 0) std::memcpy(room.data(), bytes.data(), count);
  argument.commit(count);
  return count;
}

TEST_F(LargeTransfer, AnArgumentIsWrittenBlockByBlock) {
  const std::string value = patterned(3 * LargeArgument::kBlockBytes + 10);
  LargeArgument argument{2, store().large_values().stage(value.size())};
  argument.begin_with(std::string_view{value}.substr(0, 100));
  std::size_t received = 100;
  for (int blocks_waiting = 0; !argument.all_written();) {
    received += receive(argument, std::string_view{value}.substr(received), false);
    EXPECT_LE(argument.memory_bytes(), 2 * LargeArgument::kBlockBytes);
    if (auto block = argument.take_block(false)) {
      EXPECT_FALSE(argument.take_block(false)) << "one is being written";
      received += receive(argument, std::string_view{value}.substr(received), false);
      block->write(*argument.value());
      argument.written();
      ++blocks_waiting;
      ASSERT_LE(blocks_waiting, 10);
    }
  }
  ASSERT_TRUE(argument.value()->finish("key"));
  staged_ = argument.value();
  const auto found = store().large_values().find(staged_->reference().id);
  ASSERT_TRUE(found->open());
  std::string all;
  for (std::uint64_t number = 0; number < 4; ++number) {
    all += LargeReplies::Read{found, number}.run().value();
  }
  EXPECT_TRUE(all == value);
}

TEST_F(LargeTransfer, WhenMemoryIsShortWhatHasArrivedIsWrittenAtOnce) {
  LargeArgument argument{2, store().large_values().stage(1'000'000)};
  ASSERT_EQ(receive(argument, std::string(1000, 'x'), true), 1000u);
  EXPECT_EQ(argument.memory_bytes(), LargeArgument::kSmallBlockBytes);
  EXPECT_FALSE(argument.take_block(false));
  const auto block = argument.take_block(true);
  ASSERT_TRUE(block);
  EXPECT_TRUE(argument.room(true).empty()) << "one block at a time";
  argument.written();
  EXPECT_FALSE(argument.room(true).empty());
}

// Sends all that is ready, `most` bytes at a time.
std::string send_all(LargeReplies& replies, std::size_t most) {
  std::string sent;
  while (!replies.empty()) {
    if (replies.ready().empty()) {
      auto read = replies.begin_read();
      EXPECT_FALSE(replies.begin_read()) << "it is being read";
      replies.loaded(read->run().value());
    }
    const std::string_view part = replies.ready().substr(0, most);
    sent += part;
    replies.sent(part.size());
    if (sent.size() % 5 == 0) replies.drop_chunk();
  }
  return sent;
}

TEST_F(LargeTransfer, RangesAreSentAsTheyAre) {
  const std::string value = patterned(2 * engine::kLargeChunkBytes + 100);
  const auto found = stored(value);
  LargeReplies replies;
  replies.add({{10, found, 0, value.size()},
               {20, found, engine::kLargeChunkBytes - 3, 6},
               {20, found, value.size() - 1, 1}});
  EXPECT_EQ(replies.offset(), 10u);
  EXPECT_TRUE(send_all(replies, 100'003) ==
              value + value.substr(engine::kLargeChunkBytes - 3, 6) + value.back());
  EXPECT_EQ(replies.memory_bytes(), std::string{}.capacity());
}

TEST_F(LargeTransfer, RepliesThatAreTakenBackAreForgotten) {
  const auto found = stored(patterned(100));
  LargeReplies replies;
  replies.add({{10, found, 0, 100}, {30, found, 0, 100}, {50, found, 0, 100}});
  replies.cut(30);
  replies.shift(10);
  EXPECT_EQ(replies.offset(), 0u);
  EXPECT_EQ(send_all(replies, 7), patterned(100));
}

}  // namespace
}  // namespace shale::server
