// The runs of a sparse HyperLogLog (hyperloglog.h has the bytes).
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/bytes.h"

namespace shale::hyperloglog {

using engine::Bytes;
using engine::BytesView;

// A run of registers with one value, 0 or more.
struct Run {
  unsigned value = 0;
  std::size_t length = 0;
  std::size_t bytes = 0;  // that it takes

  bool is_value() const { return value != 0; }
};

constexpr std::size_t kZeroLengthMax = 64;
constexpr std::size_t kLongZeroLengthMax = 16384;
constexpr unsigned kRunValueMax = 32;
constexpr std::size_t kValueLengthMax = 4;

// The run that begins at `offset`, which is within the value. One whose second byte is missing has no length.
inline Run run_at(BytesView value, std::size_t offset) {
  const auto first = static_cast<unsigned char>(value[offset]);
  if ((first & 0x80) != 0) return {(first >> 2 & 0x1fU) + 1, (first & 0x3U) + 1, 1};
  if ((first & 0x40) == 0) return {0, (first & 0x3fU) + 1U, 1};
  if (offset + 1 >= value.size()) return {0, 0, 2};
  return {0, ((first & 0x3fU) << 8 | static_cast<unsigned char>(value[offset + 1])) + 1U, 2};
}

inline void append_zeros(std::size_t length, Bytes& out) {
  if (length == 0) return;
  const std::size_t stored = length - 1;
  if (length <= kZeroLengthMax) {
    out.push_back(static_cast<char>(stored));
  } else {
    out.push_back(static_cast<char>(0x40U | stored >> 8));
    out.push_back(static_cast<char>(stored & 0xffU));
  }
}

// `length` is at most kValueLengthMax.
inline void append_values(unsigned value, std::size_t length, Bytes& out) {
  if (length != 0) out.push_back(static_cast<char>(0x80U | (value - 1) << 2 | (length - 1)));
}

}  // namespace shale::hyperloglog
