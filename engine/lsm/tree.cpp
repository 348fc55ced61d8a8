#include "engine/lsm/tree.h"

#include <algorithm>
#include <bit>
#include <cassert>

#include "engine/lsm/compaction.h"
#include "engine/lsm/key_guesses.h"
#include "engine/lsm/merging_cursor.h"
#include "engine/lsm/table_writer.h"
#include "engine/lsm/value_relocation.h"

namespace shale::engine::lsm {
namespace {

// Compaction is behind when level 0 or another has this much more than its plan, and as far behind as it
// should ever be with as much again.
constexpr double kFillFree = 1.5;
constexpr double kFillFull = 3;
// Level 0 in read mode is planned to be small; writers are not slowed before it is as large as in this plan.
constexpr std::uint32_t kPressureRunsMin = 4;
// The last stop, for what arithmetic did not foresee: a compaction that fails.
constexpr std::size_t kLevel0RunsMax = 200;

Shape initial_shape(CompactionMode mode) {
  Shape shape;  // the middle: what adaptive begins with
  if (mode == CompactionMode::adaptive) return shape;
  constexpr std::uint32_t kFlushes = 4;
  shape.runs_max.fill(mode == CompactionMode::leveled ? 1 : kRunsMaxLimit);
  shape.runs_max.front() = mode == CompactionMode::leveled ? kFlushes : kRunsMaxLimit;
  shape.runs_max.back() = 1;
  return shape;
}

void discard(const std::vector<TableRef>& tables) {
  for (const TableRef& table : tables) table->file()->discard();
}

// A power of two; small enough that a hundred memtables that have just begun leave room for data.
std::size_t chunk_bytes(std::uint64_t budget_bytes) {
  return std::clamp<std::size_t>(std::bit_floor(budget_bytes / 128), 64u << 10, 2u << 20);
}

}  // namespace

Tree::Tree(TreeStore& store, std::uint32_t id, std::mutex& owner, Lsn persisted_lsn,
           std::shared_ptr<const Version> version)
    : store_(store),
      id_(id),
      owner_(owner),
      record_cache_(store.options().record_cache_bytes),
      persisted_lsn_(persisted_lsn),
      picker_(store) {
  active_ = make_memtable();
  shape_ = initial_shape(store_.options().compaction_mode);
  shape_.flush_bytes = store_.memtables().total_bytes() / 8;  // until there has been a flush
  install(std::move(version));
  ValueCensus::Change values;
  version_->for_each([&](const TableRef& table) { values.add(*table); });
  value_census_.apply(values);
  store_.add_tree(*this);
}

Tree::~Tree() { store_.remove_tree(*this); }

Tree::MemtableRef Tree::make_memtable() const {
  return std::make_shared<LoggedMemtable>(store_.memtables(), chunk_bytes(store_.memtables().total_bytes()));
}

void Tree::install(std::shared_ptr<const Version> version) {
  version_ = std::move(version);
  table_balances_ = {};
  version_->for_each([this](const TableRef& table) { table_balances_.add(table->slice().balances); });
  plan_ = plan_levels(*version_, shape_);
  relocation_stalled_ = false;
}

// --- Reading

Result<std::optional<BytesView>> Tree::get(const HashedKey& key, ReadContext& context) {
  const auto value_of = [](const Entry& entry) {
    return entry.tag.type == EntryType::value ? std::optional{entry.value} : std::optional<BytesView>{};
  };
  ++reads_;
  if (const auto entry = active_->memtable.find(key)) return value_of(*entry);
  for (auto sealed = sealed_.rbegin(); sealed != sealed_.rend(); ++sealed) {
    if (const auto entry = (*sealed)->memtable.find(key)) return value_of(*entry);
  }
  if (const auto value = record_cache_.find(key)) return std::optional{*value};
  return get_from_tables(key, context);
}

// The tables that may hold the key, newest first. Their filters' memory is on its way when this returns: one
// after the other, each would cost a cache miss of its own.
const std::vector<const LiveTable*>& Tree::candidates(const HashedKey& key) {
  candidates_.clear();
  for (std::uint32_t level = 0; level < Version::kLevelCount; ++level) {
    for (const Run& run : version_->runs(level)) {
      const LiveTable* table = run.table_for(key.bytes);
      if (table == nullptr) continue;
      table->prefetch_filter(key.hash);
      candidates_.push_back(table);
    }
  }
  return candidates_;
}

Result<std::optional<BytesView>> Tree::get_from_tables(const HashedKey& key, ReadContext& context) {
  ++workload_.table_reads;
  std::optional<Entry> found;
  const LiveTable* table = nullptr;  // where it was found
  for (const LiveTable* candidate : candidates(key)) {
    auto entry = get_from_table(*candidate, key, context);
    if (!entry) {
      if (entry.error().kind == ErrorKind::not_resident) ++not_resident_;
      return entry.error();
    }
    found = *entry;
    table = candidate;
    if (found) break;
  }
  if (!found || found->tag.type == EntryType::tombstone) return std::optional<BytesView>{};
  // A separated value stays where it is: the block cache holds it as it was read, and a copy here would push
  // out many small records.
  if (!found->tag.separated) record_cache_.insert(key, found->value);
  auto value = table->value_of(*found, context);
  if (!value) return value.error();
  return std::optional{*value};
}

Result<std::optional<Entry>> Tree::get_from_table(const LiveTable& table, const HashedKey& key,
                                                  ReadContext& context) {
  ++bloom_checks_;
  if (!table.may_contain(key.hash)) return std::optional<Entry>{};
  auto entry = table.find(key, context);
  if (entry && !*entry) ++bloom_false_positives_;
  return entry;
}

void Tree::prefetch_index(const HashedKey& key) const {
  active_->memtable.prefetch_index(key);
  record_cache_.prefetch_index(key);
}

void Tree::prefetch_record(const HashedKey& key) const {
  active_->memtable.prefetch_record(key);
  record_cache_.prefetch_record(key);
}

std::unique_ptr<Cursor> Tree::cursor(ReadContext& context) {
  ++workload_.seeks;  // a cursor is made for every one
  std::vector<std::unique_ptr<EntrySource>> sources;
  sources.push_back(make_memtable_source(active_->memtable));
  for (auto sealed = sealed_.rbegin(); sealed != sealed_.rend(); ++sealed) {
    sources.push_back(make_memtable_source((*sealed)->memtable));
  }
  append_table_sources(version_, context, sources);
  return std::make_unique<MergingCursor>(std::move(sources));
}

// --- Writing

Status Tree::admit_write(std::size_t bytes) {
  if (flush_error_) {
    const Error error = *flush_error_;
    // Nothing is lost by a full disk: what could not be flushed is in the log and in memory. Try again.
    if (error.kind == ErrorKind::no_space) schedule_flush();
    return error;
  }
  MemtableBudget& memtables = store_.memtables();
  if (memtables.wants_flush()) {
    // As a rule it is the tree that is written to most that is asked to flush, and mostly that is this one.
    if (active_->share.bytes() > memtables.total_bytes() / 4 && active_->memtable.entry_count() > 0) {
      seal_active();
    } else {
      store_.relieve_memtables();
    }
  }
  const auto now = store_.now();
  if (!memtables.has_room(bytes) && memtables.is_flushing()) {
    note_busy(now);
    return Error{ErrorKind::busy, {}};
  }
  if (plan_.level0_runs >= kLevel0RunsMax) {
    if (compaction_error_) return *compaction_error_;
    note_busy(now);
    return Error{ErrorKind::busy, {}};
  }
  if (busy_since_) {
    note_wait(now - *busy_since_);
    busy_since_.reset();
  }
  return {};
}

void Tree::note_busy(std::chrono::steady_clock::time_point now) {
  ++refused_writes_;
  if (!busy_since_) busy_since_ = now;
}

void Tree::note_wait(std::chrono::steady_clock::duration waited) {
  longest_write_wait_ = std::max(longest_write_wait_, waited);
}

std::uint64_t Tree::level0_user_bytes() const {
  std::uint64_t bytes = version_->level_bytes(0);
  for (const Run& run : version_->runs(0)) {
    for (const TableRef& table : run.tables()) {
      for (const ValueFileUse& use : table->slice().value_files) bytes += use.record_bytes;
    }
  }
  return bytes;
}

double Tree::compaction_pressure() const {
  double fullest = 0;
  for (std::uint32_t level = 0; level < Version::kLastLevel; ++level) {
    if (level != 0 && level < plan_.base_level) continue;  // being given up: that may take its time
    double fill = plan_.fill[level];
    if (level == 0 && shape_.runs_max[0] < kPressureRunsMin) {
      fill *= static_cast<double>(shape_.runs_max[0]) / kPressureRunsMin;
    }
    fullest = std::max(fullest, fill);
  }
  fullest = std::max(fullest, value_fill());
  return std::max(0.0, (fullest - kFillFree) / (kFillFull - kFillFree));
}

std::chrono::microseconds Tree::write_delay(std::size_t bytes) {
  store_.work_meter().note_committed(bytes);
  const auto delay =
      std::max(store_.flush_pause(bytes), throttle_.pause_for(bytes, compaction_pressure(), store_.now()));
  if (delay.count() > 0) {
    ++delayed_writes_;
    note_wait(delay);
  }
  return delay;
}

Presence Tree::presence_below_active(const HashedKey& key) {
  for (auto sealed = sealed_.rbegin(); sealed != sealed_.rend(); ++sealed) {
    const auto entry = (*sealed)->memtable.find(key);
    if (entry) return entry->tag.type == EntryType::value ? Presence::value : Presence::tombstone;
  }
  if (record_cache_.find(key)) return Presence::value;
  for (const LiveTable* table : candidates(key)) {
    const Presence presence = table->probe(key);
    if (presence != Presence::absent) return presence;
  }
  return Presence::absent;
}

void Tree::write(const HashedKey& key, BytesView value, EntryType type, Lsn lsn) {
  assert(lsn >= active_->last_lsn);
  auto& memtable = active_->memtable;
  const auto slot = memtable.locate(key);
  bool was_live = slot.entry && slot.entry->tag.type == EntryType::value;
  if (!slot.entry) {
    const Presence below = presence_below_active(key);
    was_live = below == Presence::value || below == Presence::unknown;  // unknown: a guess (key_guesses.h)
    if (below == Presence::unknown && worth_resolving(active_->guess_count++, memtable.entry_count())) {
      active_->guesses.emplace_back(key.bytes);
      schedule_resolution();
    }
  }
  const int balance_change = (type == EntryType::value ? 1 : 0) - (was_live ? 1 : 0);
  if (!slot.entry) record_cache_.erase(key);
  memtable.put_at(slot, key, value, type, balance_change);
  active_->balances.add(store_.options().policy->count_class(key.bytes), balance_change);
  if (active_->first_lsn == 0) active_->first_lsn = lsn;
  active_->last_lsn = lsn;
  const std::uint32_t separation_bytes = store_.options().value_separation_bytes;
  if (separation_bytes != 0 && value.size() >= separation_bytes) active_->separable_bytes += value.size();
  note_active_memory();
  user_bytes_written_ += key.bytes.size() + value.size();
}

std::int64_t Tree::key_count(std::uint32_t count_class) const {
  std::int64_t count = active_->balances.of(count_class) + table_balances_.of(count_class);
  for (const MemtableRef& sealed : sealed_) count += sealed->balances.of(count_class);
  return count;
}

// --- Persisting

std::optional<Lsn> Tree::oldest_unpersisted_lsn() const {
  if (!sealed_.empty()) return sealed_.front()->first_lsn;
  if (active_->first_lsn != 0) return active_->first_lsn;
  return {};
}

void Tree::flush() {
  if (active_->first_lsn != 0) seal_active();
  schedule_flush();
}

void Tree::relieve() {
  const std::lock_guard lock{owner_};
  if (store_.memtables().wants_flush()) flush();
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

void Tree::adapt_shape() {
  if (store_.options().compaction_mode != CompactionMode::adaptive) return;
  const auto step = advisor_.advise(workload_, *version_, shape_, plan_, store_.now());
  if (!step) return;
  Shape shape = shape_;
  shape.runs_max[step->level] = step->runs_max;
  set_shape(shape, step->reason);
}

void Tree::tick() {
  adapt_shape();
  throttle_.note_drained(0, compaction_pressure(), store_.now());
  schedule_compaction();
}

// --- Counting

void Tree::schedule_resolution() {
  if (resolution_scheduled_ || active_->guesses.empty()) return;
  resolution_scheduled_ = true;
  store_.background().submit(Priority::flush, [this] { run_resolution(); });
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
  if (flush_running_ || sealed_.empty() || resolving_ == sealed_.front()) return;
  flush_running_ = true;
  store_.background().submit(Priority::flush, [this] { run_flush(); });
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
  const MemtableRef sealed = sealed_.front();
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
  lock.unlock();
  auto tables = write_memtable(*sealed);
  Status logged;
  if (tables) {
    VersionEdit edit{id_, sealed->last_lsn, {}, {}};
    for (const TableRef& table : *tables) edit.added.push_back(table->slice());
    logged = commit(edit, sealed->last_lsn);
    if (!logged) discard(*tables);
  }
  ValueCensus::Change values;
  if (tables) {
    for (const TableRef& table : *tables) values.add(*table);
  }
  lock.lock();
  flush_running_ = false;
  if (!tables || !logged) {
    flush_error_ = tables ? logged.error() : tables.error();
    return;
  }
  flush_error_.reset();
  ++flushes_;
  if (!tables->empty()) {
    note_flush(*tables);  // first: the plan is made with what it learns
    install(version_->with({}, *tables));
    value_census_.apply(values);
  }
  store_.note_flushed(sealed->memtable.live_bytes());
  sealed_.pop_front();
  persisted_lsn_ = sealed->last_lsn;
  schedule_flush();
  schedule_compaction();
  lock.unlock();  // the memtable's memory is given back without the lock, when `sealed` goes
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
  TableWriter writer{store_, 0, store_.new_number()};
  auto cursor = sealed.memtable.cursor();
  for (cursor.seek_to_first(); cursor.valid(); cursor.next()) {
    Entry entry = cursor.entry();
    if (!sealed.new_keys.empty() && sealed.new_keys.contains(Bytes{entry.key})) ++entry.tag.balance;
    if (!policy.is_live_class(policy.count_class(entry.key))) continue;
    const bool separate = separation_bytes != 0 && entry.value.size() >= separation_bytes;
    if (auto added = separate ? writer.add_separated(entry) : writer.add(entry); !added) return added.error();
  }
  return writer.finish();
}

// --- Compacting

bool Tree::active_is_dead() const {
  const auto& balances = active_->balances.all();
  return std::none_of(balances.begin(), balances.end(), [&](const ClassBalance& balance) {
    return store_.options().policy->is_live_class(balance.count_class);
  });
}

void Tree::reclaim_obsolete(Lsn lsn) {
  reclaim_lsn_ = lsn;
  if (active_->first_lsn != 0 && active_is_dead()) {
    // Its records need no table; their log is needed no longer either. The memory goes without the lock held.
    store_.background().submit(Priority::flush, [dead = std::move(active_)]() mutable { dead.reset(); });
    active_ = make_memtable();
  }
  record_cache_.clear();
  reclaim_wanted_ = true;
  schedule_compaction();
}

std::optional<Compaction> Tree::pick_compaction() {
  if (std::exchange(reclaim_wanted_, false)) {
    if (auto drop = picker_.pick_obsolete(*version_)) return drop;
  }
  // Every second time, and where nothing else is to do. A level 0 that is behind goes first: every read
  // passes it, and values that it shadows need not be moved.
  const std::uint64_t relocation_bytes = store_.compaction_job_bytes();
  const bool may_relocate = !value_census_.victims().empty() && !relocation_stalled_;
  if (may_relocate && std::exchange(relocation_is_next_, false) && plan_.fill[0] < kFillFree) {
    if (auto relocation = pick_relocation(*version_, value_census_, relocation_bytes)) return relocation;
    relocation_stalled_ = true;
  }
  relocation_is_next_ = true;
  if (auto compaction = picker_.pick(*version_, shape_)) {
    add_relocation(value_census_, relocation_bytes, *compaction);
    return compaction;
  }
  if (!may_relocate || relocation_stalled_) return {};
  auto relocation = pick_relocation(*version_, value_census_, relocation_bytes);
  relocation_stalled_ = !relocation;
  return relocation;
}

void Tree::set_shape(const Shape& shape, std::string reason) {
  const std::uint64_t measured = shape_.flush_bytes;
  shape_ = shape;
  if (shape_.flush_bytes == 0) shape_.flush_bytes = measured;
  shape_reason_ = std::move(reason);
  ++shape_changes_;
  plan_ = plan_levels(*version_, shape_);
  schedule_compaction();
}

void Tree::schedule_compaction() {
  if (compaction_running_) return;
  const bool relocates = !value_census_.victims().empty() && !relocation_stalled_;
  const bool due =
      reclaim_wanted_ || relocates || *std::max_element(plan_.fill.begin(), plan_.fill.end()) >= 1;
  if (!due) return;
  compaction_running_ = true;
  store_.background().submit(plan_.fill[0] >= 1 ? Priority::shallow_compaction : Priority::deep_compaction,
                             [this] { run_compaction(); });
}

double Tree::compaction_fill() const {
  return std::max(*std::max_element(plan_.fill.begin(), plan_.fill.end()), value_fill());
}

// Where tables are larger than value files, garbage is held against them: it is not worth more of their
// bytes.
double Tree::value_fill() const {
  return value_census_.fill_within(std::max(value_census_.total_bytes(), version_->bytes()));
}

// A level that is beyond its plan by half is not metered any more.
WorkPace Tree::compaction_pace() const {
  constexpr double kQuotaMin = 4;
  constexpr double kQuotaMax = 40;
  const double fullest = compaction_fill();
  const double quota = static_cast<double>(workload_.compaction_bytes) /
                       static_cast<double>(std::max<std::uint64_t>(user_bytes_written_, 1));
  return {(fullest - 1) / (kFillFree - 1), std::clamp(quota, kQuotaMin, kQuotaMax)};
}

void Tree::run_compaction() {
  std::unique_lock lock{owner_};
  const auto version = version_;
  const auto compaction = pick_compaction();
  if (!compaction) {
    compaction_running_ = false;
    return;
  }
  const WorkPace pace = compaction_pace();
  const std::size_t damaged_before = version->damaged_tables();
  lock.unlock();

  auto result = lsm::run_compaction(store_, *version, *compaction, pace);
  Status logged;
  if (result) {
    VersionEdit edit{id_, 0, result->consumed, {}};
    for (const auto* tables : {&result->leftover, &result->tables}) {
      for (const TableRef& table : *tables) edit.added.push_back(table->slice());
    }
    logged = commit(edit, 0);
    if (!logged && !compaction->is_move()) discard(result->tables);
  }
  const ValueCensus::Change values = result ? census_change(*version, *result) : ValueCensus::Change{};

  lock.lock();
  compaction_running_ = false;
  if (!result || !logged) {
    compaction_error_ = result ? logged.error() : result.error();
    note_damage(*version, damaged_before);
    return;  // tried again after the next flush
  }
  compaction_error_.reset();
  ++compactions_;
  compaction_bytes_read_ += result->bytes_read;
  compaction_bytes_written_ += result->bytes_written;
  workload_.compaction_bytes += result->bytes_read + result->bytes_written;
  workload_.compaction_time += result->busy_time;
  auto added = result->leftover;
  added.insert(added.end(), result->tables.begin(), result->tables.end());
  const std::uint64_t level0_bytes = level0_user_bytes();
  const double pressure = compaction_pressure();
  install(version_->with(result->consumed, added));
  value_census_.apply(values);
  value_census_.exclude(result->unreadable_values);
  relocated_value_bytes_ += result->relocated_bytes;
  const std::uint64_t level0_left = level0_user_bytes();
  throttle_.note_drained(level0_bytes > level0_left ? level0_bytes - level0_left : 0, pressure, store_.now());
  schedule_compaction();
  lock.unlock();  // what goes now goes without the lock
  discard_consumed(*version, *result);
}

ValueCensus::Change Tree::census_change(const Version& before, const CompactionResult& result) {
  const std::set<std::uint64_t> consumed{result.consumed.begin(), result.consumed.end()};
  ValueCensus::Change change;
  before.for_each([&](const TableRef& slice) {
    if (consumed.contains(slice->number())) change.remove(*slice);
  });
  for (const auto* slices : {&result.leftover, &result.tables}) {
    for (const TableRef& slice : *slices) change.add(*slice);
  }
  return change;
}

// A compaction has failed. If that was because it met a damaged table, the next one goes around it.
void Tree::note_damage(const Version& version, std::size_t damaged_before) {
  if (version.damaged_tables() == damaged_before) return;
  if (const auto& report = store_.options().on_damage) report(compaction_error_->message);
  plan_ = plan_levels(*version_, shape_);
  schedule_compaction();
}

// Tables of which the compaction has left nothing.
void Tree::discard_consumed(const Version& before, const CompactionResult& result) {
  std::set<std::uint64_t> gone{result.consumed.begin(), result.consumed.end()};
  for (const auto* kept : {&result.leftover, &result.tables}) {
    for (const TableRef& table : *kept) gone.erase(table->number());
  }
  before.for_each([&](const TableRef& table) {
    if (gone.contains(table->number())) table->file()->discard();
  });
}

LevelStats Tree::level_stats(std::uint32_t level) const {
  LevelStats stats;
  stats.runs = version_->runs(level).size();
  stats.runs_max = shape_.runs_max[level];
  stats.bytes = version_->level_bytes(level);
  stats.bytes_max = plan_.limit_bytes[level] == UINT64_MAX ? 0 : plan_.limit_bytes[level];
  for (const Run& run : version_->runs(level)) {
    stats.tables += run.tables().size();
    for (const TableRef& table : run.tables()) {
      stats.entries += table->slice().entry_count;
      stats.tombstones += table->slice().tombstone_count;
    }
    if (stats.begin_key.empty() || run.begin_key() < stats.begin_key) stats.begin_key = run.begin_key();
    if (run.end_key() > stats.end_key) stats.end_key = run.end_key();
  }
  return stats;
}

EngineStats Tree::stats() const {
  EngineStats stats;
  stats.memtable_bytes = active_->memtable.memory_bytes();
  for (const MemtableRef& sealed : sealed_) stats.immutable_memtable_bytes += sealed->memtable.memory_bytes();
  stats.immutable_memtables = sealed_.size();
  for (std::uint32_t level = 0; level < Version::kLevelCount; ++level) {
    stats.levels.push_back(level_stats(level));
    stats.disk_bytes += stats.levels.back().bytes;
    stats.tombstones += stats.levels.back().tombstones;
  }
  version_->for_each([&stats](const TableRef& table) {
    if (table->table()) stats.table_memory_bytes += (*table->table())->resident_bytes();
  });
  stats.value_files = value_census_.file_count();
  stats.value_file_bytes = value_census_.total_bytes();
  stats.live_value_bytes = value_census_.live_bytes();
  stats.relocated_value_bytes = relocated_value_bytes_;
  stats.disk_bytes += stats.value_file_bytes;
  stats.user_bytes_written = user_bytes_written_;
  stats.flush_bytes_written = flush_bytes_written_;
  stats.compaction_bytes_read = compaction_bytes_read_;
  stats.compaction_bytes_written = compaction_bytes_written_;
  stats.disk_bytes_written = flush_bytes_written_ + compaction_bytes_written_;
  stats.flushes = flushes_;
  stats.compactions = compactions_;
  stats.debt_bytes = plan_.debt_bytes;
  stats.pressure = std::max(compaction_pressure(), store_.memtables().pressure());
  if (!relocation_stalled_) stats.debt_bytes += value_census_.victim_live_bytes();
  stats.delayed_writes = delayed_writes_;
  stats.refused_writes = refused_writes_;
  stats.longest_write_wait = std::chrono::duration_cast<std::chrono::microseconds>(longest_write_wait_);
  stats.reads = reads_;
  stats.table_reads = workload_.table_reads;
  stats.seeks = workload_.seeks;
  stats.not_resident = not_resident_;
  stats.bloom_checks = bloom_checks_;
  stats.bloom_false_positives = bloom_false_positives_;
  stats.record_cache_hits = record_cache_.hits();
  stats.record_cache_misses = record_cache_.misses();
  stats.record_cache_bytes = record_cache_.memory_bytes();
  stats.shape = shape_name(shape_, plan_);
  stats.shape_reason = shape_reason_;
  stats.shape_changes = shape_changes_;
  stats.damaged_tables = version_->damaged_tables();
  return stats;
}

}  // namespace shale::engine::lsm
