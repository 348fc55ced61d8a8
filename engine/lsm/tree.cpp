#include "engine/lsm/tree.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <iterator>

#include "engine/lsm/key_guesses.h"
#include "engine/lsm/merging_cursor.h"

namespace shale::engine::lsm {
namespace {

// The last stop, for what arithmetic did not foresee: a compaction that fails.
constexpr std::size_t kLevel0RunsLimit = 200;

Shape initial_shape(CompactionMode mode) {
  Shape shape;  // the middle: what adaptive begins with
  if (mode == CompactionMode::adaptive) return shape;
  constexpr std::uint32_t kFlushes = 4;
  shape.runs_max.fill(mode == CompactionMode::leveled ? 1 : kRunsMaxLimit);
  shape.runs_max.front() = mode == CompactionMode::leveled ? kFlushes : kRunsMaxLimit;
  shape.runs_max.back() = 1;
  return shape;
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
      record_cache_(store.record_cache_bytes()),
      persisted_lsn_(persisted_lsn),
      picker_(store) {
  active_ = make_memtable();
  shape_ = initial_shape(store_.options().compaction_mode);
  shape_.flush_bytes = store_.memtables().total_bytes() / 8;  // until there has been a flush
  ValueCensus::Change values;
  version->for_each([&](const TableRef& table) { values.add(*table); });
  value_census_.apply(values);
  install(std::move(version));
  store_.add_tree(*this);
}

Tree::~Tree() { store_.remove_tree(*this); }

LoggedMemtable::LoggedMemtable(const LoggedMemtable& whole, Bytes begin_key, Bytes end_key, const Part& part)
    : contents(whole.contents),
      begin(std::move(begin_key)),
      end(std::move(end_key)),
      counted(part),
      balances(part.balances),
      first_lsn(whole.first_lsn),
      first_write_ms(whole.first_write_ms),
      last_lsn(whole.last_lsn),
      separable_bytes(whole.separable_bytes),
      guess_count(whole.guess_count) {
  std::ranges::copy_if(whole.guesses, std::back_inserter(guesses),
                       [this](const Bytes& key) { return has(key); });
  std::ranges::copy_if(whole.new_keys, std::inserter(new_keys, new_keys.end()),
                       [this](const Bytes& key) { return has(key); });
}

CursorBounds LoggedMemtable::within(CursorBounds bounds) const {
  if (BytesView{begin} > bounds.begin) bounds.begin = begin;
  if (!end.empty() && (bounds.end.empty() || BytesView{end} < bounds.end)) bounds.end = end;
  return bounds;
}

Tree::MemtableRef Tree::make_memtable() const {
  return std::make_shared<LoggedMemtable>(store_.memtables(), chunk_bytes(store_.memtables().total_bytes()));
}

void Tree::install(std::shared_ptr<const Version> version) {
  version_ = std::move(version);
  table_balances_ = {};
  version_->for_each([this](const TableRef& table) { table_balances_.add(table->slice().balances); });
  note_record_bytes();
  plan_ = plan_levels(*version_, shape_);
  relocation_stalled_ = false;
}

// By halves and doubles, so that a level does not come and go with every flush.
void Tree::note_record_bytes() {
  const std::uint64_t table_bytes = version_->bytes();
  if (table_bytes == 0) return;
  const std::uint64_t now = 1 + value_census_.live_bytes() / table_bytes;
  std::uint64_t& planned = shape_.record_bytes_per_table_byte;
  if (now >= 2 * planned || 2 * now <= planned) planned = now;
}

void Tree::leave_tables(std::vector<TableRef>& tables) {
  const std::lock_guard lock{owner_};
  version_->for_each([&](const TableRef& table) { tables.push_back(table); });
  value_census_.leave();
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

std::unique_ptr<Cursor> Tree::cursor(CursorBounds bounds, ReadContext& context) {
  ++workload_.seeks;  // a cursor is made for every one
  std::vector<std::unique_ptr<EntrySource>> sources;
  sources.push_back(make_memtable_source(active_->memtable, bounds));
  for (auto sealed = sealed_.rbegin(); sealed != sealed_.rend(); ++sealed) {
    sources.push_back(make_memtable_source((*sealed)->memtable, (*sealed)->within(bounds)));
  }
  append_table_sources(*version_, bounds, context, sources);
  return std::make_unique<MergingCursor>(std::move(sources), version_);
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
    if (auto failed = store_.failed_flushes().any()) {
      store_.retry_failed_flushes();
      // What this tree holds is all the room that is sure to come.
      if (!flush_running_ && sealed_.empty() && active_->first_lsn == 0) return *failed;
      flush();
    }
    note_busy(now);
    return Error{ErrorKind::busy, {}};
  }
  if (plan_.level0_runs >= kLevel0RunsLimit) {
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
  if (active_->first_lsn == 0) {
    active_->first_lsn = lsn;
    active_->first_write_ms = store_.unix_ms();
  }
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

std::optional<Bytes> Tree::middle_key() const {
  constexpr std::size_t kStepsMax = 20'000;  // through a memtable
  std::vector<TableRef> slices;
  version_->for_each([&](const TableRef& slice) { slices.push_back(slice); });
  if (version_->bytes() >= active_->memtable.live_bytes()) {
    if (auto middle = lsm::middle_key(slices)) return middle;
  }
  const LoggedMemtable* fullest = active_.get();
  for (const MemtableRef& sealed : sealed_) {
    if (sealed->entry_count() > fullest->entry_count()) fullest = sealed.get();
  }
  auto cursor = fullest->memtable.cursor();
  cursor.seek(fullest->begin);
  const std::size_t steps = std::min(fullest->entry_count() / 2, kStepsMax);
  for (std::size_t step = 0; step < steps && cursor.valid(); ++step) cursor.next();
  const bool found = steps > 0 && cursor.valid() && fullest->has(cursor.entry().key);
  return found ? std::optional{Bytes{cursor.entry().key}} : std::nullopt;
}

// --- Being looked at

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

// A key's entries sum up to a balance of one if it lives (entry.h): the others are there for nothing.
void Tree::count_obsolete(EngineStats& stats) const {
  std::int64_t entries = 0;
  std::uint64_t bytes = 0;
  for (const LevelStats& level : stats.levels) {
    entries += static_cast<std::int64_t>(level.entries);
    bytes += level.bytes;
  }
  if (entries == 0) return;
  std::int64_t live = 0;
  for (const ClassBalance& balance : table_balances_.all()) live += balance.sum;
  const std::int64_t obsolete = entries - std::clamp<std::int64_t>(live, 0, entries);
  stats.obsolete_entries = static_cast<std::uint64_t>(obsolete);
  stats.obsolete_bytes = static_cast<std::uint64_t>(
      static_cast<double>(bytes) * static_cast<double>(obsolete) / static_cast<double>(entries));
  stats.obsolete_bytes += value_census_.garbage_bytes();
  const std::int64_t since_ms = version_->obsolete_from_ms();
  stats.obsolete_age = std::chrono::milliseconds{std::max<std::int64_t>(store_.unix_ms() - since_ms, 0)};
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
  count_obsolete(stats);
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
