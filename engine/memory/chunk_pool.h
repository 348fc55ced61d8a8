// Chunks that one arena has given up and another will want: to give one back to the kernel and to take a new
// one costs a fault for each page and makes all processors forget the old ones (docs/lsm.md, "Memory for
// memtables").
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "engine/memory/mapped_memory.h"

namespace shale::engine {

// Thread-safe.
class ChunkPool {
 public:
  // Keeps `bytes_max` at most; what is given to it beyond that goes back to the kernel.
  explicit ChunkPool(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}
  void set_bytes_max(std::uint64_t bytes_max);

  // Memory of that size; what is in it is not defined.
  MappedMemory take(std::size_t bytes);
  void give_back(MappedMemory memory);

  std::uint64_t bytes() const;  // kept now

 private:
  // Chunks of one size. When the size asked for changes, because budgets have, the others go.
  mutable std::mutex mutex_;  // guards everything below
  std::uint64_t bytes_max_;
  std::vector<MappedMemory> chunks_;
  std::uint64_t bytes_ = 0;
};

}  // namespace shale::engine
