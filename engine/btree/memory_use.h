// What the B+ trees have allocated, counted where it is allocated and freed: pages in memory whoever holds
// them, writes that are not on disk yet, nodes, and what checkpoints put together. The pool of pages gives
// way to the rest (leaf_pool.h), so that all of it together keeps its budget.
//
// One count for the process, as a process has one store: pages outlive the store that has read them as long
// as somebody holds them.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace shale::engine::btree {

enum class MemoryKind : std::uint8_t {
  pages,       // images of pages, of leaves in memory or on their way
  buffers,     // of leaves: the newest writes
  nodes,       // inner nodes, and leaves without what they hold
  records,     // copies of records whose leaves are not in memory
  background,  // buffers and lists of checkpoints
};

// Thread-safe.
class MemoryUse {
 public:
  static constexpr std::size_t kKinds = 5;

  static std::uint64_t bytes(MemoryKind kind) { return counter(kind).load(std::memory_order_relaxed); }
  static std::uint64_t bytes() {
    std::uint64_t sum = 0;
    for (const auto& counter : counters_) sum += counter.load(std::memory_order_relaxed);
    return sum;
  }
  static void change(MemoryKind kind, std::size_t before, std::size_t now) {
    counter(kind).fetch_add(now - before, std::memory_order_relaxed);  // modulo 2^64
  }

 private:
  static std::atomic<std::uint64_t>& counter(MemoryKind kind) {
    return counters_[static_cast<std::size_t>(kind)];
  }
  static inline std::array<std::atomic<std::uint64_t>, kKinds> counters_{};
};

// What an object answers for as long as it lives.
class MemoryCharge {
 public:
  explicit MemoryCharge(MemoryKind kind, std::size_t bytes = 0) : kind_(kind) { set(bytes); }
  ~MemoryCharge() { set(0); }
  MemoryCharge(const MemoryCharge&) = delete;
  MemoryCharge& operator=(const MemoryCharge&) = delete;

  void set(std::size_t bytes) {
    if (bytes != bytes_) MemoryUse::change(kind_, std::exchange(bytes_, bytes), bytes);
  }
  std::size_t bytes() const { return bytes_; }

 private:
  const MemoryKind kind_;
  std::size_t bytes_ = 0;
};

// What the allocator takes for so many bytes: it has four sizes between two powers of two (jemalloc).
constexpr std::size_t allocation_bytes(std::size_t bytes) {
  constexpr std::size_t kSmallStep = 16;
  std::size_t step = kSmallStep;
  while (bytes > 8 * step) step *= 2;
  return (bytes + step - 1) / step * step;
}

}  // namespace shale::engine::btree
