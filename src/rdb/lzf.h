// LZF, the compression of strings in RDB files and DUMP payloads. A stream is made of
//
//   000LLLLL  L+1 bytes               those bytes
//   LLLooooo oooooooo                 LLL, 1 to 6: LLL+2 bytes again, from o+1 bytes back
//   111ooooo LLLLLLLL oooooooo        L+9 bytes again, likewise
//
// o having 13 bits, the high ones first. Source of the format: LibLZF by Marc Lehmann.
#pragma once

#include <cstddef>
#include <optional>

#include "engine/bytes.h"

namespace shale::rdb {

using engine::Bytes;
using engine::BytesView;

// Nothing if it would have more than `bytes_max` bytes.
std::optional<Bytes> lzf_compress(BytesView bytes, std::size_t bytes_max);

// Nothing if `stream` is damaged, or does not make exactly `length` bytes.
std::optional<Bytes> lzf_decompress(BytesView stream, std::size_t length);

}  // namespace shale::rdb
