// The keys of one database as a command sees them: typed values with expiry, on top of a
// cluster::Transaction. Expired keys are absent. Not thread-safe; used under the locks of the command's keys.
#pragma once

#include <cstdint>
#include <optional>

#include "cluster/transaction.h"
#include "src/value.h"

namespace shale::server {

class Keyspace {
 public:
  // The first `first_key` keys in `locks` belong to earlier commands of the batch; this command's follow.
  Keyspace(cluster::Transaction& transaction, cluster::ShardLocks& locks, std::size_t first_key,
           std::size_t key_count, unsigned database, std::int64_t now_ms);

  // One of the command's declared keys (as its row in the command table declares them), by its bytes.
  // The value's payload is valid until the command ends. Errors: not_resident (return it: the command will be
  // run again), corruption, io.
  engine::Result<std::optional<Value>> find(BytesView key);

  // Buffered; they happen together, as one log record, when the command's handler has returned success.
  void store(BytesView key, BytesView payload, std::int64_t expires_at_ms = kNoExpiry,
             ValueType type = ValueType::string);
  void erase(BytesView key);

  unsigned database() const { return database_; }
  // The same for the whole command: Unix milliseconds.
  std::int64_t now_ms() const { return now_ms_; }

 private:
  std::size_t index_of(BytesView key) const;

  cluster::Transaction& transaction_;
  cluster::ShardLocks& locks_;
  std::size_t first_key_;
  std::size_t key_count_;
  unsigned database_;
  std::int64_t now_ms_;
  Bytes scratch_;
};

}  // namespace shale::server
