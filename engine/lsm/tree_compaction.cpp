// How a tree keeps its shape: what it compacts and when, and how far behind it is.
#include <algorithm>
#include <set>

#include "engine/lsm/compaction.h"
#include "engine/lsm/tree.h"
#include "engine/lsm/value_relocation.h"

namespace shale::engine::lsm {
namespace {

// Compaction is behind when level 0 or another has this much more than its plan, and as far behind as it
// should ever be with as much again.
constexpr double kFillFree = 1.5;
constexpr double kFillFull = 3;
// Value files are behind when a fifth of them is garbage, as far as they should ever be with a quarter
// (value_census.h: ValueCensus::fill_within).
constexpr double kValueFillFree = 0.2 / 0.15;
constexpr double kValueFillFull = 0.25 / 0.15;
// Level 0 in read mode is planned to be small; writers are not slowed before it is as large as in this plan.
constexpr std::uint32_t kPressureRunsMin = 4;

}  // namespace

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
  const double of_levels = (fullest - kFillFree) / (kFillFull - kFillFree);
  const double of_values = (value_fill() - kValueFillFree) / (kValueFillFull - kValueFillFree);
  return std::max({0.0, of_levels, of_values});
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
  constexpr std::uint64_t kTicksPerRefresh = 64;
  constexpr std::size_t kTrimmedPerTick = 1000;
  if (ticks_++ % kTicksPerRefresh == 0) value_census_.refresh();
  record_cache_.set_capacity(store_.record_cache_bytes());
  record_cache_.trim(kTrimmedPerTick);
  adapt_shape();
  flush_if_old();
  throttle_.note_drained(0, compaction_pressure(), store_.now());
  schedule_compaction();
}

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

// What is overdue and what is to be relocated take turns with what keeps the levels in shape, and have the
// rest of the time. A level 0 that is behind goes first: every read passes it, and values that it shadows
// need not be moved.
std::optional<Compaction> Tree::pick_compaction() {
  if (std::exchange(reclaim_wanted_, false)) {
    if (auto drop = picker_.pick_obsolete(*version_)) return drop;
  }
  const bool level0_is_behind = plan_.fill[0] >= kFillFree;
  if (std::exchange(overdue_is_next_, false) && !level0_is_behind) {
    if (auto overdue = pick_overdue()) return overdue;
  }
  if (std::exchange(relocation_is_next_, false) && !level0_is_behind) {
    if (auto relocation = pick_relocation()) return relocation;
  }
  overdue_is_next_ = relocation_is_next_ = true;
  if (auto compaction = picker_.pick(*version_, shape_)) {
    add_relocation(value_census_, store_.compaction_job_bytes(), *compaction);
    return compaction;
  }
  if (auto overdue = pick_overdue()) return overdue;
  return pick_relocation();
}

std::optional<Compaction> Tree::pick_overdue() {
  constexpr std::int64_t kRetryPart = 64;  // of the time that obsolete records may stay
  if (!has_overdue()) return {};
  auto compaction = picker_.pick_overdue(*version_, shape_, overdue_ms());
  if (!compaction)
    next_expulsion_ms_ = store_.unix_ms() + store_.options().deletion_age_max.count() / kRetryPart;
  return compaction;
}

std::optional<Compaction> Tree::pick_relocation() {
  if (value_census_.victims().empty() || relocation_stalled_) return {};
  auto relocation = lsm::pick_relocation(*version_, value_census_, store_.compaction_job_bytes());
  relocation_stalled_ = !relocation;
  return relocation;
}

std::int64_t Tree::overdue_ms() const {
  return store_.unix_ms() - store_.options().deletion_age_max.count() / 2;
}

bool Tree::has_overdue() const {
  if (store_.options().deletion_age_max.count() == 0) return false;
  return version_->obsolete_from_ms() <= overdue_ms() && store_.unix_ms() >= next_expulsion_ms_;
}

// 1 when something has become overdue, 2 when its time is up.
double Tree::overdue_fill() const {
  if (!has_overdue()) return 0;
  const auto age_max = static_cast<double>(store_.options().deletion_age_max.count());
  return 1 + static_cast<double>(overdue_ms() - version_->obsolete_from_ms()) / (age_max / 2);
}

// So that nothing stays in memory, and its log on disk, because nobody writes any more.
void Tree::flush_if_old() {
  const std::int64_t age_max_ms = store_.options().deletion_age_max.count();
  if (age_max_ms == 0 || active_->first_lsn == 0) return;
  if (active_->first_write_ms + age_max_ms / 4 <= store_.unix_ms()) flush();
}

void Tree::set_shape(const Shape& shape, std::string reason) {
  const std::uint64_t measured = shape_.flush_bytes;
  const std::uint64_t record_bytes_per_table_byte = shape_.record_bytes_per_table_byte;
  shape_ = shape;
  shape_.record_bytes_per_table_byte = record_bytes_per_table_byte;
  if (shape_.flush_bytes == 0) shape_.flush_bytes = measured;
  shape_reason_ = std::move(reason);
  ++shape_changes_;
  plan_ = plan_levels(*version_, shape_);
  schedule_compaction();
}

void Tree::schedule_compaction() {
  if (stopping_ || compaction_running_) return;
  const bool relocates = !value_census_.victims().empty() && !relocation_stalled_;
  const bool due = reclaim_wanted_ || relocates || has_overdue() ||
                   *std::max_element(plan_.fill.begin(), plan_.fill.end()) >= 1;
  if (!due) return;
  compaction_running_ = true;
  store_.background().submit(plan_.fill[0] >= 1 ? Priority::shallow_compaction : Priority::deep_compaction,
                             [self = shared_from_this()] { self->run_compaction(); });
}

double Tree::compaction_fill() const {
  return std::max({*std::max_element(plan_.fill.begin(), plan_.fill.end()), value_fill(), overdue_fill()});
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

// A flush is short and waited for by who stops the work; a compaction may be long, and is given up.
Status Tree::commit_compaction(const VersionEdit& edit) {
  {
    const std::lock_guard lock{owner_};
    if (stopping_) return Error{ErrorKind::stopped, "the tree is being replaced"};
    compaction_commits_ = true;
  }
  return commit(edit, 0);
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
    logged = commit_compaction(edit);
    if (!logged && !compaction->is_move()) discard(result->tables);
  }
  const ValueCensus::Change values = result ? census_change(*version, *result) : ValueCensus::Change{};

  lock.lock();
  compaction_running_ = compaction_commits_ = false;
  if (stopping_ && !(result && logged)) return;
  if (!result || !logged) {
    compaction_error_ = result ? logged.error() : result.error();
    note_damage(*version, damaged_before);
    return;  // tried again at the next tick
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
  value_census_.apply(values);
  value_census_.exclude(result->unreadable_values);
  install(version_->with(result->consumed, added));
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
  std::vector<TableRef> slices;
  before.for_each([&](const TableRef& table) {
    if (gone.contains(table->number())) slices.push_back(table);
  });
  discard_each(slices);
}

}  // namespace shale::engine::lsm
