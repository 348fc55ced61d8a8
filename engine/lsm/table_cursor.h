// Walks a table's entries in order over resident blocks, for foreground scans. Never waits.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/engine.h"
#include "engine/lsm/block.h"
#include "engine/lsm/block_window.h"
#include "engine/lsm/entry.h"
#include "engine/lsm/table.h"
#include "engine/result.h"

namespace shale::engine::lsm {

// Used by one thread. As engine's Cursor, it knows only the entries within its bounds, may turn anywhere, and
// touches no block that has none of them. Blocks that lie in the kernel's memory are read on the spot,
// several at a time. Every move may return not_resident, with a Load of the block and of some that follow in
// the walk's direction added to the context; the cursor is then of no further use. Values stay where they are
// until the cursor moves: it keeps its block itself.
class TableCursor {
 public:
  // A seek asks the disk for its block alone: most runs of a tree have few entries of a short scan. What the
  // kernel has in memory it takes as far as walks in this table have lately gone. Each block that is then
  // followed by another doubles what is read ahead.
  static constexpr std::uint32_t kFirstReadAheadBytes = 16 * 1024;
  static constexpr std::uint32_t kReadAheadBytes = 64 * 1024;

  // Table, bytes of the bounds, and context must outlive the cursor.
  TableCursor(const Table& table, CursorBounds bounds, ReadContext& context,
              std::uint32_t read_ahead_bytes = kReadAheadBytes);
  ~TableCursor();
  TableCursor(const TableCursor&) = delete;
  TableCursor& operator=(const TableCursor&) = delete;

  Status seek(BytesView key);         // to the first key >= `key`
  Status seek_before(BytesView key);  // to the last key < `key`
  Status seek_last();
  Status next();      // requires valid()
  Status previous();  // requires valid()

  bool valid() const { return valid_; }
  // Views valid until the next call on the cursor.
  const Entry& entry() const { return cursor_.entry(); }
  std::uint64_t head() const { return head_; }  // key_head of the entry's key

 private:
  enum class Direction : std::uint8_t { forward, backward };
  enum class Arrival : std::uint8_t { seek, walk };
  struct BlockRange {
    std::uint32_t first;
    std::uint32_t end;
  };

  // Makes the block current, with the cursor on nothing. What is read with it lies in that direction.
  Status enter(std::uint32_t block, Direction direction, Arrival arrival);
  std::optional<Table::WalkedBlock> read_here(std::uint32_t block, Direction direction, Arrival arrival);
  Error request(std::uint32_t block, Direction direction, Arrival arrival);
  // The block and those of its neighbours in that direction that lie within the bounds and not in the cache.
  BlockRange reach(std::uint32_t block, Direction direction, std::uint32_t blocks_max,
                   std::uint64_t bytes_max) const;
  std::uint32_t expected_blocks() const;  // of a walk that begins, with the first one
  std::uint64_t read_ahead_bytes() const;
  Status enter_next_block();
  Status enter_previous_block();
  Status settle_forward();   // on where the block's cursor stands, or in the next block, if within the bounds
  Status settle_backward();  // likewise
  void look();
  // `key`, or the begin if that is above it.
  BytesView at_or_behind_begin(BytesView key) const;

  const Table& table_;
  const CursorBounds bounds_;
  const std::uint64_t begin_head_;
  const std::uint64_t end_head_;  // the largest if there is no end
  ReadContext& context_;
  const std::uint32_t read_ahead_bytes_max_;
  std::uint32_t followed_blocks_ = 0;  // entered from a neighbour
  std::uint32_t block_index_ = 0;
  BlockHandle block_;   // the current one, or null if it lies in the window
  BlockWindow window_;  // what was read on the spot last
  BlockCursor cursor_;
  bool valid_ = false;
  std::uint64_t head_ = 0;
};

}  // namespace shale::engine::lsm
