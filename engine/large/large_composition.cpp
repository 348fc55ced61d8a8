#include "engine/large/large_composition.h"

#include <algorithm>
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
  reader_.clear();
  done_.store(true, std::memory_order_release);
}

Status LargeComposition::copy_some(std::uint64_t bytes_max) {
  Bytes buffer(kLargeChunkBytes, '\0');
  for (std::uint64_t copied = 0; piece_ != pieces_.size() && copied < bytes_max;) {
    const LargePiece& piece = pieces_[piece_];
    const std::uint64_t length = std::min<std::uint64_t>(piece.length - piece_copied_, kLargeChunkBytes);
    const std::span<char> part{buffer.data(), static_cast<std::size_t>(length)};
    if (Status read_part = reader_.read(piece, piece_copied_, part); !read_part) return read_part;
    if (Status written = into_->append({part.data(), part.size()}); !written) return written;
    piece_copied_ += length;
    copied += length;
    if (piece_copied_ != piece.length) continue;
    ++piece_;
    piece_copied_ = 0;
  }
  return {};
}

}  // namespace shale::engine
