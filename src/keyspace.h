// The keys of one database as a command sees them: typed values with expiry, on top of a
// cluster::Transaction. Expired keys are absent. Not thread-safe; used under the locks of the command's keys.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "cluster/transaction.h"
#include "engine/large/large_composition.h"
#include "src/command/value_argument.h"
#include "src/key_events.h"
#include "src/value.h"

namespace shale::server {

class Keyspace {
 public:
  // The first `first_key` keys in `locks` belong to earlier commands of the batch; this command's follow, in
  // the order in which its row declares them. `loads`: what earlier runs of the command have waited for.
  // `events` hear of keys that read() misses.
  Keyspace(cluster::Transaction& transaction, cluster::ShardLocks& locks, std::size_t first_key,
           std::size_t key_count, unsigned database, std::int64_t now_ms,
           std::span<const std::shared_ptr<engine::Load>> loads = {}, KeyEvents* events = nullptr);

  // One of the command's declared keys, by its bytes. The value's payload is valid until the keyspace is
  // written to or the command ends. Errors: not_resident (return it: the command will be run again),
  // corruption, io.
  engine::Result<std::optional<Value>> find(BytesView key);
  // The same for commands that look at a key without using it: it is no access in statistics of hot keys.
  engine::Result<std::optional<Value>> look(BytesView key);
  // How often a declared key has been accessed of late.
  double accesses_per_second(BytesView key) { return transaction_.accesses_per_second(index_of(key)); }
  // What places a declared key in tables (last_uses.h).
  std::uint64_t hash(BytesView key) { return locks_.hash(index_of(key)); }
  // As find(), counted as a hit or a miss: for commands that only read.
  engine::Result<std::optional<Value>> read(BytesView key);
  // The n-th declared key, for commands that read them all in turn. Sees no writes of this command.
  engine::Result<std::optional<Value>> read_declared(std::size_t number);

  // Buffered; they happen together, as one log record, when the command's handler has returned success. Bytes
  // are copied; `payload` may be a view that find() has returned.
  void store(BytesView key, BytesView payload, std::int64_t expires_at_ms = kNoExpiry) {
    store_value(key, {.expires_at_ms = expires_at_ms, .payload = payload, .large = {}});
  }
  void store(BytesView key, const ValueArgument& value, std::int64_t expires_at_ms = kNoExpiry);
  // A string that a command has put together from what was there.
  void store_edited(BytesView key, BytesView payload, std::int64_t expires_at_ms) {
    store_value(key, {.expires_at_ms = expires_at_ms, .edited = true, .payload = payload, .large = {}});
  }
  // The same value with another expiry; it is one that find() has returned for the key, or, unless it is
  // large, for any.
  void store_again(BytesView key, const Value& value, std::int64_t expires_at_ms);
  void erase(BytesView key);

  // A large value, to be read. Errors: not_resident, corruption, io.
  engine::Result<std::shared_ptr<engine::LargeValue>> open_large(
      const engine::LargeValueReference& reference);
  // A part of a value or argument, to be composed into another value. In memory it is copied.
  engine::LargePiece piece(const Value& value, std::uint64_t begin, std::uint64_t length);
  static engine::LargePiece piece(const ValueArgument& value);
  // Stores a string that is made of pieces, and does not fit into memory. Errors: not_resident while it is
  // being made; corruption, io, no_space.
  engine::Status store_composed(BytesView key, std::vector<engine::LargePiece> pieces,
                                std::int64_t expires_at_ms);

  // For values that a Load of the command's own makes: a file for so many bytes, where the key's record
  // stands, and the value as the key's when the Load is done.
  std::shared_ptr<engine::StagedLargeValue> stage(std::uint64_t bytes);
  BytesView position(BytesView key);
  void store_made(BytesView key, std::shared_ptr<engine::StagedLargeValue> made, std::int64_t expires_at_ms) {
    store_staged(index_of(key), std::move(made), expires_at_ms);
  }

  // The last declared key alone, which is of another database (CommandSpec::extra_key): reads and writes
  // through it are this command's as well.
  Keyspace of_extra_key(unsigned database) const {
    return {transaction_, locks_, first_key_ + key_count_ - 1, 1, database, now_ms_, loads_};
  }

  // Keys of the database, expired ones included until their space is given back. Errors: not_resident,
  // corruption, io.
  engine::Result<std::int64_t> key_count();
  // Empties databases, as SELECT numbers them; the command holds all shards' locks
  // (CommandSpec::in_transaction). Happens with the command's writes. Error: unsupported (a database has been
  // emptied too often).
  engine::Status empty(unsigned first_database, unsigned count);
  // Exchanges two databases, likewise.
  void swap(unsigned a, unsigned b) { transaction_.swap_databases(a, b); }
  // A key that the command does not declare, of any database, while it holds all shards' locks. Otherwise as
  // find().
  engine::Result<std::optional<Value>> find_elsewhere(unsigned database, BytesView key) {
    return value_at(locks_.add_kept(database, key));
  }
  // For what looks at keys that no command declares (keyspace_walk.h): the transaction whose locks it stands
  // under and whose writes it must see, or null: then it takes locks itself.
  cluster::Transaction* exclusive() { return locks_.holds_all() ? &transaction_ : nullptr; }

  unsigned database() const { return database_; }
  // The same for the whole command: Unix milliseconds.
  std::int64_t now_ms() const { return now_ms_; }

  // What the command's reads lack and hold: a command that walks shards by itself (SCAN) reports here what it
  // waits for.
  engine::ReadContext& reads() { return transaction_.reads(); }

  // What earlier runs of the command have waited for.
  std::span<const std::shared_ptr<engine::Load>> loads() const { return loads_; }
  // The first of these that is of this kind, or nullptr.
  template <class Kind>
  const Kind* waited_for() const {
    for (const auto& load : loads_) {
      if (const auto* found = dynamic_cast<const Kind*>(load.get())) return found;
    }
    return nullptr;
  }
  // Makes the command wait for work of its own, and run again then: return what this returns.
  engine::Status wait_for(std::shared_ptr<engine::Load> load) {
    reads().missing.push_back(std::move(load));
    return engine::Error{engine::ErrorKind::not_resident, {}};
  }

  std::uint32_t hits() const { return hits_; }  // of read(), read_declared()
  std::uint32_t misses() const { return misses_; }

 private:
  void store_value(BytesView key, const Value& value);
  engine::Result<std::optional<Value>> value_at(std::size_t index) {
    return decoded(transaction_.get(index));
  }
  engine::Result<std::optional<Value>> decoded(const engine::Result<std::optional<BytesView>>& stored) const;
  engine::Result<std::optional<Value>> counted(engine::Result<std::optional<Value>> found, std::size_t index);
  BytesView declared_key(std::size_t index) const;
  std::size_t index_of(BytesView key);
  std::size_t index_by_hash(BytesView key);
  engine::LargeValueStore& large_values();
  void store_staged(std::size_t index, std::shared_ptr<engine::StagedLargeValue> staged,
                    std::int64_t expires_at_ms);

  cluster::Transaction& transaction_;
  cluster::ShardLocks& locks_;
  std::size_t first_key_;
  std::size_t key_count_;
  unsigned database_;
  std::int64_t now_ms_;
  std::span<const std::shared_ptr<engine::Load>> loads_;
  KeyEvents* events_;
  std::uint32_t hits_ = 0;
  std::uint32_t misses_ = 0;
  // Hash of key -> 1 + its first index, open addressing; made by the first lookup among many keys.
  std::vector<std::uint32_t> slots_;
};

}  // namespace shale::server
