#include "engine/large/large_piece.h"

#include <algorithm>
#include <cstring>

namespace shale::engine {

Status LargePieceReader::read(const LargePiece& piece, std::uint64_t offset, std::span<char> into) {
  if (piece.staged) return piece.staged->read(piece.begin + offset, into);
  if (!piece.value) {
    if (piece.bytes.empty()) {
      std::ranges::fill(into, '\0');
    } else {
      std::memcpy(into.data(), piece.bytes.data() + offset, into.size());
    }
    return {};
  }
  if (Status opened = piece.value->open(); !opened) return opened;
  if (Status same = piece.value->check(piece.reference); !same) return same;
  for (std::size_t filled = 0; filled < into.size();) {
    const std::uint64_t place = piece.begin + offset + filled;
    const std::uint64_t number = place / kLargeChunkBytes;
    if (number != chunk_number_ || piece.value != chunk_of_) {
      chunk_of_.reset();
      chunk_.resize(piece.value->chunk_bytes(number));
      if (Status loaded = piece.value->read_chunk(number, chunk_); !loaded) return loaded;
      chunk_number_ = number;
      chunk_of_ = piece.value;
    }
    const BytesView rest = BytesView{chunk_}.substr(static_cast<std::size_t>(place % kLargeChunkBytes));
    const std::size_t count = std::min(rest.size(), into.size() - filled);
    std::memcpy(into.data() + filled, rest.data(), count);
    filled += count;
  }
  return {};
}

void LargePieceReader::clear() {
  Bytes().swap(chunk_);
  chunk_of_.reset();
}

}  // namespace shale::engine
