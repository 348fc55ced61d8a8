#include "cluster/log_records.h"

#include <fmt/format.h>

#include "engine/encoding.h"

namespace shale::cluster {

namespace {

// In records that have nothing but changes of one kind, these are not counted.
constexpr std::size_t kOldChangeBytes = 8;

bool is_known(IdentityChange::Kind kind) {
  return kind == IdentityChange::Kind::renewed || kind == IdentityChange::Kind::swapped;
}

}  // namespace

void append_identity_changes(Bytes& payload, std::span<const IdentityChange> changes) {
  engine::append_u32(payload, static_cast<std::uint32_t>(changes.size()));
  for (const IdentityChange& change : changes) {
    engine::append_u8(payload, static_cast<std::uint8_t>(change.kind));
    engine::append_u32(payload, change.database);
    engine::append_u32(payload, change.second);
  }
}

engine::Result<std::vector<IdentityChange>> take_identity_changes(LogRecord kind, BytesView& payload) {
  using enum IdentityChange::Kind;
  engine::ByteReader reader{payload};
  std::uint64_t count = 0;
  switch (kind) {
    case LogRecord::batch: break;
    case LogRecord::flush_databases:
    case LogRecord::swap_databases:
      count = payload.size() / kOldChangeBytes;
      if (payload.size() % kOldChangeBytes != 0) return engine::corruption("a log record of odd length");
      break;
    case LogRecord::transaction:
    case LogRecord::identities: count = reader.u32(); break;
    default:
      return engine::Error{engine::ErrorKind::unsupported,
                           fmt::format("a log record of kind {}, which this build does not know",
                                       static_cast<unsigned>(kind))};
  }
  std::vector<IdentityChange> changes;
  while (!reader.failed() && changes.size() < count) {
    IdentityChange change{kind == LogRecord::swap_databases ? swapped : renewed, 0, 0};
    if (kind == LogRecord::identities) change.kind = static_cast<IdentityChange::Kind>(reader.u8());
    change.database = reader.u32();
    change.second = reader.u32();
    if (!is_known(change.kind)) return engine::corruption("a log record changes identities in no known way");
    changes.push_back(change);
  }
  if (reader.failed()) return engine::corruption("a log record of identities is too short");
  payload = reader.rest();
  return changes;
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
