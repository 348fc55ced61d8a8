#include "engine/lsm/merging_cursor.h"

#include <algorithm>
#include <cassert>
#include <optional>
#include <utility>

namespace shale::engine::lsm {
namespace {

// Collects what the moves of several sources return. All are made even if one lacks a block: what they lack
// is then loaded at once. What cannot be cured by a load counts most.
class Outcome {
 public:
  void add(const Status& status) {
    if (status) return;
    if (!error_ || error_->kind == ErrorKind::not_resident) error_ = status.error();
  }
  Status status() const { return error_ ? Status{*error_} : Status{}; }

 private:
  std::optional<Error> error_;
};

}  // namespace

MergingCursor::MergingCursor(std::vector<std::unique_ptr<EntrySource>> newest_first,
                             std::shared_ptr<const Version> version)
    : version_(std::move(version)) {
  inputs_.reserve(newest_first.size());
  for (auto& source : newest_first) inputs_.push_back({std::move(source)});
}

void MergingCursor::look(Input& input) const {
  input.valid = input.source->valid();
  if (!input.valid) return;
  input.rank = direction_ == Direction::forward ? input.source->head() : ~input.source->head();
}

Status MergingCursor::advance(EntrySource& source) const {
  return direction_ == Direction::forward ? source.next() : source.previous();
}

template <class Move>
Status MergingCursor::place_all(Direction direction, Move move) {
  direction_ = direction;
  Outcome outcome;
  for (Input& input : inputs_) {
    outcome.add(move(*input.source));
    look(input);
  }
  if (Status placed = outcome.status(); !placed) return placed;
  choose();
  return settle();
}

Status MergingCursor::seek(BytesView key) {
  return place_all(Direction::forward, [&](EntrySource& source) { return source.seek(key); });
}

Status MergingCursor::seek_before(BytesView key) {
  return place_all(Direction::backward, [&](EntrySource& source) { return source.seek_before(key); });
}

Status MergingCursor::seek_last() {
  return place_all(Direction::backward, [&](EntrySource& source) { return source.seek_last(); });
}

Status MergingCursor::next() {
  assert(valid());
  if (auto turned = turn(Direction::forward); !turned) return turned;
  if (auto moved = step_over_current(); !moved) return moved;
  return settle();
}

Status MergingCursor::previous() {
  assert(valid());
  if (auto turned = turn(Direction::backward); !turned) return turned;
  if (auto moved = step_over_current(); !moved) return moved;
  return settle();
}

// The others stand at the current key or behind it, and so one step the other way is before it; one that
// stands nowhere has all its entries there. The current input stays.
Status MergingCursor::turn(Direction direction) {
  if (direction == direction_) return {};
  direction_ = direction;
  Outcome outcome;
  for (std::size_t i = 0; i != inputs_.size(); ++i) {
    Input& input = inputs_[i];
    if (i != current_) {
      if (input.valid) {
        outcome.add(advance(*input.source));
      } else {
        outcome.add(direction == Direction::forward ? input.source->seek({}) : input.source->seek_last());
      }
    }
    look(input);
  }
  if (Status turned = outcome.status(); !turned) return turned;
  choose();
  return {};
}

Status MergingCursor::settle() {
  while (valid_ && entry_.tag.type != EntryType::value) {
    if (auto moved = step_over_current(); !moved) return moved;
  }
  return {};
}

bool MergingCursor::is_before(const Input& a, const Input& b) const {
  if (a.rank != b.rank) return a.rank < b.rank;
  const int order = a.source->entry().key.compare(b.source->entry().key);
  return direction_ == Direction::forward ? order < 0 : order > 0;
}

void MergingCursor::choose() {
  valid_ = false;
  alone_ = true;
  next_rank_ = UINT64_MAX;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const Input& input = inputs_[i];
    if (!input.valid) continue;
    std::uint64_t other_rank = input.rank;
    if (!valid_) {
      current_ = i;
      valid_ = true;
      continue;
    }
    alone_ = false;
    if (is_before(input, inputs_[current_])) {
      other_rank = inputs_[current_].rank;
      current_ = i;
    }
    next_rank_ = std::min(next_rank_, other_rank);
  }
  if (valid_) entry_ = inputs_[current_].source->entry();
}

// The current input moves last: the current key is a view of it.
Status MergingCursor::step_over_shadowed() {
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    Input& input = inputs_[i];
    const bool shares_head = i != current_ && input.valid && input.rank == inputs_[current_].rank;
    if (!shares_head || input.source->entry().key != entry_.key) continue;
    if (auto moved = advance(*input.source); !moved) return moved;
    look(input);
  }
  return {};
}

Status MergingCursor::step_over_current() {
  Input& current = inputs_[current_];
  if (!alone_ && next_rank_ == current.rank) {
    if (auto moved = step_over_shadowed(); !moved) return moved;
  }
  if (auto moved = advance(*current.source); !moved) return moved;
  look(current);
  // As a rule several entries of one source follow each other.
  if (current.valid && (alone_ || current.rank < next_rank_)) {
    entry_ = current.source->entry();
    return {};
  }
  choose();
  return {};
}

}  // namespace shale::engine::lsm
