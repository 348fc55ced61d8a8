// The history of changes: that it outlives a restart, stays bounded, and that damage is named.
#include "cluster/change_history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/encoding.h"
#include "engine/testing/simulated_disk.h"

namespace shale::cluster {
namespace {

using testing::HasSubstr;

ReshapeEvent event_number(std::uint32_t number) {
  ReshapeEvent event;
  event.kind = ReshapeKind::split;
  event.automatic = true;
  event.shard = ShardId{number};
  event.other = ShardId{number + 1};
  event.to = EngineKind::btree;
  event.cut = Bytes{"cut\0here", 8};
  event.cause = "heat";
  event.unix_ms = 1700000000000;
  event.duration = std::chrono::microseconds{31000};
  event.pause = std::chrono::microseconds{17};
  event.keys = 1000;
  event.keys_moved = 400;
  event.error = "no space";
  event.effect = "leaves of 8 instead of 4 KiB";
  return event;
}

TEST(ChangeHistory, OutlivesARestartAndKeepsTheLastThousand) {
  engine::SimulatedDisk disk;
  ASSERT_TRUE(disk.create_folder("data"));
  {
    ChangeHistory history{disk, "data/history"};
    ASSERT_TRUE(history.load());
    EXPECT_TRUE(history.events().empty());
    for (std::uint32_t i = 0; i < 1003; ++i) ASSERT_TRUE(history.add(event_number(i)));
  }
  ChangeHistory history{disk, "data/history"};
  ASSERT_TRUE(history.load());
  const auto events = history.events();
  ASSERT_EQ(events.size(), ChangeHistory::kEventsMax);
  EXPECT_EQ(events.front().shard, ShardId{3});
  const ReshapeEvent& last = events.back();
  const ReshapeEvent wanted = event_number(1002);
  EXPECT_EQ(last.shard, wanted.shard);
  EXPECT_EQ(last.other, wanted.other);
  EXPECT_TRUE(last.automatic);
  EXPECT_EQ(last.from, wanted.from);
  EXPECT_EQ(last.to, wanted.to);
  EXPECT_EQ(last.cut, wanted.cut);
  EXPECT_EQ(last.cause, wanted.cause);
  EXPECT_EQ(last.unix_ms, wanted.unix_ms);
  EXPECT_EQ(last.duration, wanted.duration);
  EXPECT_EQ(last.pause, wanted.pause);
  EXPECT_EQ(last.keys, wanted.keys);
  EXPECT_EQ(last.keys_moved, wanted.keys_moved);
  EXPECT_EQ(last.error, wanted.error);
  EXPECT_EQ(last.effect, wanted.effect);
}

TEST(ChangeHistory, EveryFlippedByteAndEveryTruncationIsNamed) {
  const Bytes sound = encode_history({event_number(1), event_number(2)});
  ASSERT_TRUE(decode_history(sound, "history"));
  for (std::size_t i = 0; i < sound.size(); ++i) {
    Bytes damaged = sound;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    const auto read = decode_history(damaged, "data/history");
    ASSERT_FALSE(read) << "byte " << i;
    EXPECT_THAT(read.error().message, HasSubstr("data/history"));
    EXPECT_FALSE(decode_history(BytesView{sound}.substr(0, i), "history")) << i << " bytes";
  }
}

TEST(ChangeHistory, ReadsWhatWasWrittenBeforeChangesHadEffects) {
  ReshapeEvent event = event_number(7);
  event.effect.clear();
  Bytes old = encode_history({event});
  constexpr std::size_t kVersionOffset = 8;
  old[kVersionOffset] = 1;
  old.resize(old.size() - 1 - sizeof(std::uint64_t));  // the effect's length, and the checksum
  engine::append_u64(old, engine::hash_bytes(old));
  const auto read = decode_history(old, "history");
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->size(), 1u);
  EXPECT_EQ(read->front().shard, ShardId{7});
  EXPECT_EQ(read->front().error, "no space");
}

}  // namespace
}  // namespace shale::cluster
