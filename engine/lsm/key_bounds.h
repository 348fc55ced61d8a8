// Short stand-ins for keys. What stays in memory for as long as a table is open says where its keys begin and
// end, and a key may have 512 MB.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>

#include "engine/bytes.h"

namespace shale::engine::lsm {

// A key of no more than so many bytes is its own bound.
inline constexpr std::size_t kBoundBytesMax = 256;

// At or below the key, and no longer than kBoundBytesMax.
inline BytesView lower_bound_of(BytesView key) { return key.substr(0, kBoundBytesMax); }

// At or above the key, and no longer than kBoundBytesMax, unless all bytes up to there are the highest.
inline Bytes upper_bound_of(BytesView key) {
  if (key.size() <= kBoundBytesMax) return Bytes{key};
  std::size_t bytes = kBoundBytesMax;
  while (bytes != 0 && key[bytes - 1] == '\xff') --bytes;
  if (bytes == 0) return Bytes{key};
  Bytes bound{key.substr(0, bytes)};
  ++bound.back();
  return bound;
}

// The shortest beginning of `above` that is above `below`, which is a lower key.
inline BytesView shortest_between(BytesView below, BytesView above) {
  assert(below < above);
  const auto differ = std::mismatch(below.begin(), below.end(), above.begin(), above.end());
  return above.substr(0, static_cast<std::size_t>(differ.second - above.begin()) + 1);
}

}  // namespace shale::engine::lsm
