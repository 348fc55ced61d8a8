// Compression of single blocks. Which one a block has is stored with the block, so tables of one tree may
// differ.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/bytes.h"

namespace shale::engine::lsm {

enum class Compression : std::uint8_t { none = 0, lz4 = 1, zstd = 2 };  // stored: append, never renumber

constexpr bool is_known(Compression compression) { return compression <= Compression::zstd; }

// Puts `raw` into `into`, compressed. False if that would not save at least an eighth, or if `compression` is
// none; `into` is then of no use.
bool compress(Compression compression, BytesView raw, Bytes& into);

// The most bytes that `stored_bytes` of compressed text can stand for: whoever claims more is damaged.
std::uint64_t raw_bytes_max(Compression compression, std::uint64_t stored_bytes);

// Fills exactly `raw_bytes` at `into`. False if `stored` is damaged or stands for another number of bytes.
bool decompress(Compression compression, BytesView stored, char* into, std::size_t raw_bytes);

}  // namespace shale::engine::lsm
