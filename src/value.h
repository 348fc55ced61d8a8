// A stored value: a small header, then the payload.
//
//   byte 0    bits 0-3 type, bit 4 set if an expiry follows
//   bytes 1-8 expiry, Unix milliseconds, little-endian, if there is one
//   the rest  payload; for a string its bytes
#pragma once

#include <cstdint>
#include <cstring>

#include "engine/bytes.h"
#include "engine/engine.h"

namespace shale::server {

using engine::Bytes;
using engine::BytesView;

enum class ValueType : std::uint8_t { string = 0 };  // stored: append, never renumber

constexpr std::int64_t kNoExpiry = 0;

struct Value {
  ValueType type = ValueType::string;
  std::int64_t expires_at_ms = kNoExpiry;
  BytesView payload;
};

constexpr std::uint8_t kExpiryFlag = 0x10;

inline void append_value_header(ValueType type, std::int64_t expires_at_ms, Bytes& out) {
  const bool expires = expires_at_ms != kNoExpiry;
  out.push_back(static_cast<char>(static_cast<std::uint8_t>(type) | (expires ? kExpiryFlag : 0)));
  if (expires) out.append(reinterpret_cast<const char*>(&expires_at_ms), sizeof expires_at_ms);
}

// `stored` must be what append_value_header began.
inline Value decode_value(BytesView stored) {
  const auto first = static_cast<std::uint8_t>(stored[0]);
  Value value;
  value.type = static_cast<ValueType>(first & 0x0f);
  std::size_t header_bytes = 1;
  if (first & kExpiryFlag) {
    std::memcpy(&value.expires_at_ms, stored.data() + 1, sizeof value.expires_at_ms);
    header_bytes += sizeof value.expires_at_ms;
  }
  value.payload = stored.substr(header_bytes);
  return value;
}

// When the value expires, or engine::KeyPolicy::kNeverObsolete.
inline std::int64_t value_expiry_ms(BytesView stored) {
  const std::int64_t expires_at_ms = stored.empty() ? kNoExpiry : decode_value(stored).expires_at_ms;
  return expires_at_ms == kNoExpiry ? engine::KeyPolicy::kNeverObsolete : expires_at_ms;
}

inline bool value_expired(BytesView stored, std::int64_t unix_ms) {
  return value_expiry_ms(stored) <= unix_ms;
}

inline const char* type_name(ValueType type) {
  switch (type) {
    case ValueType::string: return "string";
  }
  return "none";
}

}  // namespace shale::server
