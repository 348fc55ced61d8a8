// Where a cached block hangs: a handle, how often the block has been wanted, whether it has been found sound
// before, and a lock, in eight bytes.
//
// Each open table has one for each of its blocks, side by side, so that a read gets from the number of a
// block to the block in one step: no hashing, no list of buckets, no lock that other blocks share. The lock
// is held for some ten instructions, while the reference is counted or the slot changes hands; only threads
// that want the same block at the same moment meet at it.
#pragma once

#include <atomic>
#include <cassert>
#include <cstdint>
#include <thread>

#include "engine/lsm/block.h"

namespace shale::engine::lsm {

// Thread-safe.
class BlockSlot {
 public:
  static constexpr unsigned kFrequencyMax = 3;

  BlockSlot() = default;
  ~BlockSlot() { take(); }
  BlockSlot(const BlockSlot&) = delete;
  BlockSlot& operator=(const BlockSlot&) = delete;

  bool is_empty() const { return block_in(word_.load(std::memory_order_acquire)) == nullptr; }

  // Whether the block's structure has been checked before. What is noted while another thread changes the
  // slot may be forgotten.
  bool was_found_sound() const { return (word_.load(std::memory_order_acquire) & kSound) != 0; }
  void note_sound() {
    if (!was_found_sound()) word_.fetch_or(kSound, std::memory_order_release);
  }

  // Null if the slot is empty. If `is_wanted`, the frequency grows by one, up to kFrequencyMax.
  BlockHandle find(bool is_wanted) {
    if (is_empty()) return nullptr;
    const std::uintptr_t word = lock();
    if (block_in(word) != nullptr) block_in(word)->prefetch();  // counting the reference waits for its line
    BlockHandle block{block_in(word)};
    const bool grows = is_wanted && frequency_in(word) != kFrequencyMax;
    unlock(block != nullptr && grows ? word + kFrequencyUnit : word);
    return block;
  }

  // Requires that the slot is empty; the frequency begins at 0.
  void put(BlockHandle block) {
    const std::uintptr_t word = lock();
    assert(block_in(word) == nullptr);
    unlock(reinterpret_cast<std::uintptr_t>(block.detach()) | (word & kSound));
  }

  BlockHandle take() {
    if (is_empty()) return nullptr;
    const std::uintptr_t word = lock();
    BlockHandle block{block_in(word), false};  // the slot's own reference: not counted again
    unlock(word & kSound);
    return block;
  }

  unsigned frequency() const { return frequency_in(word_.load(std::memory_order_relaxed)); }
  void set_frequency(unsigned frequency) {
    const std::uintptr_t word = lock();
    unlock((word & ~kFrequencyMask) | frequency * kFrequencyUnit);
  }

  // Start fetching the slot; then, once that has arrived, the block.
  void prefetch() const { __builtin_prefetch(&word_); }
  void prefetch_block() const {
    // The block may go at any moment; to prefetch what is gone does no harm.
    const Block* const block = block_in(word_.load(std::memory_order_relaxed));
    if (block != nullptr) block->prefetch();
  }

 private:
  static constexpr std::uintptr_t kLocked = 1;
  static constexpr std::uintptr_t kFrequencyUnit = 2;
  static constexpr std::uintptr_t kFrequencyMask = kFrequencyMax * kFrequencyUnit;
  static constexpr std::uintptr_t kSound = 8;
  static constexpr std::uintptr_t kAddressMask = ~(kLocked | kFrequencyMask | kSound);
  static_assert(alignof(Block) > (kLocked | kFrequencyMask | kSound));

  static const Block* block_in(std::uintptr_t word) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the number was made of a pointer
    return reinterpret_cast<const Block*>(word & kAddressMask);
  }
  static unsigned frequency_in(std::uintptr_t word) {
    return static_cast<unsigned>((word & kFrequencyMask) / kFrequencyUnit);
  }

  // The word without the lock bit.
  std::uintptr_t lock() {
    std::uintptr_t word = word_.fetch_or(kLocked, std::memory_order_acquire);
    while ((word & kLocked) != 0) {
      std::this_thread::yield();  // rather than spin: the holder may have lost its core
      word = word_.fetch_or(kLocked, std::memory_order_acquire);
    }
    return word;
  }
  void unlock(std::uintptr_t word) { word_.store(word, std::memory_order_release); }

  std::atomic<std::uintptr_t> word_ = 0;  // block address | found sound | frequency | lock
};

}  // namespace shale::engine::lsm
