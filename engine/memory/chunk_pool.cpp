#include "engine/memory/chunk_pool.h"

#include <utility>

namespace shale::engine {

void ChunkPool::set_bytes_max(std::uint64_t bytes_max) {
  std::vector<MappedMemory> surplus;  // unmapped without the lock
  const std::lock_guard lock{mutex_};
  bytes_max_ = bytes_max;
  while (bytes_ > bytes_max_) {
    bytes_ -= chunks_.back().bytes();
    surplus.push_back(std::move(chunks_.back()));
    chunks_.pop_back();
  }
}

MappedMemory ChunkPool::take(std::size_t bytes) {
  std::vector<MappedMemory> others;
  {
    const std::lock_guard lock{mutex_};
    if (!chunks_.empty() && chunks_.back().bytes() == bytes) {
      MappedMemory chunk = std::move(chunks_.back());
      chunks_.pop_back();
      bytes_ -= bytes;
      return chunk;
    }
    others.swap(chunks_);
    bytes_ = 0;
  }
  return MappedMemory{bytes};
}

void ChunkPool::give_back(MappedMemory memory) {
  const std::lock_guard lock{mutex_};
  const bool is_like_others = chunks_.empty() || chunks_.back().bytes() == memory.bytes();
  if (!is_like_others || bytes_ + memory.bytes() > bytes_max_) return;
  bytes_ += memory.bytes();
  chunks_.push_back(std::move(memory));
}

std::uint64_t ChunkPool::bytes() const {
  const std::lock_guard lock{mutex_};
  return bytes_;
}

}  // namespace shale::engine
