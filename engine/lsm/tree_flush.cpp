// How a tree persists what has been written to it: sealing, finding out about guesses, flushing.
#include <algorithm>

#include "engine/lsm/key_guesses.h"
#include "engine/lsm/table_writer.h"
#include "engine/lsm/tree.h"

namespace shale::engine::lsm {

// --- Persisting

std::optional<Lsn> Tree::oldest_unpersisted_lsn() const {
  std::optional<Lsn> oldest;
  if (active_->first_lsn != 0) oldest = active_->first_lsn;
  for (const MemtableRef& sealed : sealed_)
    oldest = std::min(oldest.value_or(sealed->first_lsn), sealed->first_lsn);
  return oldest;
}

// Where two trees have become one, a later memtable may have older records, of other keys.
Lsn Tree::persisted_with(const LoggedMemtable& sealed) const {
  Lsn lsn = sealed.last_lsn;
  for (const MemtableRef& other : sealed_) {
    if (other.get() != &sealed) lsn = std::min(lsn, other->first_lsn - 1);
  }
  return std::max(lsn, persisted_lsn_);
}

void Tree::flush() {
  if (active_->first_lsn != 0) seal_active();
  schedule_flush();
}

void Tree::relieve() {
  const std::lock_guard lock{owner_};
  if (store_.memtables().wants_flush()) flush();
}

void Tree::retry_flush() {
  const std::lock_guard lock{owner_};
  if (flush_error_ && flush_error_->kind == ErrorKind::no_space) schedule_flush();
}

void Tree::seal_active() {
  active_->share.seal();
  sealed_.push_back(std::move(active_));
  active_ = make_memtable();
  note_active_memory();
  schedule_flush();
}

void Tree::note_active_memory() {
  const std::uint64_t bytes = active_->memtable.memory_bytes();
  if (bytes == active_bytes_.load(std::memory_order_relaxed)) return;
  active_->share.resize(bytes);
  active_bytes_.store(bytes, std::memory_order_relaxed);
}

// --- Counting

void Tree::schedule_resolution() {
  if (stopping_ || resolution_scheduled_ || active_->guesses.empty()) return;
  resolution_scheduled_ = true;
  store_.background().submit(Priority::flush, [self = shared_from_this()] { self->run_resolution(); });
}

void Tree::run_resolution() {
  std::unique_lock lock{owner_};
  const MemtableRef memtable = resolving_ = active_;
  const auto version = version_;  // holds nothing of this memtable, whatever is flushed meanwhile
  const std::vector<Bytes> guesses = std::exchange(memtable->guesses, {});
  lock.unlock();
  const std::vector<Bytes> new_keys = keys_not_in(*version, guesses);
  lock.lock();
  correct(*memtable, new_keys);
  resolving_.reset();
  resolution_scheduled_ = false;
  schedule_resolution();
  schedule_flush();
}

void Tree::correct(LoggedMemtable& memtable, const std::vector<Bytes>& new_keys) {
  for (const Bytes& name : new_keys) {
    const HashedKey key{name};
    memtable.balances.add(store_.options().policy->count_class(name), 1);
    if (&memtable != active_.get()) {
      memtable.new_keys.insert(name);  // its entries are being read without the lock
      continue;
    }
    const auto slot = memtable.memtable.locate(key);
    memtable.memtable.put_at(slot, key, slot.entry->value, slot.entry->tag.type, 1);
  }
}

// --- Flushing

void Tree::schedule_flush() {
  // A resolution that may be about to correct what the flush would write schedules the flush when it is done.
  if (stopping_ || flush_running_ || sealed_.empty() || resolving_ == sealed_.front()) return;
  flush_running_ = true;
  store_.background().submit(Priority::flush, [self = shared_from_this()] { self->run_flush(); });
}

bool Tree::work_stopped() const {
  return stopping_ && !flush_running_ && !resolution_scheduled_ && !compaction_commits_;
}

void Tree::resume_work() {
  stopping_ = false;
  schedule_resolution();
  schedule_flush();
  schedule_compaction();
}

Status Tree::commit(const VersionEdit& edit, Lsn lsn) {
  {
    // Classes become obsolete under this mutex: if the work behind the edit has seen one go, its record is
    // known here.
    std::lock_guard lock{owner_};
    lsn = std::max(lsn, reclaim_lsn_);
  }
  if (auto durable = store_.options().barrier->wait_until_durable(lsn); !durable) return durable;
  return store_.manifest().append(edit);
}

void Tree::run_flush() {
  std::unique_lock lock{owner_};
  MemtableRef sealed = sealed_.front();
  if (resolving_ == sealed) {
    flush_running_ = false;
    return;
  }
  const auto version = version_;
  const std::vector<Bytes> guesses = std::exchange(sealed->guesses, {});
  lock.unlock();
  const std::vector<Bytes> new_keys = keys_not_in(*version, guesses);
  lock.lock();
  correct(*sealed, new_keys);
  const Lsn persisted = persisted_with(*sealed);
  lock.unlock();
  auto tables = write_memtable(*sealed);
  Status logged;
  if (tables) {
    VersionEdit edit{id_, persisted, {}, {}};
    for (const TableRef& table : *tables) edit.added.push_back(table->slice());
    logged = commit(edit, sealed->last_lsn);
    if (!logged) discard(*tables);
  }
  ValueCensus::Change values;
  if (tables) {
    for (const TableRef& table : *tables) values.add(*table);
  }
  lock.lock();
  if (!tables || !logged) {
    flush_running_ = false;
    flush_error_ = tables ? logged.error() : tables.error();
    store_.failed_flushes().note(*this, *flush_error_);
    return;
  }
  flush_error_.reset();
  store_.failed_flushes().forget(*this);
  ++flushes_;
  if (!tables->empty()) {
    note_flush(*tables);  // first: the plan is made with what it learns
    value_census_.apply(values);
    install(version_->with({}, *tables));
  }
  store_.note_flushed(sealed->live_bytes());
  sealed_.pop_front();
  persisted_lsn_ = persisted;
  schedule_compaction();
  lock.unlock();
  sealed.reset();  // the memtable's memory is given back without the lock
  lock.lock();
  flush_running_ = false;  // until here room may still come of it
  schedule_flush();
}

void Tree::note_flush(const std::vector<TableRef>& tables) {
  std::uint64_t bytes = 0;
  for (const TableRef& table : tables) {
    bytes += table->bytes();
    // All of its values are new.
    for (const ValueFileUse& use : table->slice().value_files) flush_bytes_written_ += use.record_bytes;
  }
  flush_bytes_written_ += bytes;
  workload_.flushed_bytes += bytes;
  constexpr std::uint64_t kWeight = 4;  // of what has been so far, against one of the newest
  shape_.flush_bytes =
      shape_.flush_bytes == 0 ? bytes : (shape_.flush_bytes * kWeight + bytes) / (kWeight + 1);
}

// Where large values are but a small part of what is written, rewriting them costs little, and a value file
// per flush would be a great many small files.
bool Tree::separates_values(const LoggedMemtable& sealed) const {
  constexpr std::uint64_t kPartMin = 8;
  return sealed.separable_bytes >= sealed.memtable.live_bytes() / kPartMin;
}

Result<std::vector<TableRef>> Tree::write_memtable(const LoggedMemtable& sealed) {
  const KeyPolicy& policy = *store_.options().policy;
  const std::uint32_t separation_bytes =
      separates_values(sealed) ? store_.options().value_separation_bytes : 0;
  TableWriter writer{store_, 0, store_.new_number(), sealed.first_write_ms};
  auto cursor = sealed.memtable.cursor();
  for (cursor.seek(sealed.begin); cursor.valid(); cursor.next()) {
    Entry entry = cursor.entry();
    if (!sealed.end.empty() && entry.key >= BytesView{sealed.end}) break;
    if (!sealed.new_keys.empty() && sealed.new_keys.contains(Bytes{entry.key})) ++entry.tag.balance;
    if (!policy.is_live_class(policy.count_class(entry.key))) continue;
    const bool separate = separation_bytes != 0 && entry.value.size() >= separation_bytes;
    if (auto added = separate ? writer.add_separated(entry) : writer.add(entry); !added) return added.error();
  }
  return writer.finish();
}

}  // namespace shale::engine::lsm
