// Neighbouring blocks of a table as they are stored, copied out of the kernel's memory in one call: what a
// walk is about to come to. A system call costs more than copying a block (docs/lsm.md, "Scans").
#pragma once

#include <cstdint>
#include <memory>

#include "engine/bytes.h"
#include "engine/io/file_system.h"
#include "engine/lsm/table_index.h"

namespace shale::engine::lsm {

// Of one table, and used by one thread.
class BlockWindow {
 public:
  // Reads of the blocks [first, end) those from `first` on that are in memory; waits for no disk. What was
  // here before is gone.
  void read(const File& file, const TableIndex& index, std::uint32_t first, std::uint32_t end);

  bool covers(std::uint32_t block) const { return block - first_ < count_; }
  // The block with its trailer, unchecked; valid until the next read(). Requires covers(block).
  BytesView stored(const TableIndex& index, std::uint32_t block) const {
    return {buffer_.get() + (index.offset(block) - index.offset(first_)), index.stored_bytes(block)};
  }

 private:
  std::uint32_t first_ = 0;
  std::uint32_t count_ = 0;
  std::unique_ptr<char[]> buffer_;
  std::uint64_t capacity_ = 0;
};

}  // namespace shale::engine::lsm
