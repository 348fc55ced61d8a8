// Memory for many small things that die together, addressed by 32 bits instead of 64.
#pragma once

#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/memory/chunk_pool.h"
#include "engine/memory/mapped_memory.h"

namespace shale::engine {

// A place in a ChunkArena, in units of 8 bytes: the number of the chunk, then the offset in it. 0 is no
// place.
using Reference = std::uint32_t;

// Hands out memory from chunks of one size, a power of two from 64 KiB to 2 MiB. What is larger than a
// quarter of a chunk gets a mapping of its own. The 32 bits reach 32 GiB in chunks; beyond that, an
// assertion.
//
// Not thread-safe; at() may be called from several threads while nobody allocates or releases.
class ChunkArena {
 public:
  static constexpr std::size_t kUnitBytes = 8;

  // Chunks come from the pool and go to it, which must outlive the arena; without one, from the kernel.
  explicit ChunkArena(std::size_t chunk_bytes, ChunkPool* pool = nullptr);
  ~ChunkArena();
  ChunkArena(const ChunkArena&) = delete;
  ChunkArena& operator=(const ChunkArena&) = delete;

  // What is in it is not defined; `alignment` is a power of two of 8..64.
  Reference allocate(std::size_t bytes, std::size_t alignment = kUnitBytes);
  // What has a mapping of its own goes back to the kernel at once, the rest when the arena dies. `bytes` as
  // allocated.
  void release(Reference reference, std::size_t bytes);

  std::byte* at(Reference reference) const {
    return begins_[reference >> chunk_shift_] + (reference & offset_mask_) * kUnitBytes;
  }

  std::size_t memory_bytes() const { return memory_bytes_; }  // mapped
  std::size_t dead_bytes() const { return dead_bytes_; }      // released, but still mapped

 private:
  bool is_large(std::size_t bytes) const { return bytes > chunk_bytes_ / 4; }
  std::uint32_t add_mapping(MappedMemory memory);
  MappedMemory new_chunk() const;

  const std::size_t chunk_bytes_;
  ChunkPool* const pool_;
  const unsigned chunk_shift_;
  const std::uint32_t offset_mask_;
  std::vector<std::byte*> begins_;  // by chunk number; apart from mappings_ so that it stays in the caches
  std::vector<MappedMemory> mappings_;
  std::vector<std::uint32_t> free_numbers_;  // of mappings released early
  std::uint32_t open_chunk_ = 0;             // the chunk being filled
  std::size_t open_offset_;                  // bytes used in it
  std::size_t memory_bytes_ = 0;
  std::size_t dead_bytes_ = 0;
};

}  // namespace shale::engine
