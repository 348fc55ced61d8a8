// What engine.h promises, asked of every engine: each test runs over all of kEngineKinds. Background work
// runs when the test says so, on a simulated disk, so that a seed repeats a run.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "engine/testing/effort.h"
#include "engine/testing/test_seed.h"
#include "tests/engine/cursor_walk.h"
#include "tests/engine/engine_kinds.h"

namespace shale::engine {
namespace {

class EngineContract : public testing::TestWithParam<EngineKind> {
 protected:
  EngineContract() { open(); }

  void put(const Bytes& key, const Bytes& value) {
    model_[key] = value;
    const Status applied = subject_->put(key, value, ++lsn_);
    ASSERT_TRUE(applied) << applied.error().message;
  }
  void erase(const Bytes& key) {
    model_.erase(key);
    const Status applied = subject_->erase(key, ++lsn_);
    ASSERT_TRUE(applied) << applied.error().message;
  }
  std::optional<Bytes> get(const Bytes& key) {
    const auto found = subject_->get(key);
    if (found) return *found;
    ADD_FAILURE() << found.error().message;
    return {};
  }
  // Until all that has been applied is persisted.
  void persist() {
    subject_->flush();
    ASSERT_EQ(engine().oldest_unpersisted_lsn(), std::nullopt);
    EXPECT_EQ(engine().persisted_lsn(), lsn_);
  }
  // What had not been persisted is gone.
  void reopen() {
    subject_->close();
    open();
  }
  void expect_walk(CursorBounds bounds, const std::vector<CursorMove>& moves) {
    const auto make = [this](CursorBounds within, ReadContext& context) {
      return engine().cursor(within, context);
    };
    expect_walk_with_loads(make, bounds, model_, moves);
  }
  void expect_contents() {
    std::vector<CursorMove> forward{{CursorMove::Kind::seek, {}}};
    forward.resize(model_.size() + 1, {CursorMove::Kind::next, {}});
    expect_walk({}, forward);
    std::vector<CursorMove> backward{{CursorMove::Kind::seek_last, {}}};
    backward.resize(model_.size() + 1, {CursorMove::Kind::previous, {}});
    expect_walk({}, backward);
  }
  Engine& engine() { return subject_->engine(); }

 private:
  void open() {
    const Status opened = subject_->open(seed_++);
    ASSERT_TRUE(opened) << opened.error().message;
  }

  std::uint64_t seed_ = test_seed();
  const OneClassPolicy policy_;
  SimulatedDisk disk_{seed_};

