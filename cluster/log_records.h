// What the store writes into the log. Record kinds and the payloads behind them; docs/formats.md has the
// bytes.
//
//   batch            := write*        one transaction's writes, whatever shards they are in
//     write          := operation:u8 (1 put, 2 erase)  position_length:varint  position
//                       [put only: value_length:varint  value]
//   flush_databases  := (database:u32  new identity:u32)*
//   swap_databases   := database:u32  database:u32
//   transaction      := count:u32  (database:u32  new identity:u32)[count]  write*
// A transaction is what a flush and a batch are, in this order; writes to identities that are no database's
// any more say nothing.
#pragma once

#include <cstdint>

#include "cluster/position.h"
#include "engine/log/log.h"
#include "engine/result.h"

namespace shale::cluster {

enum class LogRecord : engine::RecordKind {
  batch = 1,
  flush_databases = 2,
  swap_databases = 3,
  transaction = 4,
};  // stored: append, never renumber

enum class WriteOperation : std::uint8_t { put = 1, erase = 2 };  // stored: append, never renumber

constexpr std::size_t kIdentityChangeBytes = 8;

// Takes the identity changes off the front of a transaction record. Error{corruption} if it is too short.
engine::Result<BytesView> take_identity_changes(BytesView& payload);

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
