// Bytes that have arrived and have not been executed yet. Between two requests a connection needs none: it
// then borrows its thread's, so that ten thousand idle clients hold no memory for what they may send.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

namespace shale::server {

class InputBuffer {
 public:
  InputBuffer() = default;
  explicit InputBuffer(std::size_t capacity) { reserve(capacity); }
  InputBuffer(InputBuffer&& other) noexcept { swap(other); }
  InputBuffer& operator=(InputBuffer&& other) noexcept {
    InputBuffer taken{std::move(other)};
    swap(taken);
    return *this;
  }

  std::string_view unread() const { return {bytes_.get() + begin_, end_ - begin_}; }
  bool empty() const { return begin_ == end_; }
  std::size_t capacity() const { return capacity_; }

  // Where the next bytes go; commit() makes them part of unread().
  std::span<char> room() { return {bytes_.get() + end_, capacity_ - end_}; }
  void commit(std::size_t count) { end_ += count; }
  void consume(std::size_t count);
  // Forgets what is behind the first `count` unread bytes.
  void cut(std::size_t count) { end_ = begin_ + count; }

  // Makes unread() and room() together at least `capacity` long; moves what is unread.
  void reserve(std::size_t capacity);
  void append(std::string_view more);  // room() must suffice

 private:
  void swap(InputBuffer& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(capacity_, other.capacity_);
    std::swap(begin_, other.begin_);
    std::swap(end_, other.end_);
  }

  std::unique_ptr<char[]> bytes_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;  // unread bytes
  std::size_t end_ = 0;
};

}  // namespace shale::server
