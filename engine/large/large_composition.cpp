#include "engine/large/large_composition.h"

#include <algorithm>
#include <cstring>
#include <span>

namespace shale::engine {
namespace {

constexpr std::uint64_t kBytesPerRun = 8U << 20;

}  // namespace

void LargeComposition::run() {
  if (done()) return;
  status_ = copy_some(kBytesPerRun);
  if (status_ && piece_ != pieces_.size()) return;
  if (status_) status_ = into_->finish(key_);
  Bytes().swap(chunk_);
  done_.store(true, std::memory_order_release);
}

Status LargeComposition::copy_some(std::uint64_t bytes_max) {
  Bytes buffer(kLargeChunkBytes, '\0');
  for (std::uint64_t copied = 0; piece_ != pieces_.size() && copied < bytes_max;) {
    const LargePiece& piece = pieces_[piece_];
    const std::uint64_t length = std::min<std::uint64_t>(piece.length - piece_copied_, kLargeChunkBytes);
    const std::span<char> part{buffer.data(), static_cast<std::size_t>(length)};
    if (Status read_part = read(piece, piece_copied_, part); !read_part) return read_part;
    if (Status written = into_->append({part.data(), part.size()}); !written) return written;
    piece_copied_ += length;
    copied += length;
    if (piece_copied_ != piece.length) continue;
    ++piece_;
    piece_copied_ = 0;
    chunk_number_ = UINT64_MAX;  // was of the piece before
  }
  return {};
}

Status LargeComposition::read(const LargePiece& piece, std::uint64_t offset, std::span<char> into) {
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
    if (number != chunk_number_) {
      chunk_.resize(piece.value->chunk_bytes(number));
      if (Status loaded = piece.value->read_chunk(number, chunk_); !loaded) return loaded;
      chunk_number_ = number;
    }
    const BytesView rest = BytesView{chunk_}.substr(static_cast<std::size_t>(place % kLargeChunkBytes));
    const std::size_t count = std::min(rest.size(), into.size() - filled);
    std::memcpy(into.data() + filled, rest.data(), count);
    filled += count;
  }
  return {};
}

}  // namespace shale::engine
