// Which blocks of a page file have held pages that nobody needs any more: a bit for each.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "engine/btree/free_space.h"

namespace shale::engine::btree {

// Not thread-safe.
class BlockSet {
 public:
  // The blocks that these bytes touch.
  void add(std::uint64_t offset, std::uint64_t bytes) {
    if (bytes == 0) return;
    const std::uint64_t end = (offset + bytes - 1) / kBlockBytes + 1;
    if (blocks_.size() < end) blocks_.resize(end);
    for (std::uint64_t block = offset / kBlockBytes; block < end; ++block) {
      count_ += blocks_[block] ? 0 : 1;
      blocks_[block] = true;
    }
  }
  // The blocks of the set from `offset` on that come first, as far as they follow each other, as bytes.
  std::optional<BlockRun> first_from(std::uint64_t offset, std::uint64_t bytes_max) const {
    std::uint64_t begin = offset / kBlockBytes;
    while (begin < blocks_.size() && !blocks_[begin]) ++begin;
    if (begin >= blocks_.size()) return {};
    std::uint64_t end = begin + 1;
    while (end < blocks_.size() && blocks_[end] && (end - begin) * kBlockBytes < bytes_max) ++end;
    return BlockRun{begin * kBlockBytes, (end - begin) * kBlockBytes};
  }
  std::uint64_t bytes() const { return count_ * kBlockBytes; }
  std::uint64_t memory_bytes() const { return blocks_.capacity() / 8; }
  BlockSet take() { return std::exchange(*this, {}); }

 private:
  std::vector<bool> blocks_;
  std::uint64_t count_ = 0;
};

}  // namespace shale::engine::btree
