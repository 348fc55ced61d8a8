// Walks a whole tree in key order for foreground scans: merges memtables and tables, newest first, and passes
// over tombstones. Made and used under the owner's lock; see engine.h for what may come back from its moves.
#pragma once

#include <memory>
#include <vector>

#include "engine/engine.h"
#include "engine/lsm/entry_source.h"
#include "engine/lsm/value_reference.h"

namespace shale::engine::lsm {

static_assert(kValueHeadBytes >= Cursor::kHeadBytes);

class MergingCursor final : public Cursor {
 public:
  // The sources have the cursor's bounds. `version` is kept alive for them.
  MergingCursor(std::vector<std::unique_ptr<EntrySource>> newest_first,
                std::shared_ptr<const Version> version);

  Status seek(BytesView key) override;
  Status seek_before(BytesView key) override;
  Status seek_last() override;
  Status next() override;
  Status previous() override;
  bool valid() const override { return valid_; }
  BytesView key() const override { return entry_.key; }
  BytesView head() const override { return value_head(entry_); }
  Result<BytesView> value() override { return inputs_[current_].source->value(); }

 private:
  //   I1  While the cursor is valid, every input stands, in the walk's direction, on its first entry at or
  //       behind the current key, or nowhere if there is none.
  enum class Direction : std::uint8_t { forward, backward };

  // A source, and what is asked of it at every step.
  struct Input {
    std::unique_ptr<EntrySource> source;
    std::uint64_t rank = 0;  // of its key's head: the smaller, the sooner it comes in the walk's direction
    bool valid = false;
  };

  template <class Move>
  Status place_all(Direction direction, Move move);  // moves every source, then finds the first live entry
  Status turn(Direction direction);
  Status advance(EntrySource& source) const;  // by one entry in the walk's direction
  void look(Input& input) const;
  Status settle();              // finds the next live entry among where the inputs stand
  Status step_over_current();   // moves every input past the current key
  Status step_over_shadowed();  // moves those past it that are not the current one
  void choose();                // the newest of the inputs whose key comes first becomes the current one
  bool is_before(const Input& a, const Input& b) const;

  const std::shared_ptr<const Version> version_;
  std::vector<Input> inputs_;  // newest first
  Direction direction_ = Direction::forward;
  bool valid_ = false;
  std::size_t current_ = 0;
  std::uint64_t next_rank_ = 0;  // the smallest among the other inputs; nothing comes before it
  bool alone_ = false;           // no other input is valid
  Entry entry_;                  // of the current input
};

}  // namespace shale::engine::lsm
