// One run of random operations through all engines and std::map side by side: writes, reads, walks of cursors
// both ways, background work in an order of each engine's own, and crashes that lose what was not persisted,
// which is then applied again. What they answer is compared byte for byte.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/encoding.h"
#include "engine/testing/effort.h"
#include "engine/testing/test_seed.h"
#include "tests/engine/cursor_walk.h"
#include "tests/engine/engine_kinds.h"

namespace shale::engine {
namespace {

struct Write {
  Bytes key;
  std::optional<Bytes> value;  // nothing: an erase
};

// Each length before its bytes, so that different entries never make the same string.
void append_entry(Bytes& to, BytesView key, BytesView value) {
  append_varint(to, key.size());
  to += key;
  append_varint(to, value.size());
  to += value;
}

// One of the engines, with a disk of its own.
class Participant {
 public:
  Participant(const EngineKind& kind, std::uint64_t seed)
      : name_(kind.name), random_(seed), disk_(seed), engine_(kind.make(disk_, policy_)) {}

  const char* name() const { return name_; }
  SimulatedEngine& engine() { return *engine_; }

  void open(const std::vector<Write>& log) {
    const Status opened = engine_->open(random_());
    ASSERT_TRUE(opened) << opened.error().message;
    const Lsn persisted = engine_->persisted_lsn();
    ASSERT_GE(persisted, persisted_) << "what was persisted is gone";
    ASSERT_LE(persisted, log.size());
    for (Lsn lsn = persisted + 1; lsn <= log.size(); ++lsn) apply(log[lsn - 1], lsn);
  }
  void apply(const Write& write, Lsn lsn) {
    const Status applied =
        write.value ? engine_->put(write.key, *write.value, lsn) : engine_->erase(write.key, lsn);
    ASSERT_TRUE(applied) << applied.error().message;
  }
  void work_some() {
    if (random_() % 3 == 0) engine_->begin_flush();
    for (auto pieces = random_() % 24; pieces > 0; --pieces) engine_->run_one();
    if (random_() % 4 == 0) engine_->pass(std::chrono::milliseconds{random_() % 1500});
    persisted_ = engine_->persisted_lsn();
  }
  // The process ends, or the machine does and its disk has lost, kept or torn what was not synced.
  void restart(const std::vector<Write>& log) {
    persisted_ = engine_->persisted_lsn();
    engine_->close();
    if (random_() % 3 != 0) disk_.crash(static_cast<Unsynced>(random_() % 3), random_());
    open(log);
  }
  // All entries as one string.
  void dump(bool forward, Bytes& into) {
    ReadContext context;
    for (Status walked = walk(forward, context, into); !walked; walked = walk(forward, context, into)) {
      ASSERT_EQ(walked.error().kind, ErrorKind::not_resident) << walked.error().message;
      for (const auto& load : context.missing) load->run();
    }
  }
  void expect_sound() {
    engine_->flush();
    ASSERT_TRUE(engine_->settle());
    engine_->close();
    EXPECT_THAT(engine_->verify().problems, testing::IsEmpty()) << name_;
  }

 private:
  Status walk(bool forward, ReadContext& context, Bytes& into) {
    into.clear();
    const auto cursor = engine_->engine().cursor({}, context);
    Status moved = forward ? cursor->seek({}) : cursor->seek_last();
    while (moved && cursor->valid()) {
      const auto value = cursor->value();
      if (!value) return value.error();
      append_entry(into, cursor->key(), *value);
      moved = forward ? cursor->next() : cursor->previous();
    }
    return moved;
  }

  const char* const name_;
  std::mt19937_64 random_;
  const OneClassPolicy policy_;
  SimulatedDisk disk_;
  const std::unique_ptr<SimulatedEngine> engine_;
  Lsn persisted_ = 0;  // as the engine has said
};

class AgreementRun {
 public:
  explicit AgreementRun(std::uint64_t seed) : random_(seed) {
    for (const EngineKind& kind : kEngineKinds)
      participants_.push_back(std::make_unique<Participant>(kind, seed));
  }

  void run(int steps) {
    for_each([&](Participant& participant) { participant.open(log_); });
    for (int step = 0; step < steps && !testing::Test::HasFailure(); ++step) {
      SCOPED_TRACE(fmt::format("step {}", step));
      take_step();
    }
    compare_all();
    for_each([&](Participant& participant) { participant.expect_sound(); });
  }

