// Zeroed memory straight from the kernel, given back whole: for what is large and lives long.
#pragma once

#include <cstddef>
#include <utility>

namespace shale::engine {

inline constexpr std::size_t kPageBytes = 4096;
inline constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;

// Owns one mapping. Of kHugePageBytes or more it starts on a huge page and asks for them: a random access
// then misses the processor's caches, but not its table of pages too, which under a hypervisor costs as much
// again. Pages become resident when they are first touched (a huge one whole). Stops the process when the
// kernel has no memory left, as operator new does for want of a handler.
class MappedMemory {
 public:
  MappedMemory() = default;
  explicit MappedMemory(std::size_t bytes);  // rounded up to whole pages
  ~MappedMemory() { release(); }
  MappedMemory(MappedMemory&& other) noexcept
      : begin_(std::exchange(other.begin_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  MappedMemory& operator=(MappedMemory&& other) noexcept {
    std::swap(begin_, other.begin_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }

  std::byte* begin() const { return begin_; }
  std::size_t bytes() const { return bytes_; }

 private:
  void release();

  std::byte* begin_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace shale::engine
