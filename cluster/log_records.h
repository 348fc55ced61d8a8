// What the store writes into the log. Record kinds and the payloads behind them; docs/formats.md has the
// bytes.
//
//   batch            := write*        one transaction's writes, whatever shards they are in
//     write          := operation:u8 (1 put, 2 erase)  position_length:varint  position
//                       [put only: value_length:varint  value]
//   identities       := count:u32  change[count]  write*
//     change         := kind:u8 (1 renewed, 2 swapped)  database:u32  second:u32
// Changes of databases' identities come one after the other, and before the writes; writes to identities that
// are no database's any more say nothing. Earlier builds wrote, and this one reads:
//   flush_databases  := (database:u32  new identity:u32)*
//   swap_databases   := database:u32  database:u32
//   transaction      := count:u32  (database:u32  new identity:u32)[count]  write*
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cluster/position.h"
#include "engine/log/log.h"
#include "engine/result.h"

namespace shale::cluster {

enum class LogRecord : engine::RecordKind {
  batch = 1,
  flush_databases = 2,
  swap_databases = 3,
  transaction = 4,
  identities = 5,
};  // stored: append, never renumber

enum class WriteOperation : std::uint8_t { put = 1, erase = 2 };  // stored: append, never renumber

struct IdentityChange {
  enum class Kind : std::uint8_t { renewed = 1, swapped = 2 };  // stored: append, never renumber
  Kind kind;
  std::uint32_t database;  // as SELECT numbers them
  std::uint32_t second;    // renewed: its new identity; swapped: the other database

  friend bool operator==(const IdentityChange&, const IdentityChange&) = default;
};

// The beginning of a record of kind `identities`, which writes may follow.
void append_identity_changes(Bytes& payload, std::span<const IdentityChange> changes);
// Takes the identity changes off the front of a record's payload, and leaves its writes. Errors: corruption,
// if it is not what a record of its kind is; unsupported, if the kind is not known.
engine::Result<std::vector<IdentityChange>> take_identity_changes(LogRecord kind, BytesView& payload);

void append_put(Bytes& payload, BytesView position, BytesView value);
void append_erase(Bytes& payload, BytesView position);

struct LoggedWrite {
  WriteOperation operation;
  BytesView position;
  BytesView value;
};

// Takes the first write off `payload`. Error{corruption} if there is none, or its position is shorter than
// those of `placement`: behind the log's checksum that means a bug or a format of the future.
engine::Result<LoggedWrite> take_write(Placement placement, BytesView& payload);

}  // namespace shale::cluster
