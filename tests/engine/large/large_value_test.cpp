#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/large/large_composition.h"
#include "engine/large/large_value_store.h"
#include "engine/testing/manual_background.h"
#include "engine/testing/manual_clock.h"
#include "engine/testing/simulated_disk.h"

namespace shale::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Bytes that differ from place to place.
Bytes patterned(std::size_t bytes, unsigned seed) {
  Bytes value(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) value[i] = static_cast<char>((i * 31 + i / 257 + seed) & 0xff);
  return value;
}

class LargeValueTest : public testing::Test {
 protected:
  LargeValueTest() {
    EXPECT_TRUE(disk_.create_folder("/data"));
    reopen();
  }

  void reopen() {
    values_.reset();
    auto opened = LargeValueStore::open(disk_, background_, clock_, "/data/large", {});
    ASSERT_TRUE(opened) << opened.error().message;
    values_ = std::move(*opened);
  }
  std::vector<std::string> files() {
    background_.run_all();
    auto names = disk_.list("/data/large");
    return names ? *names : std::vector<std::string>{};
  }
  std::shared_ptr<StagedLargeValue> staged(BytesView bytes, BytesView key) {
    auto value = values_->stage(bytes.size());
    EXPECT_TRUE(value->append(bytes));
    EXPECT_TRUE(value->finish(key));
    return value;
  }
  Bytes contents(std::uint64_t id) {
    const auto value = values_->find(id);
    const auto opened = value->open();
    EXPECT_TRUE(opened) << opened.error().message;
    if (!opened) return {};
    Bytes all;
    for (std::uint64_t number = 0; number < value->trailer().chunk_checksums.size(); ++number) {
      Bytes chunk(value->chunk_bytes(number), '\0');
      const auto read = value->read_chunk(number, chunk);
      EXPECT_TRUE(read) << read.error().message;
      all += chunk;
    }
    return all;
  }
  Status remove_dead() {
    return values_->remove_dead([this](Lsn lsn) {
      durable_asked_ = lsn;
      return Status{};
    });
  }
  std::string path(std::uint64_t id) { return "/data/large/" + LargeValueStore::file_name(id); }

  SimulatedDisk disk_{1};
  ManualBackground background_;
  ManualClock clock_;
  std::unique_ptr<LargeValueStore> values_;
  Lsn durable_asked_ = 0;
};

TEST_F(LargeValueTest, ReadsBackWhatWasAppendedInPartsOfAnySize) {
  const Bytes value = patterned(3 * kLargeChunkBytes + 1000, 7);
  auto written = values_->stage(value.size());
  std::size_t offset = 0;
  for (const std::size_t part : {std::size_t{1}, std::size_t{kLargeChunkBytes}, std::size_t{5000}}) {
    ASSERT_TRUE(written->append(BytesView{value}.substr(offset, part)));
    offset += part;
  }
  ASSERT_TRUE(written->append(BytesView{value}.substr(offset)));
  EXPECT_FALSE(written->is_finished_for("key"));
  ASSERT_TRUE(written->finish("key"));
  EXPECT_TRUE(written->is_finished_for("key"));
  const LargeValueReference reference = written->reference();
  EXPECT_EQ(contents(reference.id), value);
  const auto found = values_->find(reference.id);
  ASSERT_TRUE(found->open());
  EXPECT_EQ(found->trailer().key, "key");
  EXPECT_TRUE(found->check(reference));
  LargeValueReference other = reference;
  ++other.checksum;
  EXPECT_THAT(found->check(other).error().message, HasSubstr("is not the large value"));
  EXPECT_TRUE(verify_large_value(*found));
}

TEST_F(LargeValueTest, SurvivesACrashOnceFinished) {
  const Bytes value = patterned(kLargeChunkBytes + 1, 1);
  const auto id = staged(value, "key")->reference().id;
  disk_.crash(Unsynced::lost);
  reopen();
  EXPECT_EQ(contents(id), value);
}

