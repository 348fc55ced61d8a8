#include "engine/lsm/value_reference.h"

#include <algorithm>
#include <cassert>

namespace shale::engine::lsm {

void ValueReference::append_to(Bytes& encoded) const {
  assert(head.size() == std::min<std::uint64_t>(value_bytes, kValueHeadBytes));
  append_varint(encoded, file);
  append_varint(encoded, offset);
  append_varint(encoded, value_bytes);
  encoded.append(head);
}

std::optional<ValueReference> ValueReference::decode(BytesView encoded) {
  ByteReader reader{encoded};
  ValueReference reference;
  reference.file = reader.varint();
  reference.offset = reader.varint();
  reference.value_bytes = reader.varint();
  reference.head = reader.take(std::min<std::uint64_t>(reference.value_bytes, kValueHeadBytes));
  if (reader.failed() || !reader.at_end()) return std::nullopt;
  return reference;
}

BytesView value_head(const Entry& entry) {
  if (!entry.tag.separated) return entry.value;
  const std::optional<ValueReference> reference = ValueReference::decode(entry.value);
  assert(reference);
  return reference->head;
}

}  // namespace shale::engine::lsm
