// How many leaves a tree has, and how large they are.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace shale::engine::btree {

class LeafCensus {
 public:
  static constexpr std::size_t kSizeClasses = 8;  // below 2, 4, 8, 16, 32, 64, 128 KiB, and above

  void add(std::uint64_t bytes) { change(bytes, 1); }
  void remove(std::uint64_t bytes) { change(bytes, static_cast<std::uint64_t>(-1)); }
  void clear() { *this = {}; }
  void add(const LeafCensus& other) { change(other, 1); }
  void remove(const LeafCensus& other) { change(other, static_cast<std::uint64_t>(-1)); }

  std::uint64_t leaves() const { return leaves_; }
  std::uint64_t bytes() const { return bytes_; }  // of their bases
  const std::array<std::uint64_t, kSizeClasses>& by_size() const { return by_size_; }

 private:
  static std::size_t size_class(std::uint64_t bytes) {
    const std::size_t width = std::bit_width(bytes >> 11);
    return width < kSizeClasses ? width : kSizeClasses - 1;
  }
  void change(std::uint64_t bytes, std::uint64_t by) {
    leaves_ += by;
    bytes_ += by * bytes;
    by_size_[size_class(bytes)] += by;
  }

  void change(const LeafCensus& other, std::uint64_t by) {
    leaves_ += by * other.leaves_;
    bytes_ += by * other.bytes_;
    for (std::size_t i = 0; i < kSizeClasses; ++i) by_size_[i] += by * other.by_size_[i];
  }

  std::uint64_t leaves_ = 0;
  std::uint64_t bytes_ = 0;
  std::array<std::uint64_t, kSizeClasses> by_size_{};
};

}  // namespace shale::engine::btree
