#include "cluster/overlay_cursor.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "engine/testing/test_seed.h"
#include "tests/engine/cursor_walk.h"

namespace shale::cluster {
namespace {

using engine::CursorModel;

// An engine's cursor, of a map.
class MapCursor final : public engine::Cursor {
 public:
  explicit MapCursor(const CursorModel& model) : model_(model), place_(model.end()) {}
  engine::Status seek(BytesView key) override { return to(model_.lower_bound(Bytes{key})); }
  engine::Status seek_before(BytesView key) override { return before(model_.lower_bound(Bytes{key})); }
  engine::Status seek_last() override { return before(model_.end()); }
  engine::Status next() override { return to(std::next(place_)); }
  engine::Status previous() override { return before(place_); }
  bool valid() const override { return place_ != model_.end(); }
  BytesView key() const override { return place_->first; }
  BytesView head() const override { return place_->second; }
  engine::Result<BytesView> value() override { return BytesView{place_->second}; }

 private:
  engine::Status to(CursorModel::const_iterator place) {
    place_ = place;
    return {};
  }
  engine::Status before(CursorModel::const_iterator place) {
    return to(place == model_.begin() ? model_.end() : std::prev(place));
  }

  const CursorModel& model_;
  CursorModel::const_iterator place_;
};

engine::Status move(engine::Cursor& cursor, const engine::CursorMove& move) {
  using enum engine::CursorMove::Kind;
  switch (move.kind) {
    case seek: return cursor.seek(move.key);
    case seek_before: return cursor.seek_before(move.key);
    case seek_last: return cursor.seek_last();
    case next: return cursor.valid() ? cursor.next() : engine::Status{};
    case previous: return cursor.valid() ? cursor.previous() : engine::Status{};
  }
  return {};
}

TEST(OverlayCursor, WalksLikeACursorOfWhatTheWritesWillMake) {
  std::mt19937_64 random{engine::test_seed()};
  SCOPED_TRACE(fmt::format("TEST_SEED={}", engine::test_seed()));
  const auto any_key = [&random] { return fmt::format("{:02}", random() % 40); };
  for (int round = 0; round < 300; ++round) {
    CursorModel stored;
    CursorModel expected;
    std::map<Bytes, std::optional<Bytes>> written;
    for (auto keys = random() % 30; keys > 0; --keys) stored[any_key()] = "stored";
    expected = stored;
    for (auto keys = random() % 30; keys > 0; --keys) {
      const Bytes key = any_key();
      if (random() % 3 == 0) {
        written[key] = std::nullopt;
        expected.erase(key);
      } else {
        written[key] = "written";
        expected[key] = "written";
      }
    }
    std::vector<OverlaidWrite> writes;
    for (const auto& [key, value] : written) {
      writes.push_back({key, value ? std::optional<BytesView>{*value} : std::nullopt});
    }
    std::ranges::shuffle(writes, random);
    OverlayCursor cursor{std::make_unique<MapCursor>(stored), writes};
    MapCursor model{expected};
    for (const auto& step : engine::draw_moves(random, 60, any_key)) {
      ASSERT_TRUE(move(cursor, step));
      ASSERT_TRUE(move(model, step));
      ASSERT_EQ(cursor.valid(), model.valid());
      if (!cursor.valid()) continue;
      ASSERT_EQ(cursor.key(), model.key());
      ASSERT_EQ(cursor.head(), model.head());
      ASSERT_EQ(cursor.value().value(), model.value().value());
    }
  }
}

}  // namespace
}  // namespace shale::cluster
