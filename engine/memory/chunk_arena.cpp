#include "engine/memory/chunk_arena.h"

#include <utility>

namespace shale::engine {

ChunkArena::ChunkArena(std::size_t chunk_bytes, ChunkPool* pool)
    : chunk_bytes_(chunk_bytes),
      pool_(pool),
      chunk_shift_(static_cast<unsigned>(std::countr_zero(chunk_bytes / kUnitBytes))),
      offset_mask_((std::uint32_t{1} << chunk_shift_) - 1),
      open_offset_(chunk_bytes) {
  assert(std::has_single_bit(chunk_bytes) && chunk_bytes >= std::size_t{64} << 10 &&
         chunk_bytes <= kHugePageBytes);
}

ChunkArena::~ChunkArena() {
  if (pool_ == nullptr) return;
  for (MappedMemory& mapping : mappings_) {
    if (mapping.bytes() == chunk_bytes_) pool_->give_back(std::move(mapping));
  }
}

MappedMemory ChunkArena::new_chunk() const {
  return pool_ == nullptr ? MappedMemory{chunk_bytes_} : pool_->take(chunk_bytes_);
}

Reference ChunkArena::allocate(std::size_t bytes, std::size_t alignment) {
  assert(bytes > 0 && std::has_single_bit(alignment) && alignment >= kUnitBytes && alignment <= 64);
  if (is_large(bytes)) return add_mapping(MappedMemory{bytes}) << chunk_shift_;
  std::size_t offset = (open_offset_ + alignment - 1) & ~(alignment - 1);
  if (offset + bytes > chunk_bytes_) {
    open_chunk_ = add_mapping(new_chunk());
    offset = 0;
  }
  open_offset_ = (offset + bytes + kUnitBytes - 1) & ~(kUnitBytes - 1);
  return (open_chunk_ << chunk_shift_) | static_cast<Reference>(offset / kUnitBytes);
}

void ChunkArena::release(Reference reference, std::size_t bytes) {
  if (!is_large(bytes)) {
    dead_bytes_ += bytes;
    return;
  }
  const std::uint32_t number = reference >> chunk_shift_;
  memory_bytes_ -= mappings_[number].bytes();
  mappings_[number] = MappedMemory{};
  begins_[number] = nullptr;
  free_numbers_.push_back(number);
}

std::uint32_t ChunkArena::add_mapping(MappedMemory memory) {
  if (free_numbers_.empty()) {
    // Number 0 stays empty, so that no reference is 0.
    if (mappings_.empty()) {
      mappings_.emplace_back();
      begins_.push_back(nullptr);
    }
    assert(mappings_.size() < std::size_t{1} << (32 - chunk_shift_));
    free_numbers_.push_back(static_cast<std::uint32_t>(mappings_.size()));
    mappings_.emplace_back();
    begins_.push_back(nullptr);
  }
  const std::uint32_t number = free_numbers_.back();
  free_numbers_.pop_back();
  mappings_[number] = std::move(memory);
  begins_[number] = mappings_[number].begin();
  memory_bytes_ += mappings_[number].bytes();
  return number;
}

}  // namespace shale::engine
