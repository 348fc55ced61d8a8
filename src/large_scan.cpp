#include "src/large_scan.h"

#include <algorithm>

#include "engine/large/large_value_format.h"

namespace shale::server {
namespace {

// In between, others get their turn on the background's thread.
constexpr std::uint64_t kScannedPerRun = 8U << 20;

}  // namespace

void LargeScan::run() {
  if (done()) return;
  status_ = read_some();
  if (status_ && next_ < end_) return;
  done_.store(true, std::memory_order_release);
}

engine::Status LargeScan::read_some() {
  Bytes chunk;
  const std::uint64_t stop = next_ + kScannedPerRun;
  while (next_ < std::min(end_, stop)) {
    const std::uint64_t number = next_ / engine::kLargeChunkBytes;
    chunk.resize(value_->chunk_bytes(number));
    if (auto read = value_->read_chunk(number, chunk); !read) return read;
    const auto offset = static_cast<std::size_t>(next_ % engine::kLargeChunkBytes);
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(chunk.size() - offset, end_ - next_));
    if (!visit(next_, BytesView{chunk}.substr(offset, wanted))) end_ = next_ + wanted;
    next_ += wanted;
  }
  return {};
}

}  // namespace shale::server
