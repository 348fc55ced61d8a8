#include "src/keyspace.h"

#include <bit>
#include <cassert>
#include <utility>

#include "engine/large/large_value_store.h"

namespace shale::server {
namespace {

// Up to here, comparing one key after the other is quicker than hashing them all.
constexpr std::size_t kLinearKeysMax = 12;

}  // namespace

Keyspace::Keyspace(cluster::Transaction& transaction, cluster::ShardLocks& locks, std::size_t first_key,
                   std::size_t key_count, unsigned database, std::int64_t now_ms,
                   std::span<const std::shared_ptr<engine::Load>> loads, KeyEvents* events)
    : transaction_(transaction),
      locks_(locks),
      first_key_(first_key),
      key_count_(key_count),
      database_(database),
      now_ms_(now_ms),
      loads_(loads),
      events_(events) {}

engine::Result<std::optional<Value>> Keyspace::find(BytesView key) { return value_at(index_of(key)); }

engine::Result<std::optional<Value>> Keyspace::look(BytesView key) {
  return decoded(transaction_.look(index_of(key)));
}

engine::Result<std::optional<Value>> Keyspace::read(BytesView key) {
  const std::size_t index = index_of(key);
  return counted(value_at(index), index);
}

engine::Result<std::optional<Value>> Keyspace::read_declared(std::size_t number) {
  assert(number < key_count_);
  return counted(value_at(first_key_ + number), first_key_ + number);
}

void Keyspace::store_value(BytesView key, const Value& value) {
  // Reused by all commands of this thread: the record is copied into the transaction's at once.
  thread_local Bytes record;
  record.clear();
  append_value_header(value.type, value.expires_at_ms, record, value.edited ? kEditedFlag : 0);
  record.append(value.payload);
  transaction_.put(index_of(key), record);
  constexpr std::size_t kKeptBytesMax = 1u << 20;
  if (record.capacity() > kKeptBytesMax) Bytes().swap(record);
}

void Keyspace::store(BytesView key, const ValueArgument& value, std::int64_t expires_at_ms) {
  if (!value.large) return store(key, value.bytes, expires_at_ms);
  store_staged(index_of(key), value.large, expires_at_ms);
}

void Keyspace::store_staged(std::size_t index, std::shared_ptr<engine::StagedLargeValue> staged,
                            std::int64_t expires_at_ms) {
  Bytes header;
  append_value_header(ValueType::string, expires_at_ms, header, kLargeFlag);
  transaction_.put_large(index, header, std::move(staged));
}

void Keyspace::store_again(BytesView key, const Value& value, std::int64_t expires_at_ms) {
  if (!value.large) {
    Value again = value;
    again.expires_at_ms = expires_at_ms;
    return store_value(key, again);
  }
  Bytes stored;
  append_value_header(value.type, expires_at_ms, stored, kLargeFlag);
  value.large->append_to(stored);
  transaction_.put(index_of(key), stored);
}

engine::Result<std::shared_ptr<engine::LargeValue>> Keyspace::open_large(
    const engine::LargeValueReference& reference) {
  std::shared_ptr<engine::LargeValue> value = large_values().find(reference.id);
  const auto state = value->state();
  if (!state) {
    reads().missing.push_back(std::make_shared<engine::LargeValueOpening>(std::move(value)));
    return engine::Error{engine::ErrorKind::not_resident, {}};
  }
  if (!*state) return state->error();
  if (auto same = value->check(reference); !same) return same.error();
  return value;
}

engine::LargePiece Keyspace::piece(const Value& value, std::uint64_t begin, std::uint64_t length) {
  if (!value.large) return engine::LargePiece::of(value.payload.substr(begin, length));
  return engine::LargePiece::of(large_values().find(value.large->id), *value.large, begin, length);
}

engine::LargePiece Keyspace::piece(const ValueArgument& value) {
  return value.large ? engine::LargePiece::of(value.large) : engine::LargePiece::of(value.bytes);
}

engine::Status Keyspace::store_composed(BytesView key, std::vector<engine::LargePiece> pieces,
                                        std::int64_t expires_at_ms) {
  const std::size_t index = index_of(key);
  const BytesView position = locks_.key(index).bytes;
  for (const auto& load : loads_) {
    const auto* composition = dynamic_cast<const engine::LargeComposition*>(load.get());
    if (composition == nullptr || !composition->makes(pieces, position)) continue;
    if (!composition->status()) return composition->status();
    store_staged(index, composition->result(), expires_at_ms);
    return {};
  }
  std::uint64_t bytes = 0;
  for (const engine::LargePiece& piece : pieces) bytes += piece.length;
  reads().missing.push_back(
      std::make_shared<engine::LargeComposition>(std::move(pieces), large_values().stage(bytes), position));
  return engine::Error{engine::ErrorKind::not_resident, {}};
}

std::shared_ptr<engine::StagedLargeValue> Keyspace::stage(std::uint64_t bytes) {
  return large_values().stage(bytes);
}

BytesView Keyspace::position(BytesView key) { return locks_.key(index_of(key)).bytes; }

engine::LargeValueStore& Keyspace::large_values() { return transaction_.store().large_values(); }

engine::Result<std::int64_t> Keyspace::key_count() {
  if (locks_.holds_all()) return transaction_.key_count(database_);
  return transaction_.store().key_count(database_);
}

engine::Status Keyspace::empty(unsigned first_database, unsigned count) {
  return transaction_.empty_databases(first_database, count);
}

void Keyspace::erase(BytesView key) { transaction_.erase(index_of(key)); }

engine::Result<std::optional<Value>> Keyspace::decoded(
    const engine::Result<std::optional<BytesView>>& stored) const {
  if (!stored) return stored.error();
  if (!*stored) return std::optional<Value>{};
  if ((*stored)->empty()) return engine::corruption("a stored value lacks its header");
  const Value value = decode_value(**stored);
  if (!value.large && value_is_large(**stored)) {
    return engine::corruption("a stored value's reference to a large value is too short");
  }
  if (value.expires_at_ms != kNoExpiry && value.expires_at_ms <= now_ms_) return std::optional<Value>{};
  return std::optional<Value>{value};
}

engine::Result<std::optional<Value>> Keyspace::counted(engine::Result<std::optional<Value>> found,
                                                       std::size_t index) {
  if (found && *found) ++hits_;
  if (found && !*found) {
    ++misses_;
    if (events_ != nullptr) events_->add(KeyEventClass::key_miss, "keymiss", database_, declared_key(index));
  }
  return found;
}

BytesView Keyspace::declared_key(std::size_t index) const { return locks_.name(index); }

// A key named twice has two indices; all commands use the first, so that reads see what was written under it.
std::size_t Keyspace::index_of(BytesView key) {
  if (key_count_ == 1) return first_key_;
  if (key_count_ > kLinearKeysMax) return index_by_hash(key);
  for (std::size_t index = first_key_; index < first_key_ + key_count_; ++index) {
    if (declared_key(index) == key) return index;
  }
  assert(!"the command's row does not declare this key");
  return first_key_;
}

std::size_t Keyspace::index_by_hash(BytesView key) {
  const auto slot_of = [this](BytesView name) {
    std::size_t slot = engine::hash_bytes(name) & (slots_.size() - 1);
    while (slots_[slot] != 0 && declared_key(slots_[slot] - 1) != name)
      slot = (slot + 1) & (slots_.size() - 1);
    return slot;
  };
  if (slots_.empty()) {
    slots_.resize(std::bit_ceil(key_count_ * 2));
    for (std::size_t index = first_key_; index < first_key_ + key_count_; ++index) {
      std::uint32_t& slot = slots_[slot_of(declared_key(index))];
      if (slot == 0) slot = static_cast<std::uint32_t>(index + 1);
    }
  }
  const std::uint32_t found = slots_[slot_of(key)];
  assert(found != 0 && "the command's row does not declare this key");
  return found == 0 ? first_key_ : found - 1;
}

}  // namespace shale::server
