// A stored value: a small header, then the payload.
//
//   byte 0    bits 0-3 type, bit 4 set if an expiry follows
//   bytes 1-8 expiry, Unix milliseconds, little-endian, if there is one
//   the rest  payload; for a string its bytes. Bit 5 of byte 0 set: a reference to a large value, which is
//             the payload (docs/large-values.md). Bit 6: a string that was changed in place
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include "engine/bytes.h"
#include "engine/engine.h"
#include "engine/large/large_value_format.h"

namespace shale::server {

using engine::Bytes;
using engine::BytesView;

enum class ValueType : std::uint8_t { string = 0 };  // stored: append, never renumber

constexpr std::int64_t kNoExpiry = 0;

struct Value {
  ValueType type = ValueType::string;
  std::int64_t expires_at_ms = kNoExpiry;
  bool edited = false;  // changed in place (APPEND, SETBIT): Redis does not look for a shorter encoding then
  BytesView payload;    // empty if it is a large value:
  std::optional<engine::LargeValueReference> large;

  std::uint64_t size() const { return large ? large->value_bytes : payload.size(); }  // of the payload
};

constexpr std::uint8_t kExpiryFlag = 0x10;
constexpr std::uint8_t kLargeFlag = 0x20;
constexpr std::uint8_t kEditedFlag = 0x40;

// `flags`: kLargeFlag, kEditedFlag.
inline void append_value_header(ValueType type, std::int64_t expires_at_ms, Bytes& out,
                                std::uint8_t flags = 0) {
  const bool expires = expires_at_ms != kNoExpiry;
  out.push_back(static_cast<char>(static_cast<std::uint8_t>(type) | (expires ? kExpiryFlag : 0) | flags));
  if (expires) out.append(reinterpret_cast<const char*>(&expires_at_ms), sizeof expires_at_ms);
}

// As StoreOptions::value_is_large.
inline bool value_is_large(BytesView stored) {
  return !stored.empty() && (static_cast<std::uint8_t>(stored[0]) & kLargeFlag) != 0;
}

// `stored` must be what append_value_header began. It may be cut off behind the header: then a large value
// is not recognised.
inline Value decode_value(BytesView stored) {
  const auto first = static_cast<std::uint8_t>(stored[0]);
  Value value;
  value.type = static_cast<ValueType>(first & 0x0f);
  value.edited = (first & kEditedFlag) != 0;
  std::size_t header_bytes = 1;
  if (first & kExpiryFlag) {
    std::memcpy(&value.expires_at_ms, stored.data() + 1, sizeof value.expires_at_ms);
    header_bytes += sizeof value.expires_at_ms;
  }
  value.payload = stored.substr(header_bytes);
  using Reference = engine::LargeValueReference;
  if (value_is_large(stored) && value.payload.size() == Reference::kEncodedBytes) {
    value.large = Reference::decode(std::span{value.payload}.first<Reference::kEncodedBytes>());
    value.payload = {};
  }
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
