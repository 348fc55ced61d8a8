// What a page file says of its trees, and the superblock that says where.
//
//   superblock := magic:u8[8] "SHALEPAG"  format:u32 (3; 1 and 2 are read)  sequence:u64  offset:u64
//   bytes:u32 check:u32
//                 checksum:u64
//   directory  := trees:varint  tree*
//   tree       := id:varint  persisted_lsn:varint  root:address
//                 balances:varint  (class:varint  sum:signed varint) *balances
//
// Two superblocks stand in the first two blocks of the file, 4096 bytes each, and as a rule say the same. The
// checksum is XXH3-64 of what stands before it; the rest of the block is zero. `offset`, `bytes` and `check`
// are the address of the directory page. A tree without a root is empty.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "engine/btree/page_format.h"
#include "engine/bytes.h"
#include "engine/lsm/class_counts.h"

namespace shale::engine::btree {

inline constexpr std::uint32_t kFormat = 3;
inline constexpr std::uint32_t kFormatMin =
    1;  // whose inner nodes may lack counts of keys, as those of 2 lack times
inline constexpr std::uint64_t kSuperblockBytes = 4096;
inline constexpr std::uint64_t kPagesBegin = 2 * kSuperblockBytes;

struct Superblock {
  std::uint32_t format = kFormat;
  std::uint64_t sequence = 0;  // grows by one with each commit; 0: of a file that has just been made
  PageAddress directory;       // none: no trees

  Bytes encode() const;  // kSuperblockBytes
  // Nothing if it is not one, or damaged.
  static std::optional<Superblock> decode(BytesView block);
};

struct TreeState {
  Lsn persisted_lsn = 0;
  PageAddress root;  // an inner node
  lsm::ClassCounts counts;
};

using Directory = std::map<std::uint32_t, TreeState>;  // by tree

PageImage::Ref encode_directory(const Directory& directory);  // without its header filled in
std::optional<Directory> decode_directory(BytesView payload);

}  // namespace shale::engine::btree