TEST_F(LargeValueTest, WhatWasBeingWrittenGoesAtTheNextStart) {
  const auto killed = std::move(values_);  // outlives what it has staged
  const auto written = killed->stage(100'000);
  ASSERT_TRUE(written->append(Bytes(50'000, 'x')));
  EXPECT_EQ(files().size(), 1U);
  disk_.process_kill();
  reopen();
  EXPECT_THAT(files(), IsEmpty());
}

TEST_F(LargeValueTest, WhatIsNotCommittedGoesWithItsObject) {
  auto whole = staged(patterned(1000, 1), "a");
  auto half = values_->stage(1000);
  ASSERT_TRUE(half->append("half"));
  EXPECT_EQ(files().size(), 2U);
  whole.reset();
  half.reset();
  EXPECT_THAT(files(), IsEmpty());
}

TEST_F(LargeValueTest, AReplacedValueGoesWhenTheLogIsDurableAndNobodyReadsIt) {
  const HashedKey key{"key"};
  const auto first = staged(patterned(1000, 1), key.bytes);
  EXPECT_FALSE(values_->may_own(key.hash));
  values_->commit(*first, key);
  EXPECT_TRUE(values_->may_own(key.hash));
  auto reader = values_->find(first->reference().id);
  const auto second = staged(patterned(1000, 2), key.bytes);
  values_->release(key, {}, 17);
  values_->commit(*second, key);
  ASSERT_TRUE(remove_dead());
  EXPECT_EQ(files().size(), 2U) << "it is being read";
  reader.reset();
  ASSERT_TRUE(remove_dead());
  EXPECT_EQ(durable_asked_, 17U);
  EXPECT_THAT(files(), ElementsAre(LargeValueStore::file_name(second->reference().id)));
  // A new header before the same value.
  values_->release(key, second->reference().id, 18);
  values_->release(HashedKey{"other"}, {}, 19);
  ASSERT_TRUE(remove_dead());
  EXPECT_EQ(files().size(), 1U);
  values_->release(key, {}, 20);
  EXPECT_FALSE(values_->may_own(key.hash));
  ASSERT_TRUE(remove_dead());
  EXPECT_THAT(files(), IsEmpty());
  EXPECT_EQ(values_->stats().files, 0U);
}

TEST_F(LargeValueTest, StaysIfTheLogCannotBeMadeDurable) {
  const HashedKey key{"key"};
  const auto value = staged(patterned(1000, 1), key.bytes);
  values_->commit(*value, key);
  values_->release(key, {}, 5);
  const auto removed = values_->remove_dead([](Lsn) { return Status{Error{ErrorKind::stopped, "stopped"}}; });
  EXPECT_FALSE(removed);
  EXPECT_EQ(files().size(), 1U);
}

TEST_F(LargeValueTest, IdsAreNotGivenAgain) {
  const auto id = staged("a", "a")->reference().id;
  clock_.set_unix_ms(1);
  EXPECT_GT(values_->stage(1)->reference().id, id);
  background_.run_all();
  EXPECT_EQ(LargeValueStore::id_of(LargeValueStore::file_name(id)), id);
  EXPECT_EQ(LargeValueStore::id_of("0000000000000001.value.tmp"), std::nullopt);
}

TEST_F(LargeValueTest, NamesFileAndOffsetOfDamage) {
  const Bytes value = patterned(2 * kLargeChunkBytes, 3);
  const auto written = staged(value, "key");
  const auto id = written->reference().id;
  {
    const auto found = values_->find(id);
    ASSERT_TRUE(found->open());
    disk_.flip_bit(path(id), (kLargeChunkBytes + 77) * 8);
    Bytes chunk(kLargeChunkBytes, '\0');
    EXPECT_TRUE(found->read_chunk(0, chunk));
    const auto damaged = found->read_chunk(1, chunk);
    ASSERT_FALSE(damaged);
    EXPECT_EQ(damaged.error().kind, ErrorKind::corruption);
    EXPECT_THAT(damaged.error().message, HasSubstr(path(id) + ": offset 262144"));
    ASSERT_TRUE(found->state());
    EXPECT_FALSE(*found->state()) << "from now on readers hear of it at once";
  }
  // Every bit of the trailer counts.
  const std::uint64_t bytes = disk_.contents(path(id)).size();
  for (std::uint64_t at = 2 * kLargeChunkBytes; at < bytes; ++at) {
    disk_.flip_bit(path(id), at * 8 + at % 8);
    EXPECT_FALSE(values_->find(id)->open()) << at;
    disk_.flip_bit(path(id), at * 8 + at % 8);
  }
  disk_.truncate(path(id), bytes - 1);
  EXPECT_FALSE(values_->find(id)->open());
}

TEST_F(LargeValueTest, AFileUnderAnothersNameIsRefused) {
  const auto first = staged(patterned(100, 1), "a");
  const auto second = staged(patterned(100, 2), "b");
  ASSERT_TRUE(disk_.rename(path(second->reference().id), path(first->reference().id)));
  const auto found = values_->find(first->reference().id);
  EXPECT_THAT(found->open().error().message, HasSubstr("is large value"));
}

TEST_F(LargeValueTest, AFullDiskIsRefusedBeforeItIsFilled) {
  staged("a", "a");
  background_.run_all();
  disk_.set_capacity(100'000);
  const auto written = values_->stage(1'000'000);
  const auto refused = written->append(Bytes(1000, 'x'));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::no_space);
  EXPECT_THAT(refused.error().message, HasSubstr("/data/large"));
  EXPECT_FALSE(written->append("more"));
  EXPECT_FALSE(written->status());
  EXPECT_THAT(files(), IsEmpty());
}

TEST_F(LargeValueTest, WhateverFailsNothingIsLeft) {
  staged("a", "a");
  for (const DiskCall call :
       {DiskCall::create, DiskCall::write, DiskCall::sync, DiskCall::rename, DiskCall::sync_folder}) {
    auto written = values_->stage(1000);
    disk_.fail(call, 1, ErrorKind::no_space);
    const bool done = written->append(Bytes(1000, 'x')).has_value() && written->finish("key").has_value();
    disk_.heal();
    EXPECT_FALSE(done) << static_cast<int>(call);
    EXPECT_FALSE(written->status());
    EXPECT_THAT(files(), IsEmpty()) << static_cast<int>(call);
  }
}

// As docs/formats.md explains them. If this fails, the format has changed: give it a new version, and keep
// reading this one.
TEST_F(LargeValueTest, BytesOnDisk) {
  LargeValueTrailer trailer;
  trailer.id = 9;
  trailer.value_bytes = 3;
  LargeChunkHash hash{9, 0};
  hash.update("one");
  trailer.chunk_checksums = {hash.digest()};
  trailer.key = "user:1";
  Bytes hex;
  for (const char byte : trailer.encode()) hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  EXPECT_EQ(hex,
            "da428a440f1d5266"  // checksum of chunk 0
            "757365723a31"      // user:1
            "01000000"
            "00000400"  // format, bytes of a chunk
            "0900000000000000"
            "0300000000000000"
            "0600000000000000"
            "537a628673e563d5"  // checksum
            "5348414c4c52470a");
  Bytes reference;
  LargeValueReference{1, 2, 3}.append_to(reference);
  EXPECT_EQ(reference, (Bytes{"\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0", 24}));
}

class LargeCompositionTest : public LargeValueTest {
 protected:
  Bytes compose(std::vector<LargePiece> pieces) {
    std::uint64_t bytes = 0;
    for (const LargePiece& piece : pieces) bytes += piece.length;
    LargeComposition composition{pieces, values_->stage(bytes), "key"};
    EXPECT_TRUE(composition.makes(pieces, "key"));
    EXPECT_FALSE(composition.makes(pieces, "other"));
    while (!composition.done()) composition.run();
    EXPECT_TRUE(composition.status());
    EXPECT_TRUE(composition.result()->is_finished_for("key"));
    return contents(composition.result()->reference().id);
  }
};

TEST_F(LargeCompositionTest, PutsPiecesTogether) {
  const Bytes first = patterned(2 * kLargeChunkBytes + 5, 1);
  const Bytes second = patterned(kLargeChunkBytes + 9, 2);
  const auto a = staged(first, "a");
  const auto b = staged(second, "b");
  const auto value_of = [&](const auto& staged, std::uint64_t begin, std::uint64_t length) {
    return LargePiece::of(values_->find(staged->reference().id), staged->reference(), begin, length);
  };
  EXPECT_EQ(compose({value_of(a, 0, first.size()), LargePiece::of("suffix")}), first + "suffix");
  EXPECT_EQ(compose({value_of(a, 3, kLargeChunkBytes), value_of(b, 3, kLargeChunkBytes)}),
            first.substr(3, kLargeChunkBytes) + second.substr(3, kLargeChunkBytes));
  EXPECT_EQ(compose({LargePiece::of("begin"), LargePiece::zeros(kLargeChunkBytes + 1), LargePiece::of(b)}),
            "begin" + Bytes(kLargeChunkBytes + 1, '\0') + second);
  EXPECT_EQ(compose({value_of(a, first.size() - 1, 1), LargePiece::of(""), LargePiece::of("x")}),
            first.substr(first.size() - 1) + "x");
}

TEST_F(LargeCompositionTest, TakesItsTimeInParts) {
  const std::uint64_t bytes = 20U << 20;
  LargeComposition composition{{LargePiece::zeros(bytes)}, values_->stage(bytes), "key"};
  int runs = 0;
  for (; !composition.done(); ++runs) composition.run();
  EXPECT_EQ(runs, 3);
}

TEST_F(LargeCompositionTest, DamageOfAPieceEndsIt) {
  const auto a = staged(patterned(kLargeChunkBytes, 1), "a");
  disk_.flip_bit(path(a->reference().id), 8);
  LargeComposition composition{
      {LargePiece::of(values_->find(a->reference().id), a->reference(), 0, 10)}, values_->stage(10), "key"};
  composition.run();
  ASSERT_TRUE(composition.done());
  ASSERT_FALSE(composition.status());
  EXPECT_EQ(composition.status().error().kind, ErrorKind::corruption);
}

}  // namespace
}  // namespace shale::engine
