#include "src/input_buffer.h"

#include <cassert>
#include <cstring>
#include <utility>

namespace shale::server {

void InputBuffer::consume(std::size_t count) {
  assert(count <= end_ - begin_);
  begin_ += count;
  if (begin_ == end_) begin_ = end_ = 0;
}

void InputBuffer::reserve(std::size_t capacity) {
  const std::size_t unread_bytes = end_ - begin_;
  if (capacity > capacity_) {
    auto larger = std::make_unique_for_overwrite<char[]>(capacity);
    if (unread_bytes != 0) std::memcpy(larger.get(), bytes_.get() + begin_, unread_bytes);
    bytes_ = std::move(larger);
    capacity_ = capacity;
  } else if (capacity_ - begin_ < capacity) {
    std::memmove(bytes_.get(), bytes_.get() + begin_, unread_bytes);
  } else {
    return;
  }
  begin_ = 0;
  end_ = unread_bytes;
}

void InputBuffer::append(std::string_view more) {
  assert(more.size() <= capacity_ - end_);
  if (!more.empty()) std::memcpy(bytes_.get() + end_, more.data(), more.size());
  end_ += more.size();
}

}  // namespace shale::server
