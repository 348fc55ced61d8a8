// Walks of a cursor, drawn from a seed, against the sorted map that it should agree with.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "engine/engine.h"

namespace shale::engine {

struct CursorMove {
  enum class Kind : std::uint8_t { seek, seek_before, seek_last, next, previous };
  Kind kind = Kind::next;
  Bytes key;  // of a seek

  friend void PrintTo(const CursorMove& move, std::ostream* out) {
    constexpr const char* kNames[] = {"seek", "seek_before", "seek_last", "next", "previous"};
    *out << kNames[static_cast<int>(move.kind)] << ' ' << testing::PrintToString(move.key);
  }
};

// Seeks, walks in one direction, and turns. `any_key` draws keys that may be there or not.
template <class Random, class AnyKey>
std::vector<CursorMove> draw_moves(Random& random, int count, AnyKey any_key) {
  std::vector<CursorMove> moves;
  bool forward = true;
  const auto turns_every = 1 + random() % 12;
  while (count-- > 0) {
    const auto kind = random() % 24;
    if (moves.empty() || kind < 3) {
      const auto seek = random() % 5;
      forward = seek < 2;
      if (seek < 4) {
        moves.push_back({forward ? CursorMove::Kind::seek : CursorMove::Kind::seek_before, any_key()});
      } else {
        moves.push_back({CursorMove::Kind::seek_last, {}});
      }
      continue;
    }
    if (random() % turns_every == 0) forward = !forward;
    moves.push_back({forward ? CursorMove::Kind::next : CursorMove::Kind::previous, {}});
  }
  return moves;
}

using CursorModel = std::map<Bytes, Bytes>;

// Where the move leads in `model`, cut to the cursor's bounds; end() stands for nowhere.
inline CursorModel::const_iterator moved(const CursorModel& model, CursorModel::const_iterator from,
                                         const CursorMove& move) {
  const auto before = [&](auto place) { return place == model.begin() ? model.end() : std::prev(place); };
  switch (move.kind) {
    case CursorMove::Kind::seek: return model.lower_bound(move.key);
    case CursorMove::Kind::seek_before: return before(model.lower_bound(move.key));
    case CursorMove::Kind::seek_last: return before(model.end());
    case CursorMove::Kind::next: return std::next(from);
    case CursorMove::Kind::previous: return before(from);
  }
  return model.end();
}

inline CursorModel within(const CursorModel& model, CursorBounds bounds) {
  if (!bounds.end.empty() && bounds.end <= bounds.begin) return {};
  const auto end = bounds.end.empty() ? model.end() : model.lower_bound(Bytes{bounds.end});
  return {model.lower_bound(Bytes{bounds.begin}), end};
}

// Any other walker of entries as engine's Cursor.
template <class Inner>
class CursorAdapter final : public Cursor {
 public:
  template <class... Arguments>
  explicit CursorAdapter(Arguments&&... arguments) : inner_(std::forward<Arguments>(arguments)...) {}
  Inner& inner() { return inner_; }

  Status seek(BytesView key) override {
    return result_of([&] { return inner_.seek(key); });
  }
  Status seek_before(BytesView key) override {
    return result_of([&] { return inner_.seek_before(key); });
  }
  Status seek_last() override {
    return result_of([&] { return inner_.seek_last(); });
  }
  Status next() override {
    return result_of([&] { return inner_.next(); });
  }
  Status previous() override {
    return result_of([&] { return inner_.previous(); });
  }
  bool valid() const override { return inner_.valid(); }
  BytesView key() const override { return inner_.entry().key; }
  BytesView head() const override { return inner_.entry().value.substr(0, kHeadBytes); }
  Result<BytesView> value() override { return inner_.entry().value; }

 private:
  template <class Move>
  static Status result_of(Move move) {
    if constexpr (std::is_void_v<std::invoke_result_t<Move>>) {
      move();
      return {};
    } else {
      return move();
    }
  }

  Inner inner_;
};

inline Status make_move(Cursor& cursor, const CursorMove& move) {
  switch (move.kind) {
    case CursorMove::Kind::seek: return cursor.seek(move.key);
    case CursorMove::Kind::seek_before: return cursor.seek_before(move.key);
    case CursorMove::Kind::seek_last: return cursor.seek_last();
    case CursorMove::Kind::next: return cursor.next();
    case CursorMove::Kind::previous: return cursor.previous();
  }
  return {};
}

// Makes the moves and compares after each; a step from nowhere is left out. Returns what stopped it.
// `model` is cut to the bounds of the cursor.
inline Status expect_walk(Cursor& cursor, const CursorModel& model, const std::vector<CursorMove>& moves) {
  auto place = model.end();
  EXPECT_FALSE(cursor.valid());
  for (std::size_t i = 0; i != moves.size() && !testing::Test::HasFailure(); ++i) {
    const bool is_step =
        moves[i].kind == CursorMove::Kind::next || moves[i].kind == CursorMove::Kind::previous;
    if (is_step && place == model.end()) continue;
    if (Status made = make_move(cursor, moves[i]); !made) return made;
    place = moved(model, place, moves[i]);
    SCOPED_TRACE(fmt::format("move {}: {}", i, testing::PrintToString(moves[i])));
    EXPECT_EQ(cursor.valid(), place != model.end());
    if (!cursor.valid() || place == model.end()) continue;
    EXPECT_EQ(cursor.key(), place->first);
    EXPECT_EQ(cursor.head(), BytesView{place->second}.substr(0, cursor.head().size()));
    EXPECT_GE(cursor.head().size(), std::min(place->second.size(), Cursor::kHeadBytes));
    const auto value = cursor.value();
    if (!value) return value.error();
    EXPECT_EQ(*value, place->second);
  }
  return {};
}

// The same with a new cursor by `make_cursor(bounds, context)` after each round of loads, as a command does.
template <class MakeCursor>
void expect_walk_with_loads(MakeCursor make_cursor, CursorBounds bounds, const CursorModel& model,
                            const std::vector<CursorMove>& moves) {
  SCOPED_TRACE(
      fmt::format("from {} to {}", testing::PrintToString(bounds.begin), testing::PrintToString(bounds.end)));
  const CursorModel expected = within(model, bounds);
  ReadContext context;
  while (!testing::Test::HasFailure()) {
    const std::size_t known = context.missing.size();
    const auto cursor = make_cursor(bounds, context);
    const Status walked = expect_walk(*cursor, expected, moves);
    if (walked) return;
    ASSERT_EQ(walked.error().kind, ErrorKind::not_resident) << walked.error().message;
    ASSERT_GT(context.missing.size(), known) << "nothing is named that a load could bring";
    for (std::size_t i = known; i != context.missing.size(); ++i) context.missing[i]->run();
  }
}

}  // namespace shale::engine
