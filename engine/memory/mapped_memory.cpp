#include "engine/memory/mapped_memory.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace shale::engine {

namespace {

std::size_t round_up(std::size_t bytes, std::size_t unit) { return (bytes + unit - 1) & ~(unit - 1); }

std::byte* map(std::size_t bytes) {
  void* const begin = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (begin == MAP_FAILED) {
    std::perror("shale: mmap");
    std::fprintf(stderr, "shale: no memory left: cannot map %zu bytes\n", bytes);
    std::abort();
  }
  return static_cast<std::byte*>(begin);
}

// Maps more than asked for and cuts off what is not aligned.
std::byte* map_on_huge_page(std::size_t bytes) {
  std::byte* const begin = map(bytes + kHugePageBytes);
  const std::size_t before = -reinterpret_cast<std::uintptr_t>(begin) & (kHugePageBytes - 1);
  if (before != 0) munmap(begin, before);
  munmap(begin + before + bytes, kHugePageBytes - before);
  madvise(begin + before, bytes, MADV_HUGEPAGE);  // a wish: without huge pages it works too
  return begin + before;
}

}  // namespace

MappedMemory::MappedMemory(std::size_t bytes) : bytes_(round_up(bytes, kPageBytes)) {
  begin_ = bytes_ >= kHugePageBytes ? map_on_huge_page(bytes_) : map(bytes_);
}

void MappedMemory::release() {
  if (begin_ != nullptr) munmap(begin_, bytes_);
}

}  // namespace shale::engine
