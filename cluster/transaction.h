// How a command works on the store: take the locks of the shards its keys live in, read, buffer writes,
// commit.
//
// A batch of pipelined commands takes the locks once (ShardLocks) and then runs one Transaction per command.
// A Transaction's writes are one log record, so they survive a crash whole or not at all, and become visible
// together. Both classes are reused from batch to batch by their owner and allocate nothing in steady state.
// Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "cluster/position.h"
#include "cluster/shard.h"
#include "cluster/store.h"
#include "engine/engine.h"

namespace shale::cluster {

// Keys of a batch, resolved: where each stands and which shard holds it.
struct RoutedKey {
  std::uint32_t position_offset;  // into ShardLocks' buffer
  std::uint32_t position_length;
  std::uint64_t hash;  // engine::hash_bytes of the position
  Shard* shard;
};

class ShardLocks {
 public:
  explicit ShardLocks(Store& store) : store_(store) {}
  ~ShardLocks() { unlock(); }

  // Declares a key; returns its index. Only while nothing is locked.
  std::size_t add(DatabaseId database, BytesView key);
  std::size_t key_count() const { return keys_.size(); }
  // Takes the locks of all declared keys' shards, in the order of shard ids, then starts fetching the memory
  // of every key. Keys are routed again if the map has changed meanwhile.
  void lock();
  void unlock();  // fine if not locked
  void clear();   // unlocks and forgets the keys

  bool locked() const { return locked_; }
  engine::HashedKey key(std::size_t index) const;
  Shard& shard(std::size_t index) const { return *keys_[index].shard; }

 private:
  void route();

  Store& store_;
  std::shared_ptr<const ShardMap> map_;
  Bytes positions_;
  std::vector<RoutedKey> keys_;
  std::vector<Shard*> shards_;  // distinct, in lock order
  bool locked_ = false;
};

class Transaction {
 public:
  Transaction(Store& store, ShardLocks& locks) : store_(store), locks_(locks) {}

  // Reads see the transaction's own writes. `index` is one of ShardLocks' keys; it must be locked.
  // The view is valid until commit(), or until the locks are released.
  engine::Result<std::optional<BytesView>> get(std::size_t index);
  // Later writes of one key replace earlier ones.
  void put(std::size_t index, BytesView value);
  void erase(std::size_t index);

  // Makes the writes happen: log, then engines. Returns the record's Lsn, or 0 if there was nothing to write.
  // On an Error nothing has changed. busy: try again shortly.
  engine::Result<engine::Lsn> commit();
  // Forgets buffered writes and what reads lacked, keeps the locks.
  void reset();

  engine::ReadContext& reads() { return reads_; }

 private:
  struct Write {
    std::uint32_t key_index;
    bool erases;
    std::size_t value_offset;  // into payload_
    std::size_t value_length;
  };
  const Write* pending_write(std::size_t index) const;

  Store& store_;
  ShardLocks& locks_;
  engine::ReadContext reads_;
  Bytes payload_;  // the log record under construction
  std::vector<Write> writes_;
};

}  // namespace shale::cluster
