#include "engine/lsm/block_window.h"

#include <new>

namespace shale::engine::lsm {

void BlockWindow::read(const File& file, const TableIndex& index, std::uint32_t first, std::uint32_t end) {
  const std::uint64_t begin_offset = index.offset(first);
  const std::uint64_t bytes = index.offset(end) - begin_offset;
  first_ = first;
  count_ = 0;
  if (bytes > capacity_) {
    buffer_.reset(new (std::nothrow) char[bytes]);
    capacity_ = buffer_ == nullptr ? 0 : bytes;
    if (buffer_ == nullptr) return;
  }
  const std::size_t found = file.read_resident(begin_offset, {buffer_.get(), bytes});
  while (count_ != end - first && index.offset(first + count_ + 1) - begin_offset <= found) ++count_;
}

}  // namespace shale::engine::lsm
