// Walks a table's entries in order over resident blocks, for foreground scans. Never waits.
#pragma once

#include <cstdint>
#include <memory>

#include "engine/engine.h"
#include "engine/lsm/block.h"
#include "engine/lsm/entry.h"
#include "engine/lsm/table.h"
#include "engine/result.h"

namespace shale::engine::lsm {

// Used by one thread. Every move may return not_resident, with a Load of the block and of some that follow
// added to the context; the cursor is then of no further use. Values stay where they are until the cursor
// moves: it pins its block itself.
class TableCursor {
 public:
  // A seek asks for its block alone: most runs of a tree have few entries of a short scan. Each block that is
  // then followed by another doubles what is read ahead.
  static constexpr std::uint32_t kFirstReadAheadBytes = 16 * 1024;
  static constexpr std::uint32_t kReadAheadBytes = 64 * 1024;

  TableCursor(std::shared_ptr<const Table> table, ReadContext& context,
              std::uint32_t read_ahead_bytes = kReadAheadBytes);

  Status seek(BytesView key);       // to the first key >= `key`
  Status seek_back(BytesView key);  // to the last key <= `key`
  Status seek_first();
  Status seek_last();
  Status next();  // requires valid()
  Status prev();  // requires valid(); for a step or two, as it reads the restart group again

  bool valid() const { return block_ != nullptr && cursor_.valid(); }
  // Views valid until the next call on the cursor.
  const Entry& entry() const { return cursor_.entry(); }
  BytesView key() const { return cursor_.entry().key; }
  BytesView value() const { return cursor_.entry().value; }

 private:
  // Makes the block current, with the cursor on nothing.
  Status enter(std::uint32_t block_index, std::uint32_t read_ahead_bytes);
  Status enter_next_block();
  Status enter_previous_block();

  std::shared_ptr<const Table> table_;
  ReadContext& context_;
  const std::uint32_t read_ahead_bytes_;
  std::uint32_t followed_blocks_ = 0;  // entered by next()
  std::uint32_t block_index_ = 0;
  BlockHandle block_;  // null: past either end
  BlockCursor cursor_;
};

}  // namespace shale::engine::lsm
