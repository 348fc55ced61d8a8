// A Bloom filter in blocks of one cache line: a probe costs one cache miss. Putze, Sanders, Singler, "Cache-,
// hash- and space-efficient Bloom filters" (2007); the bits of a key within its block as in RocksDB's
// FastLocalBloom. At 10 bits per key about 0.95 % of absent keys pass, where an unblocked filter lets pass
// 0.84 %.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "engine/bytes.h"

namespace shale::engine::lsm {

// Immutable. Without keys or bits it is empty and lets everything pass.
class Filter {
 public:
  static constexpr std::size_t kBlockBytes = 64;

  Filter() = default;

  // Of the hashes of all keys (hash_bytes). Empty if `bits_per_key` is 0.
  static Filter build(std::span<const std::uint64_t> hashes, double bits_per_key);
  // What encode() wrote, or nothing if these bytes cannot have come from it.
  static std::optional<Filter> decode(BytesView stored);
  void encode(Bytes& into) const;

  bool is_empty() const { return block_count_ == 0; }
  std::size_t memory_bytes() const { return block_count_ * kBlockBytes; }

  void prefetch(std::uint64_t hash) const {
    if (block_count_ != 0) __builtin_prefetch(block_of(hash));
  }

  bool may_contain(std::uint64_t hash) const {
    if (block_count_ == 0) return true;
    const std::uint64_t* const words = block_of(hash);
    auto bits = static_cast<std::uint32_t>(hash);
    for (std::uint32_t probe = 0; probe != probe_count_; ++probe, bits *= kNextProbe) {
      const std::uint32_t bit = bits >> kBitShift;
      if ((words[bit / 64] >> (bit % 64) & 1) == 0) return false;
    }
    return true;
  }

 private:
  static constexpr std::uint32_t kBlockBits = kBlockBytes * 8;
  static constexpr std::uint32_t kBitShift = 32 - 9;  // the upper 9 bits name one of 512
  static_assert(kBlockBits == 1U << (32 - kBitShift));
  static constexpr std::uint32_t kNextProbe = 0x9e3779b9;  // 2^32 / golden ratio, odd

  struct FreeAligned {
    void operator()(std::uint64_t* words) const;
  };

  Filter(std::uint32_t block_count, std::uint32_t probe_count);

  // The upper half of the hash chooses the block, the lower half the bits.
  std::uint64_t* block_of(std::uint64_t hash) const {
    const std::uint64_t block = (hash >> 32) * block_count_ >> 32;
    return words_.get() + block * (kBlockBytes / sizeof(std::uint64_t));
  }
  void add(std::uint64_t hash);

  std::uint32_t block_count_ = 0;
  std::uint32_t probe_count_ = 0;
  std::unique_ptr<std::uint64_t[], FreeAligned> words_;
};

}  // namespace shale::engine::lsm