 protected:
  const std::unique_ptr<SimulatedEngine> subject_ = GetParam().make(disk_, policy_);
  CursorModel model_;
  Lsn lsn_ = 0;
};

TEST_P(EngineContract, FindsTheNewestValueOrNothing) {
  EXPECT_EQ(get("a"), std::nullopt);
  put("a", "1");
  put("b", "2");
  put("a", "3");
  erase("b");
  EXPECT_EQ(get("a"), "3");
  EXPECT_EQ(get("b"), std::nullopt);
  persist();
  EXPECT_EQ(get("a"), "3");
  EXPECT_EQ(get("b"), std::nullopt);
  erase("a");
  put("b", "4");
  EXPECT_EQ(get("a"), std::nullopt);
  EXPECT_EQ(get("b"), "4");
  expect_contents();
}

TEST_P(EngineContract, WhatIsPersistedNeedsNoLog) {
  EXPECT_EQ(engine().persisted_lsn(), 0u);
  EXPECT_EQ(engine().oldest_unpersisted_lsn(), std::nullopt);
  put("a", "1");
  put("b", "2");
  EXPECT_EQ(engine().oldest_unpersisted_lsn(), 1u);
  persist();
  reopen();
  EXPECT_EQ(engine().persisted_lsn(), 2u);
  EXPECT_EQ(engine().oldest_unpersisted_lsn(), std::nullopt);
  expect_contents();
}

TEST_P(EngineContract, KeysAndValuesAreAnyBytes) {
  for (const std::size_t bytes : {0, 1, 7, 8, 9, 15, 16, 17, 300, 5000}) {
    for (const char byte : {'\0', '\x01', '\x7f', '\x80', '\xff'}) {
      put(Bytes(bytes, byte), Bytes(bytes, byte) + "of");
      put("k" + Bytes(bytes, byte) + '\0', Bytes(5000 - bytes, byte));
    }
  }
  expect_contents();
  persist();
  reopen();
  for (const auto& [key, value] : model_) ASSERT_EQ(get(key), value);
  expect_contents();
}

TEST_P(EngineContract, ACursorOfNothingFindsNothing) {
  for (const bool with_data : {false, true}) {
    if (with_data) put("k", "v");
    for (const auto& [begin, end] : {std::pair{"a", "b"}, {"l", ""}, {"k", "k"}, {"z", "a"}, {"k0", "l"}}) {
      for (const CursorMove& seek : {CursorMove{CursorMove::Kind::seek, ""},
                                     {CursorMove::Kind::seek, "k"},
                                     {CursorMove::Kind::seek_before, "k"},
                                     {CursorMove::Kind::seek_before, "zz"},
                                     {CursorMove::Kind::seek_last, ""}}) {
        expect_walk({begin, end}, {seek});
      }
    }
    persist();
  }
}

TEST_P(EngineContract, ACursorTurnsAtAnyKeyAlsoAmongErasedOnes) {
  for (int i = 0; i < 300; ++i) put(fmt::format("k{:03}", i), fmt::format("{}", i));
  persist();
  for (int i = 0; i < 300; ++i) {
    if (i % 7 != 3) erase(fmt::format("k{:03}", i));
  }
  for (const bool persisted : {false, true}) {
    if (persisted) persist();
    std::vector<CursorMove> moves{{CursorMove::Kind::seek, {}}};
    for (std::size_t i = 1; i < model_.size(); ++i) {  // to each key, one back, and there again
      moves.push_back({CursorMove::Kind::next, {}});
      moves.push_back({CursorMove::Kind::previous, {}});
      moves.push_back({CursorMove::Kind::next, {}});
    }
    expect_walk({}, moves);
  }
}

// Writes, flushes, background work and restarts, and walks within any bounds that turn anywhere.
TEST_P(EngineContract, AgreesWithAMap) {
  std::mt19937_64 random{test_seed()};
  const auto any_key = [&] {
    Bytes key = fmt::format("{}:{:04x}", "abc"[random() % 3], random() % 3000 * 7);
    if (random() % 8 == 0) key.resize(random() % key.size());
    return key;
  };
  const auto any_bound = [&] { return random() % 3 == 0 ? Bytes{} : any_key(); };
  for (int round = 0; round < rounds_of_test(150) && !HasFailure(); ++round) {
    for (auto writes = random() % 150; writes > 0; --writes) {
      const Bytes key = any_key();
      ASSERT_EQ(get(key).has_value(), model_.contains(key));  // what has been read is counted right
      if (random() % 4 == 0) {
        erase(key);
      } else {
        put(key, Bytes(random() % 80, static_cast<char>(random())));
      }
    }
    if (random() % 3 == 0) engine().flush();
    for (auto work = random() % 20; work > 0; --work) subject_->run_one();
    if (random() % 16 == 0) {
      persist();
      reopen();
    }
    for (int walk = 0; walk < 6; ++walk) {
      const Bytes begin = any_bound();
      const Bytes end = any_bound();
      expect_walk({begin, end}, draw_moves(random, 60, any_key));
    }
  }
  expect_contents();
  EXPECT_EQ(engine().key_count(0), static_cast<std::int64_t>(model_.size()));
}

INSTANTIATE_TEST_SUITE_P(All, EngineContract, testing::ValuesIn(kEngineKinds),
                         [](const auto& kind) { return std::string{kind.param.name}; });

}  // namespace
}  // namespace shale::engine
