#include "cluster/transaction.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "cluster/expirer.h"
#include "cluster/log_records.h"
#include "cluster/overlay_cursor.h"
#include "cluster/shard_lock.h"
#include "engine/large/large_value_store.h"

namespace shale::cluster {

std::size_t ShardLocks::add(unsigned database, BytesView key) {
  assert(!locked_ || holds_all_);
  if (keys_.empty() && !locked_) {
    epoch_ = store_.epoch();
    layout_ = store_.layout();
  }
  keys_.push_back({key, database, 0, 0, 0, nullptr});
  route(keys_.back());
  if (shares_keys_) note_first(keys_.size() - 1);
  return keys_.size() - 1;
}

// Keys that are the same stay so however they are routed.
void ShardLocks::note_first(std::size_t index) {
  firsts_.push_back(static_cast<std::uint32_t>(index));
  const engine::HashedKey own = key(index);
  const auto [begin, end] = first_by_hash_.equal_range(own.hash);
  for (auto other = begin; other != end; ++other) {
    if (key(other->second).bytes != own.bytes) continue;
    firsts_.back() = other->second;
    return;
  }
  first_by_hash_.emplace(own.hash, static_cast<std::uint32_t>(index));
}

void ShardLocks::route(RoutedKey& key) {
  key.position_offset = static_cast<std::uint32_t>(positions_.size());
  const DatabaseId database =
      identities_ == nullptr ? store_.database_id(key.database) : (*identities_)[key.database];
  store_.placement().append(database, key.name, positions_);
  key.position_length = static_cast<std::uint32_t>(positions_.size() - key.position_offset);
  const BytesView position = BytesView{positions_}.substr(key.position_offset, key.position_length);
  key.hash = engine::hash_bytes(position);
  key.shard = &layout_->owner(position);
}

void ShardLocks::route_all() {
  epoch_ = store_.epoch();
  layout_ = store_.layout();
  positions_.clear();
  for (RoutedKey& key : keys_) route(key);
}

void ShardLocks::lock_shards() {
  shards_.clear();
  for (const RoutedKey& key : keys_) {
    const auto place = std::lower_bound(shards_.begin(), shards_.end(), key.shard,
                                        [](const Shard* a, const Shard* b) { return a->id < b->id; });
    if (place == shards_.end() || *place != key.shard) shards_.insert(place, key.shard);
  }
  for (Shard* shard : shards_) lock_counted(*shard, store_.clock());
  locked_ = true;
}

void ShardLocks::lock() {
  assert(!locked_);
  lock_shards();
  // Whoever changes map or identities holds the locks of the shards concerned, so what is seen now stays
  // true.
  while (store_.epoch() != epoch_) {
    unlock();
    route_all();
    lock_shards();
  }
  draw_.begin(keys_.size());
  if (--runs_until_timed_ == 0) begin_timing();
  for (std::size_t i = 0; i < keys_.size(); ++i) keys_[i].shard->engine->prefetch_index(key(i));
  for (std::size_t i = 0; i < keys_.size(); ++i) keys_[i].shard->engine->prefetch_record(key(i));
  if (timed_) count_time(0, keys_.size());
}

void ShardLocks::lock_all() {
  assert(!locked_);
  do {  // shards may come and go until all are locked
    unlock();
    route_all();
    shards_.clear();
    for (const auto& shard : layout_->shards()) shards_.push_back(shard.get());
    for (Shard* shard : shards_) lock_counted(*shard, store_.clock());
    locked_ = true;
  } while (store_.epoch() != epoch_);
  holds_all_ = true;
  draw_.begin(AccessDraw::kStrideMax);
}

void ShardLocks::find_owners() {
  epoch_ = store_.epoch();
  layout_ = store_.layout();
  for (std::size_t index = 0; index < keys_.size(); ++index) {
    keys_[index].shard = &layout_->owner(key(index).bytes);
  }
}

void ShardLocks::begin_timing() {
  runs_until_timed_ =
      1 + static_cast<unsigned>(random_() % (2 * kTimedStride - 1));  // kTimedStride on average
  timed_ = true;
  timed_until_ = store_.clock().now();
}

std::chrono::nanoseconds ShardLocks::count_time(std::size_t first, std::size_t count) {
  const auto now = store_.clock().now();
  const std::chrono::nanoseconds elapsed = now - std::exchange(timed_until_, now);
  if (count == 0) return elapsed;
  const std::uint64_t busy_ns = static_cast<std::uint64_t>(elapsed.count()) * kTimedStride / count;
  for (std::size_t i = first; i < first + count; ++i) shard(i).stats.busy_ns += busy_ns;
  return elapsed;
}

void ShardLocks::unlock() {
  if (!locked_) return;
  for (Shard* shard : shards_) shard->mutex.unlock();
  locked_ = false;
  holds_all_ = false;
  timed_ = false;
}

void ShardLocks::clear() {
  unlock();
  keys_.clear();
  kept_names_.clear();
  positions_.clear();
  layout_.reset();
  identities_ = nullptr;
  if (!shares_keys_) return;
  shares_keys_ = false;
  firsts_.clear();
  first_by_hash_.clear();
}

engine::HashedKey ShardLocks::key(std::size_t index) const {
  const RoutedKey& key = keys_[index];
  return {BytesView{positions_}.substr(key.position_offset, key.position_length), key.hash};
}

namespace {
constexpr std::uint64_t kReadUnitBytes = 4096;
constexpr std::uint64_t kWriteUnitBytes = 1024;

std::uint64_t units(std::uint64_t bytes, std::uint64_t unit_bytes) {
  return std::max<std::uint64_t>(1, (bytes + unit_bytes - 1) / unit_bytes);
}
}  // namespace

std::uint64_t Transaction::value_bytes(BytesView stored) const {
  const auto large = store_.large_value_in(stored);
  return large ? large->value_bytes : stored.size();
}

engine::Result<std::optional<BytesView>> Transaction::get(std::size_t declared) {
  const std::size_t index = locks_.first_of(declared);
  if (const Write* write = pending_write(index)) {
    if (write->erases) return std::optional<BytesView>{};
    return std::optional{BytesView{payload_}.substr(write->value_offset, write->value_length)};
  }
  auto found = locks_.shard(index).engine->get(locks_.key(index), reads_);
  if (noticed_) note_read(index, found);
  return found;
}

engine::Result<std::optional<BytesView>> Transaction::look(std::size_t declared) {
  const bool noticed = std::exchange(noticed_, false);
  auto found = get(declared);
  noticed_ = noticed;
  return found;
}

double Transaction::accesses_per_second(std::size_t declared) const {
  const std::size_t index = locks_.first_of(declared);
  return locks_.shard(index).hot_keys.accesses_per_second(locks_.key(index), store_.clock().now());
}

void Transaction::note_read(std::size_t index, const engine::Result<std::optional<BytesView>>& found) {
  Shard& shard = locks_.shard(index);
  ++shard.stats.reads;
  if (!found) {
    if (found.error().kind == engine::ErrorKind::not_resident) ++shard.stats.not_resident;
  } else if (*found) {  // keys that are not there are no reason to split
    const std::uint64_t cost = units(value_bytes(**found), kReadUnitBytes);
    shard.stats.read_units += cost;
    shard.load.note(locks_.key(index).bytes, cost);
    note_hot_read(index, **found);
  } else {
    ++shard.stats.absent_reads;
  }
}

// A key that has expired is as absent as one that was never there.
void Transaction::note_hot_read(std::size_t index, BytesView stored) {
  const unsigned weight = locks_.access_weight(index);
  if (weight == 0) return;
  const engine::HashedKey key = locks_.key(index);
  const std::int64_t expires_ms = store_.policy().obsolete_from_ms(key.bytes, stored);
  if (expires_ms != engine::KeyPolicy::kNeverObsolete && expires_ms <= store_.clock().unix_ms()) return;
  locks_.shard(index).hot_keys.note(key, Access::read, weight);
}

void Transaction::put(std::size_t declared, BytesView value) {
  const std::size_t index = locks_.first_of(declared);
  append_put(payload_, locks_.key(index).bytes, value);
  remember({static_cast<std::uint32_t>(index), false, payload_.size() - value.size(), value.size()});
}

void Transaction::put_large(std::size_t declared, BytesView header,
                            std::shared_ptr<engine::StagedLargeValue> staged) {
  Bytes stored{header};
  staged->reference().append_to(stored);
  put(declared, stored);
  staged_.push_back({writes_.size() - 1, std::move(staged)});
}

void Transaction::erase(std::size_t declared) {
  const std::size_t index = locks_.first_of(declared);
  append_erase(payload_, locks_.key(index).bytes);
  remember({static_cast<std::uint32_t>(index), true, 0, 0});
}

namespace {
constexpr std::size_t kFewWrites = 8;  // up to here a search from the end is cheaper than keeping an index
}

const Transaction::Write* Transaction::pending_write(std::size_t index) const {
  if (writes_.size() > kFewWrites) {
    const std::uint32_t newest = index < newest_write_.size() ? newest_write_[index] : 0;
    return newest == 0 ? nullptr : &writes_[newest - 1];
  }
  for (auto write = writes_.rbegin(); write != writes_.rend(); ++write) {
    if (write->key_index == index) return &*write;
  }
  return nullptr;
}

void Transaction::remember(Write write) {
  writes_.push_back(write);
  if (writes_.size() <= kFewWrites) return;
  if (newest_write_.empty()) return index_writes();
  if (write.key_index >= newest_write_.size()) newest_write_.resize(locks_.key_count(), 0);
  newest_write_[write.key_index] = static_cast<std::uint32_t>(writes_.size());
}

void Transaction::index_writes() {
  newest_write_.assign(locks_.key_count(), 0);
  for (std::size_t i = 0; i < writes_.size(); ++i)
    newest_write_[writes_[i].key_index] = static_cast<std::uint32_t>(i + 1);
}

void Transaction::roll_back(const Savepoint& savepoint) {
  if (savepoint.writes == writes_.size()) return;
  writes_.resize(savepoint.writes);
  payload_.resize(savepoint.payload_bytes);
  staged_.resize(savepoint.staged);
  newest_write_.clear();
  if (writes_.size() > kFewWrites) index_writes();
}

engine::Status Transaction::admit(Shard& shard) {
  if (auto admitted = shard.engine->admit_write(payload_.size()); !admitted) return admitted.error();
  write_delay_ = std::max(write_delay_, shard.engine->write_delay(payload_.size()));
  return {};
}

// Each engine is asked for the whole record: one question per write would find the same answer.
engine::Status Transaction::admit() {
  if (writes_.empty()) return {};
  // The store's own erasures leave no hints, and whoever makes them takes the hints in.
  if (noticed_ && !store_.expirer().inbox().has_room()) return engine::Error{engine::ErrorKind::busy, {}};
  if (identities_) {  // whose the keys will be is not known yet
    for (Shard* shard : locks_.locked_shards()) {
      if (auto admitted = admit(*shard); !admitted) return admitted;
    }
    return {};
  }
  const Shard* asked = nullptr;
  for (const Write& write : writes_) {
    Shard& shard = locks_.shard(write.key_index);
    if (&shard == asked) continue;
    asked = &shard;
    if (auto admitted = admit(shard); !admitted) return admitted;
  }
  return {};
}

// The file of a large value is durable before its reference is in the log: see docs/large-values.md.
engine::Status Transaction::finish_large_values() {
  for (const StagedWrite& write : staged_) {
    if (auto sound = write.value->status(); !sound) return sound;
    const BytesView key = locks_.key(writes_[write.number].key_index).bytes;
    if (write.value->is_finished_for(key)) continue;
    reads_.missing.push_back(std::make_shared<engine::LargeValueFinish>(write.value, key));
  }
  return reads_.missing.empty() ? engine::Status{} : engine::Error{engine::ErrorKind::not_resident, {}};
}

void Transaction::note_large_values(const Write& write, std::size_t number, engine::Lsn lsn) {
  engine::LargeValueStore& large = store_.large_values();
  const engine::HashedKey key = locks_.key(write.key_index);
  if (large.may_own(key.hash)) {
    const auto reference =
        write.erases
            ? std::nullopt
            : store_.large_value_in(BytesView{payload_}.substr(write.value_offset, write.value_length));
    large.release(key, reference ? std::optional{reference->id} : std::nullopt, lsn);
  }
  const auto staged = std::ranges::find(staged_, number, &StagedWrite::number);
  if (staged != staged_.end()) large.commit(*staged->value, key);
}

void Transaction::leave_expiry_hints() {
  const auto expiry_ms = store_.options().value_expiry_ms;
  if (expiry_ms == nullptr) return;
  for (const Write& write : writes_) {
    if (write.erases) continue;
    const auto due_ms = expiry_ms(BytesView{payload_}.substr(write.value_offset, write.value_length));
    if (due_ms != engine::KeyPolicy::kNeverObsolete) {
      store_.expirer().inbox().add(due_ms, locks_.key(write.key_index));
    }
  }
}

void Transaction::note_write(const Write& write) {
  Shard& shard = locks_.shard(write.key_index);
  const BytesView value = BytesView{payload_}.substr(write.value_offset, write.value_length);
  const std::uint64_t cost = write.erases ? 1 : units(value_bytes(value), kWriteUnitBytes);
  ++shard.stats.writes;
  shard.stats.write_units += cost;
  shard.load.note(locks_.key(write.key_index).bytes, cost);
  if (const unsigned weight = locks_.access_weight(write.key_index)) {
    shard.hot_keys.note(locks_.key(write.key_index), Access::write, weight);
  }
}

engine::Result<engine::Lsn> Transaction::commit() {
  if (!has_writes()) return engine::Lsn{0};
  if (!staged_.empty()) {
    if (auto finished = finish_large_values(); !finished) return finished.error();
  }
  if (auto admitted = admit(); !admitted) return admitted.error();
  leave_expiry_hints();
  const auto lsn = identities_
                       ? store_.change_identities(identity_changes_, payload_)
                       : store_.log().append(static_cast<engine::RecordKind>(LogRecord::batch), payload_);
  if (!lsn) return lsn.error();
  if (identities_) locks_.find_owners();
  for (std::size_t number = 0; number < writes_.size(); ++number) apply(writes_[number], number, *lsn);
  // Behind the writes: what begins with it may call the whole record persisted.
  if (emptied_ != 0) store_.reclaim_obsolete(*lsn);
  return *lsn;
}

void Transaction::apply(const Write& write, std::size_t number, engine::Lsn lsn) {
  const engine::HashedKey key = locks_.key(write.key_index);
  // Written before the same transaction has emptied the database.
  if (identities_ && !store_.is_live(store_.placement().database_of(key.bytes))) return;
  if (noticed_) note_write(write);
  Shard& shard = locks_.shard(write.key_index);
  if (write.erases) {
    shard.engine->erase(key, lsn);
  } else {
    const BytesView value = BytesView{payload_}.substr(write.value_offset, write.value_length);
    shard.engine->put(key, value, lsn);
  }
  note_large_values(write, number, lsn);
}

DatabaseId Transaction::database_id(unsigned database) const {
  return identities_ ? (*identities_)[database] : store_.database_id(database);
}

bool Transaction::empties(unsigned database) const { return (emptied_ >> database & 1) != 0; }

engine::Status Transaction::empty_databases(unsigned first, unsigned count) {
  assert(locks_.holds_all());
  const auto after = store_.ids_after_flush(identities_ ? *identities_ : store_.database_ids(), first, count);
  if (!after) {
    return engine::Error{engine::ErrorKind::unsupported,
                         "a database has been emptied so often that it cannot be emptied any more"};
  }
  for (unsigned database = first; database < first + count; ++database) {
    change_identity({IdentityChange::Kind::renewed, database, (*after)[database]});
    emptied_ |= 1u << database;
  }
  return {};
}

void Transaction::swap_databases(unsigned a, unsigned b) {
  assert(locks_.holds_all());
  change_identity({IdentityChange::Kind::swapped, a, b});
  swapped_ |= 1u << a | 1u << b;
}

void Transaction::change_identity(const IdentityChange& change) {
  if (!identities_) identities_ = store_.database_ids();
  DatabaseId& id = (*identities_)[change.database];
  if (change.kind == IdentityChange::Kind::renewed) {
    id = change.second;
  } else {
    std::swap(id, (*identities_)[change.second]);
  }
  identity_changes_.push_back(change);
  locks_.use_identities(*identities_);
}

std::int64_t Transaction::key_count_at_most(const Shard& shard, unsigned database) const {
  assert(locks_.holds_all());
  const DatabaseId id = database_id(database);
  std::int64_t count = shard.engine->key_count(id);
  for (const Write& write : writes_) {
    const BytesView key = locks_.key(write.key_index).bytes;
    const bool is_here = &locks_.shard(write.key_index) == &shard;
    count += static_cast<int>(is_here && !write.erases && store_.placement().database_of(key) == id);
  }
  return std::max<std::int64_t>(count, 0);
}

engine::Result<std::int64_t> Transaction::key_count(unsigned database) {
  assert(locks_.holds_all());
  const DatabaseId id = database_id(database);
  std::int64_t count = 0;
  for (Shard* shard : locks_.locked_shards()) count += shard->engine->key_count(id);
  for (const Write& write : writes_) {
    const engine::HashedKey key = locks_.key(write.key_index);
    if (pending_write(write.key_index) != &write || store_.placement().database_of(key.bytes) != id) continue;
    const auto stored = locks_.shard(write.key_index).engine->get(key, reads_);
    if (!stored) return stored.error();
    count += static_cast<int>(!write.erases) - static_cast<int>(stored->has_value());
  }
  return std::max<std::int64_t>(count, 0);
}

std::unique_ptr<engine::Cursor> Transaction::cursor(Shard& shard, const engine::CursorBounds& bounds) {
  assert(locks_.holds_all());
  auto stored = shard.engine->cursor(bounds, reads_);
  if (writes_.empty()) return stored;
  std::vector<OverlaidWrite> writes;
  for (const Write& write : writes_) {
    const BytesView key = locks_.key(write.key_index).bytes;
    if (pending_write(write.key_index) != &write || &locks_.shard(write.key_index) != &shard) continue;
    if (key < bounds.begin || (!bounds.end.empty() && key >= bounds.end)) continue;
    const BytesView value = BytesView{payload_}.substr(write.value_offset, write.value_length);
    writes.push_back({key, write.erases ? std::nullopt : std::optional{value}});
  }
  return std::make_unique<OverlayCursor>(std::move(stored), std::move(writes));
}

void Transaction::reset() {
  constexpr std::size_t kKeptBytes =
      std::size_t{64} << 10;  // one large command must not hold memory for the connection's life
  reads_.clear();
  writes_.clear();
  staged_.clear();
  newest_write_.clear();
  identities_.reset();
  identity_changes_.clear();
  emptied_ = 0;
  swapped_ = 0;
  payload_.clear();
  if (payload_.capacity() > kKeptBytes) payload_.shrink_to_fit();
}

std::chrono::microseconds Transaction::take_write_delay() {
  return std::exchange(write_delay_, std::chrono::microseconds{0});
}

}  // namespace shale::cluster
