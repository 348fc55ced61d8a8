// What DUMP gives and RESTORE takes: one value as it stands in an RDB file, with the file's version and a
// checksum.
//
//   payload := type:u8  value  version:u16  crc64:u64       little-endian; crc64 of all before it
//   A string's type is 0, and its value one of
//     length  bytes
//     0xc0 number:i8 | 0xc1 number:i16 | 0xc2 number:i32
//     0xc3 compressed length  length  LZF stream
//   length := 00LLLLLL | 01LLLLLL llllllll | 0x80 u32 big-endian | 0x81 u64 big-endian
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "engine/bytes.h"

namespace shale::rdb {

using engine::Bytes;
using engine::BytesView;

// Strings are the same in all versions; this one is read by every Redis since 7.0.
constexpr std::uint16_t kVersionWritten = 10;
constexpr std::uint16_t kVersionReadMax = 12;  // Redis 7.4's
constexpr std::size_t kFooterBytes = sizeof(std::uint16_t) + sizeof(std::uint64_t);

Bytes dump_string(BytesView bytes);

// The same of a string that is not at hand: what stands before its bytes, and, once the checksum of all up to
// there is known, behind them.
Bytes string_header(std::uint64_t length);
Bytes footer(std::uint64_t crc_of_all_before);  // crc64, of header and bytes

// Version and checksum, as RESTORE checks them first.
bool is_sound(BytesView payload);

enum class Damage : std::uint8_t { none, bad_format, too_long };
struct Restored {
  Damage damage = Damage::none;
  Bytes bytes;  // of the string
};
// The string of a sound payload. too_long: it has more than `bytes_max` bytes. bad_format: also of all other
// types.
Restored restore_string(BytesView payload, std::uint64_t bytes_max);

}  // namespace shale::rdb
