// Which bytes of a page file nobody needs.
//
// Pages lie back to back, but space is handed out in blocks that are wholly free: no block that is being
// written holds a byte of a page that counts, so no torn write can hurt one.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>

namespace shale::engine::btree {

inline constexpr std::uint64_t kBlockBytes = 4096;

constexpr std::uint64_t round_up_to_block(std::uint64_t bytes) {
  return (bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
}

struct BlockRun {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  bool operator==(const BlockRun&) const = default;
};

// Not thread-safe.
class FreeSpace {
 public:
  // The bytes must not be free already.
  void add(std::uint64_t offset, std::uint64_t bytes);
  // Wholly free blocks, `bytes_min` at least and `bytes_max` at most, the two rounded up to blocks: of the
  // places that are surely large enough one at a low offset. Nothing if there is no such place.
  std::optional<BlockRun> take(std::uint64_t bytes_min, std::uint64_t bytes_max);
  // The free bytes in [begin, end) that come first, as far as they go on; nothing if there are none.
  std::optional<BlockRun> first_in(std::uint64_t begin, std::uint64_t end) const;
  // Takes bytes, which are free, wherever they lie.
  void take_at(const BlockRun& run);
  // Takes away what is free in front of `end`, whole blocks of it, and returns where that begins.
  std::uint64_t trim(std::uint64_t end);

  std::uint64_t bytes() const { return bytes_; }
  // Of whole blocks: what take() can give.
  std::uint64_t block_bytes() const { return block_bytes_; }
  std::size_t piece_count() const { return pieces_.size(); }

 private:
  static constexpr std::size_t kClassCount = 48;
  using Pieces = std::map<std::uint64_t, std::uint64_t>;  // offset -> bytes

  // The whole blocks of a piece; no bytes if there are none.
  static BlockRun blocks_of(std::uint64_t offset, std::uint64_t bytes);
  static std::size_t size_class(std::uint64_t bytes);
  void insert(std::uint64_t offset, std::uint64_t bytes);
  void erase(Pieces::iterator piece);

  Pieces pieces_;
  // Offsets of pieces, by how many blocks they have: class k has 2^k to 2^(k+1) - 1.
  std::array<std::set<std::uint64_t>, kClassCount> classes_;
  std::uint64_t bytes_ = 0;
  std::uint64_t block_bytes_ = 0;
};

}  // namespace shale::engine::btree
