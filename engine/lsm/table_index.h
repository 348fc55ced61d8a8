// Which block of a table may hold a key: one fence per data block, in memory, 16 bytes each as a rule.
//
// A fence stands between the last key of one block and the first of the next. Where the first eight bytes of
// those two keys differ, a number between them is the whole fence; otherwise the fence also has a text, the
// shortest beginning of the next block's first key that is above the last key. The numbers lie in one array,
// searched by interpolation: keys that begin with a uniformly distributed token are found in two probes, any
// others by galloping from there, in at most twice the steps of a binary search.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/bytes.h"

namespace shale::engine::lsm {

class TableIndexBuilder {
 public:
  // The next block: its length in the file, its first key, and the last key of the block before it (ignored
  // for the first block).
  void add_block(std::uint64_t stored_bytes, BytesView last_key_before, BytesView first_key);
  std::uint32_t block_count() const { return block_count_; }
  std::uint64_t bytes() const { return encoded_.size(); }
  // block_count:u32, then per block what docs/formats.md says.
  Bytes finish();

 private:
  std::uint32_t block_count_ = 0;
  Bytes encoded_;
};

// Immutable.
class TableIndex {
 public:
  TableIndex() = default;
  // Nothing if the bytes are no index of blocks that fill exactly `data_bytes`.
  static std::optional<TableIndex> decode(BytesView stored, std::uint64_t data_bytes);

  std::uint32_t block_count() const { return static_cast<std::uint32_t>(heads_.size()); }
  std::uint64_t offset(std::uint32_t block) const { return offsets_[block]; }
  std::uint64_t stored_bytes(std::uint32_t block) const { return offsets_[block + 1] - offsets_[block]; }
  std::size_t memory_bytes() const;

  // The one block that may hold `key`; nothing if the key is below the first block's.
  std::optional<std::uint32_t> find(BytesView key) const;

  // The one block that may hold the last key below `key`; nothing if none is below the first block's.
  std::optional<std::uint32_t> find_before(BytesView key) const;
  // Whether all keys of this block and of those behind it are at or above `key`. Not for block 0.
  bool begins_at_or_above(std::uint32_t block, BytesView key) const;
  // Whether all keys of the blocks before this one are below `key`. Not for block 0.
  bool begins_at_or_below(std::uint32_t block, BytesView key) const;

  // A key that parts the table at the beginning of a block: above every key of the blocks before it, at or
  // below every key of it and those behind. Not for block 0.
  Bytes fence(std::uint32_t block) const;
  // The block that holds the byte at `offset` of the data.
  std::uint32_t block_at(std::uint64_t offset) const;

 private:
  std::uint32_t last_at_or_below(std::uint64_t head) const;
  std::uint32_t refine(BytesView key, std::uint32_t last) const;
  BytesView text(std::uint32_t block) const;
  // Below 0, 0 or above: how the block's fence stands to the key.
  int compare_fence(std::uint32_t block, BytesView key) const;

  std::vector<std::uint64_t> heads_;      // ascending, equal ones only with texts
  std::vector<std::uint64_t> offsets_;    // one more than blocks: the last is the end of the data
  std::vector<std::uint64_t> text_ends_;  // in texts_; empty if no fence has a text
  Bytes texts_;
  double blocks_per_head_ = 0;  // slope of the interpolation
};

}  // namespace shale::engine::lsm
