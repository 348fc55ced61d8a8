// What new large values are made of: parts of other values, and how their bytes are read in order.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "engine/bytes.h"
#include "engine/large/large_value.h"
#include "engine/large/staged_large_value.h"
#include "engine/result.h"

namespace shale::engine {

// One of: a range of a large value, a range of a staged one that has been appended in full, bytes, zeros.
struct LargePiece {
  std::shared_ptr<LargeValue> value;
  LargeValueReference reference;  // of `value`: what it has to be
  std::shared_ptr<StagedLargeValue> staged;
  Bytes bytes;
  std::uint64_t begin = 0;   // of the range
  std::uint64_t length = 0;  // of the piece

  static LargePiece of(std::shared_ptr<LargeValue> value, const LargeValueReference& reference,
                       std::uint64_t begin, std::uint64_t length) {
    return {std::move(value), reference, nullptr, {}, begin, length};
  }
  static LargePiece of(std::shared_ptr<StagedLargeValue> staged) {
    const std::uint64_t length = staged->value_bytes();
    return {nullptr, {}, std::move(staged), {}, 0, length};
  }
  static LargePiece of(BytesView bytes) { return {nullptr, {}, nullptr, Bytes{bytes}, 0, bytes.size()}; }
  static LargePiece zeros(std::uint64_t length) { return {nullptr, {}, nullptr, {}, 0, length}; }

  bool operator==(const LargePiece&) const = default;
};

// Reads pieces, best in order: the chunk of a large value that was read last is kept. Waits for the disk.
class LargePieceReader {
 public:
  // Bytes of the piece from `offset` on, all of which it has. Errors: io, corruption.
  Status read(const LargePiece& piece, std::uint64_t offset, std::span<char> into);
  // Forgets the chunk.
  void clear();

 private:
  Bytes chunk_;
  std::uint64_t chunk_number_ = 0;
  std::shared_ptr<LargeValue> chunk_of_;  // null: none
};

}  // namespace shale::engine
