// Strings as rows of bits: bit 0 is the highest of the first byte. Knows bytes, and nothing of commands.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "engine/bytes.h"

namespace shale::bits {

using engine::Bytes;
using engine::BytesView;

// Bits first to last, both included; empty if last < first.
struct BitRange {
  std::int64_t first = 0;
  std::int64_t last = -1;

  bool empty() const { return last < first; }
};

std::uint64_t count_ones(BytesView bytes);
// Of the bits in `range`, which lies within `bytes`.
std::uint64_t count_ones(BytesView bytes, BitRange range);

// The first bit that is `wanted`.
std::optional<std::uint64_t> find_bit(BytesView bytes, bool wanted);
// The first in `range`, which lies within `bytes`.
std::optional<std::uint64_t> find_bit(BytesView bytes, BitRange range, bool wanted);

enum class Operation : std::uint8_t { bit_and, bit_or, bit_xor, bit_not };

// into = into op other. An operand that is shorter than `into` goes on in zeros; none is longer. bit_not
// takes no other.
void combine(Operation operation, std::span<char> into, BytesView other);
void invert(std::span<char> bytes);

// `width` bits, 1 to 64, from bit `offset` on, as an unsigned number, the highest bit first. Bits behind the
// end are zeros.
std::uint64_t read_field(BytesView bytes, std::uint64_t offset, unsigned width);
// The lowest `width` bits of `value`. The field lies within `bytes`.
void write_field(std::span<char> bytes, std::uint64_t offset, unsigned width, std::uint64_t value);

}  // namespace shale::bits
