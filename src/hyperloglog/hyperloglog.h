// HyperLogLog as Redis stores it in a string: how many different elements have been added, within a percent,
// in 12 KiB at most. Knows bytes, and nothing of commands.
//
//   offset  size
//   0       4     "HYLL"
//   4       1     encoding: 0 dense, 1 sparse
//   5       3     not used, zeros
//   8       8     the estimate when it was last asked for, little-endian; highest bit set: it is out of date
//   16            16384 registers of 6 bits:
//
// Dense:  register n is in bits 6n to 6n+5, the lowest bit of a byte first. 12304 bytes in all.
// Sparse: runs of registers, in order, in one or two bytes each:
//   00LLLLLL            ZERO   L+1 registers are 0
//   01LLLLLL llllllll   XZERO  L+1 registers are 0, L having 14 bits, the high ones first
//   1VVVVVLL            VAL    L+1 registers are V+1
// A value begins sparse, and becomes dense when it would have a register above 32 or grow to more bytes than
// the caller allows.
//
// An element is hashed (MurmurHash64A, of which Austin Appleby is the author, with Redis's seed): 14 bits
// choose the register, and that becomes at least 1 + the number of zeros that the rest ends with. The
// estimate is Otmar Ertl's ("New cardinality estimation algorithms for HyperLogLog sketches", 2017). What is
// written here has the same bytes as Redis would give it, so that values move between servers.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "engine/bytes.h"

namespace shale::hyperloglog {

using engine::Bytes;
using engine::BytesView;

constexpr std::size_t kRegisterCount = 16384;
using Registers = std::array<std::uint8_t, kRegisterCount>;

constexpr std::size_t kSparseBytesMax = 3000;                  // Redis's default
enum class Encoding : std::uint8_t { dense = 0, sparse = 1 };  // stored

// A value without elements, sparse.
Bytes make_empty();
// Whether `value` begins as one, and if it is dense has the right length. The functions below take only such.
bool is_valid(BytesView value);
Encoding encoding(BytesView value);

enum class Change : std::uint8_t { none, made, corrupt };  // corrupt: a sparse value's runs are no registers

// Adds an element. Of a corrupt value nothing is changed. A sparse value may have `sparse_bytes_max` bytes.
Change add(Bytes& value, BytesView element, std::size_t sparse_bytes_max = kSparseBytesMax);
// Makes a register at least `count`, 1 to 51.
Change raise(Bytes& value, std::size_t index, std::uint8_t count,
             std::size_t sparse_bytes_max = kSparseBytesMax);
// Makes a sparse value dense; false if it is corrupt.
bool make_dense(Bytes& value);

// Raises `into` to the registers of `value`; false if it is corrupt.
bool merge(Registers& into, BytesView value);

std::uint64_t estimate(const Registers& registers);

// The estimate that is kept in the value, if it is up to date.
std::optional<std::uint64_t> kept_estimate(BytesView value);
void keep_estimate(Bytes& value, std::uint64_t estimate);
void drop_estimate(Bytes& value);

// A sparse value's runs, as PFDEBUG DECODE shows them: "Z:8094 v:2,1 z:12".
std::string describe_runs(BytesView value);

}  // namespace shale::hyperloglog