 private:
  template <class Action>
  void for_each(Action action) {
    for (const auto& participant : participants_) {
      if (testing::Test::HasFailure()) return;
      SCOPED_TRACE(participant->name());
      action(*participant);
    }
  }

  void take_step() {
    const auto kind = random_() % 100;
    if (kind < 55) return write(1 + random_() % 40);
    if (kind < 70) return read(1 + random_() % 30);
    if (kind < 80) return walk();
    if (kind < 94) return for_each([](Participant& participant) { participant.work_some(); });
    if (kind < 97) return for_each([this](Participant& participant) { participant.restart(log_); });
    compare_all();
  }

  // Few enough for most to be there. Some begin others, some have zeros or the largest bytes at their end,
  // some are long and begin alike.
  Bytes any_key() {
    Bytes key = fmt::format("{}{:03}", Bytes(random_() % 3 * 9, 'p'), random_() % 700);
    switch (random_() % 12) {
      case 0: return key.substr(0, random_() % (key.size() + 1));
      case 1: return key + Bytes(1 + random_() % 9, '\0');
      case 2: return key + Bytes(1 + random_() % 9, '\xff');
      case 3: return Bytes(300, 'q') + key;
      default: return key;
    }
  }
  Bytes any_value() {
    constexpr std::size_t kSizes[] = {0, 1, 8, 23, 24, 60, 100, 100, 100, 900, 5000};
    const std::size_t bytes = kSizes[random_() % std::size(kSizes)];
    Bytes value(bytes, static_cast<char>(random_()));
    for (std::size_t i = 0; i < bytes; i += 5) value[i] = static_cast<char>(random_());
    return value;
  }

  void write(std::uint64_t count) {
    for (; count > 0; --count) {
      Write write{any_key(), std::nullopt};
      if (random_() % 3 != 0) write.value = any_value();
      if (write.value) {
        model_[write.key] = *write.value;
      } else {
        model_.erase(write.key);
      }
      log_.push_back(std::move(write));
      for_each([this](Participant& participant) { participant.apply(log_.back(), log_.size()); });
    }
  }

  void read(std::uint64_t count) {
    for (; count > 0; --count) {
      const Bytes key = any_key();
      const auto expected = model_.find(key);
      for_each([&](Participant& participant) {
        const auto found = participant.engine().get(key);
        ASSERT_TRUE(found) << found.error().message;
        ASSERT_EQ(*found, expected == model_.end() ? std::nullopt : std::optional{expected->second})
            << testing::PrintToString(key);
      });
    }
  }

  void walk() {
    const Bytes begin = random_() % 3 == 0 ? Bytes{} : any_key();
    const Bytes end = random_() % 3 == 0 ? Bytes{} : any_key();
    const std::vector<CursorMove> moves = draw_moves(random_, 80, [this] { return any_key(); });
    for_each([&](Participant& participant) {
      const auto make = [&](CursorBounds bounds, ReadContext& context) {
        return participant.engine().engine().cursor(bounds, context);
      };
      expect_walk_with_loads(make, {begin, end}, model_, moves);
    });
  }

  void compare_all() {
    Bytes forward;
    for (const auto& [key, value] : model_) append_entry(forward, key, value);
    Bytes backward;
    for (auto entry = model_.rbegin(); entry != model_.rend(); ++entry)
      append_entry(backward, entry->first, entry->second);
    for_each([&](Participant& participant) {
      Bytes found;
      participant.dump(true, found);
      EXPECT_TRUE(found == forward) << found.size() << " bytes, expected " << forward.size();
      participant.dump(false, found);
      EXPECT_TRUE(found == backward) << found.size() << " bytes, expected " << backward.size();
    });
  }

  std::mt19937_64 random_;
  std::vector<std::unique_ptr<Participant>> participants_;
  std::vector<Write> log_;  // the record with the lsn n is the n-th
  CursorModel model_;
};

TEST(EngineAgreement, AllEnginesAnswerAsAMapDoes) {
  for (std::uint64_t number = 0; number < 2; ++number) {
    const std::uint64_t seed = test_seed() + number;
    SCOPED_TRACE(fmt::format("TEST_SEED={} for the first run of a test to be this one", seed));
    AgreementRun run{seed};
    run.run(rounds_of_test(500));
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace shale::engine
