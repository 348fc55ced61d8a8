// How numbers are written into files: fixed-width little-endian, or as varints (seven bits a byte, lowest
// first, the top bit set on all but the last byte).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "engine/bytes.h"

namespace shale::engine {

static_assert(std::endian::native == std::endian::little, "fixed-width numbers are copied as they stand");

template <class Number>
void store_number(char* to, Number number) {
  std::memcpy(to, &number, sizeof number);
}
inline std::uint16_t load_u16(const char* from) {
  std::uint16_t value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
inline std::uint32_t load_u32(const char* from) {
  std::uint32_t value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
inline std::uint64_t load_u64(const char* from) {
  std::uint64_t value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

inline void append_u8(Bytes& to, std::uint8_t value) { to.push_back(static_cast<char>(value)); }
inline void append_u16(Bytes& to, std::uint16_t value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}
inline void append_u32(Bytes& to, std::uint32_t value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}
inline void append_u64(Bytes& to, std::uint64_t value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

inline constexpr std::size_t kVarintBytesMax = 10;

// Writes at `to`, where there must be room for kVarintBytesMax, and returns the place behind.
inline char* write_varint(char* to, std::uint64_t value) {
  while (value >= 0x80) {
    *to++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *to++ = static_cast<char>(value);
  return to;
}
inline void append_varint(Bytes& to, std::uint64_t value) {
  char buffer[kVarintBytesMax];
  to.append(buffer, static_cast<std::size_t>(write_varint(buffer, value) - buffer));
}
// Small magnitudes of either sign become short varints.
inline void append_signed_varint(Bytes& to, std::int64_t value) {
  append_varint(to, static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63));
}
inline void append_length_prefixed(Bytes& to, BytesView bytes) {
  append_varint(to, bytes.size());
  to.append(bytes);
}

// Reads a varint that begins at `from` and returns the place behind it, or nullptr if it does not end before
// `end` or exceeds 64 bits. Accepts only the shortest form, so that equal numbers have equal bytes.
inline const char* read_varint(const char* from, const char* end, std::uint64_t& value) {
  if (from != end && static_cast<unsigned char>(*from) < 0x80) {
    value = static_cast<unsigned char>(*from);
    return from + 1;
  }
  std::uint64_t result = 0;
  for (unsigned shift = 0; shift < 64 && from != end; shift += 7) {
    const auto byte = static_cast<unsigned char>(*from++);
    if (shift == 63 && byte > 1) return nullptr;
    result |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      if (byte == 0) return nullptr;
      value = result;
      return from;
    }
  }
  return nullptr;
}

// Takes values off the front of bytes that may be damaged. After the first that does not fit, this and every
// further value is 0 or empty and failed() is true: ask once, at the end.
class ByteReader {
 public:
  explicit ByteReader(BytesView bytes) : rest_(bytes) {}

  bool failed() const { return failed_; }
  BytesView rest() const { return rest_; }
  bool at_end() const { return rest_.empty(); }

  BytesView take(std::uint64_t count) {
    if (failed_ || count > rest_.size()) {
      fail();
      return {};
    }
    const BytesView taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  std::uint8_t u8() {
    const BytesView bytes = take(1);
    return failed_ ? std::uint8_t{0} : static_cast<std::uint8_t>(bytes.front());
  }
  std::uint32_t u32() {
    const BytesView bytes = take(sizeof(std::uint32_t));
    return failed_ ? 0 : load_u32(bytes.data());
  }
  std::uint64_t u64() {
    const BytesView bytes = take(sizeof(std::uint64_t));
    return failed_ ? 0 : load_u64(bytes.data());
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    const char* const end = rest_.data() + rest_.size();
    const char* const behind = failed_ ? nullptr : read_varint(rest_.data(), end, value);
    if (behind == nullptr) {
      fail();
      return 0;
    }
    rest_.remove_prefix(static_cast<std::size_t>(behind - rest_.data()));
    return value;
  }
  std::int64_t signed_varint() {
    const std::uint64_t value = varint();
    return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
  }
  BytesView length_prefixed() { return take(varint()); }

 private:
  void fail() {
    failed_ = true;
    rest_ = {};
  }

  BytesView rest_;
  bool failed_ = false;
};

}  // namespace shale::engine
