// Reads a table from some key to its end, for compaction: sequentially, in large pieces, past the block cache
// and leaving nothing in the kernel's. Waits for the disk.
#pragma once

#include <cstdint>
#include <memory>

#include "engine/engine.h"
#include "engine/lsm/block.h"
#include "engine/lsm/entry.h"
#include "engine/lsm/table.h"
#include "engine/result.h"

namespace shale::engine::lsm {

// Used by one thread. After an error it is of no further use but for seek_block. Checks every block's
// checksum and structure.
class TableScanner {
 public:
  static constexpr std::uint32_t kReadBytes = 512 * 1024;

  explicit TableScanner(std::shared_ptr<const Table> table, std::uint32_t read_bytes = kReadBytes);
  ~TableScanner();
  TableScanner(const TableScanner&) = delete;
  TableScanner& operator=(const TableScanner&) = delete;

  // Nothing at or above `key` will be wanted: what lies behind is not read ahead.
  void set_end(BytesView key);
  Status seek_first();
  Status seek(BytesView key);  // to the first key >= `key`
  Status next();               // requires valid()

  // Block by block, for whoever wants to know of every damaged one: to the first entry of that block, also
  // after an error; and to the next of the same block.
  Status seek_block(std::uint32_t block_index);
  void next_in_block() { cursor_.next(); }  // requires valid()

  bool valid() const { return cursor_.valid(); }
  // Views valid until the next call on the scanner.
  const Entry& entry() const { return cursor_.entry(); }

  std::uint64_t bytes_read() const { return bytes_read_; }  // from the file, for pacing

 private:
  Status enter(std::uint32_t block_index);  // with the cursor on nothing
  Status enter_following_blocks();          // until the cursor is on an entry or the table ends
  Status read_from(std::uint32_t block_index);
  void drop_buffer();

  std::shared_ptr<const Table> table_;
  const std::uint32_t read_bytes_;
  std::uint32_t end_block_;  // behind the last that is read ahead
  std::uint32_t block_index_ = 0;
  std::uint64_t buffer_offset_ = 0;  // of the first byte of buffer_ in the file
  std::uint64_t buffer_bytes_ = 0;
  Bytes buffer_;  // whole stored blocks; may be longer than what is in it
  Bytes raw_;     // the current block, if it is stored compressed; may be longer
  std::uint64_t bytes_read_ = 0;
  BlockCursor cursor_;
};

}  // namespace shale::engine::lsm
