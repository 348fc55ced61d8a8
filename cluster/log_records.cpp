#include "cluster/log_records.h"

#include "engine/encoding.h"

namespace shale::cluster {

engine::Result<BytesView> take_identity_changes(BytesView& payload) {
  engine::ByteReader reader{payload};
  const std::uint64_t bytes = std::uint64_t{reader.u32()} * kIdentityChangeBytes;
  const BytesView rest = reader.rest();
  if (reader.failed() || rest.size() < bytes) {
    return engine::corruption("a log record of a transaction is too short");
  }
  payload = rest.substr(bytes);
  return rest.substr(0, bytes);
}

void append_put(Bytes& payload, BytesView position, BytesView value) {
  engine::append_u8(payload, static_cast<std::uint8_t>(WriteOperation::put));
  engine::append_length_prefixed(payload, position);
  engine::append_length_prefixed(payload, value);
}

void append_erase(Bytes& payload, BytesView position) {
  engine::append_u8(payload, static_cast<std::uint8_t>(WriteOperation::erase));
  engine::append_length_prefixed(payload, position);
}

engine::Result<LoggedWrite> take_write(Placement placement, BytesView& payload) {
  engine::ByteReader reader{payload};
  LoggedWrite write{static_cast<WriteOperation>(reader.u8()), reader.length_prefixed(), {}};
  const bool known = write.operation == WriteOperation::put || write.operation == WriteOperation::erase;
  if (write.operation == WriteOperation::put) write.value = reader.length_prefixed();
  if (reader.failed() || !known || write.position.size() < placement.prefix_bytes()) {
    return engine::corruption("a log record holds a write that this build cannot read");
  }
  payload = reader.rest();
  return write;
}

}  // namespace shale::cluster
