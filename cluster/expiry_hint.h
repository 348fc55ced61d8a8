// A hint that a key expires: written down beside each write of a value that does, and looked at when it is
// due.
// It is advice, never the truth: the value says when it expires, and may have been written over since.
//
//   hint := due:u64 (Unix milliseconds)  looks:u8  position_length:varint  position
//
// docs/expiry.md.
#pragma once

#include <cstdint>
#include <optional>

#include "cluster/position.h"
#include "engine/encoding.h"

namespace shale::cluster {

struct ExpiryHint {
  std::int64_t due_ms = 0;  // when the value expires for which the hint was written
  // How often the key will have been looked at before that, this time included; 0: it is looked at when due.
  std::uint8_t looks = 0;
  BytesView position;

  static constexpr std::size_t kPositionOffset = sizeof due_ms + sizeof looks;  // its length is there
};

inline void append_hint(const ExpiryHint& hint, Bytes& to) {
  engine::append_u64(to, static_cast<std::uint64_t>(hint.due_ms));
  engine::append_u8(to, hint.looks);
  engine::append_varint(to, hint.position.size());
  to.append(hint.position);
}

// Takes the first hint off `bytes`; nothing if there is none, or it is no hint.
inline std::optional<ExpiryHint> take_hint(BytesView& bytes) {
  if (bytes.size() <= ExpiryHint::kPositionOffset) return {};
  ExpiryHint hint;
  hint.due_ms = static_cast<std::int64_t>(engine::load_u64(bytes.data()));
  hint.looks = static_cast<std::uint8_t>(bytes[sizeof hint.due_ms]);
  std::uint64_t length = 0;
  const char* const end = bytes.data() + bytes.size();
  const char* const from = engine::read_varint(bytes.data() + ExpiryHint::kPositionOffset, end, length);
  if (from == nullptr || length > static_cast<std::uint64_t>(end - from)) return {};
  hint.position = {from, length};
  bytes = {from + length, static_cast<std::size_t>(end - from) - length};
  return hint;
}

}  // namespace shale::cluster
