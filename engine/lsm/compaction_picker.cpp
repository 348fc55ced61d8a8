#include "engine/lsm/compaction_picker.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace shale::engine::lsm {
namespace {

// A range whose first possible end makes a job this much too large is cut inside a table instead.
constexpr std::uint64_t kOversize = 2;

BytesView last_end(const std::vector<const Run*>& runs) {
  BytesView end;
  for (const Run* run : runs) end = std::max(end, run->end_key());
  return end;
}

std::uint64_t bytes_between(const Run& run, BytesView begin, BytesView end) {
  std::uint64_t bytes = 0;
  for (std::size_t i = run.first_reaching(begin); i < run.tables().size(); ++i) {
    const LiveTable& table = *run.tables()[i];
    if (table.begin_key() >= end) break;
    bytes += table.approximate_bytes(begin, end);
  }
  return bytes;
}

std::uint64_t bytes_between(const std::vector<const Run*>& runs, BytesView begin, BytesView end) {
  std::uint64_t bytes = 0;
  for (const Run* run : runs) bytes += bytes_between(*run, begin, end);
  return bytes;
}

// The slice that begins the range and lies alone in it, if that is so.
TableRef lone_slice(const std::vector<const Run*>& runs, const Run* target, BytesView begin) {
  TableRef first;
  for (const Run* run : runs) {
    const std::size_t place = run->first_reaching(begin);
    if (place == run->tables().size()) continue;
    const TableRef& table = run->tables()[place];
    if (!first || table->begin_key() < first->begin_key()) first = table;
  }
  std::size_t overlapping = 0;
  for (const Run* run : runs) overlapping += run->overlapping(first->begin_key(), first->end_key()).size();
  if (target != nullptr && target->overlaps(first->begin_key(), first->end_key())) return nullptr;
  return overlapping == 1 ? first : nullptr;
}

// A key above `begin` that cuts off about `part` of what the runs have in [begin, end), found in the table
// that has most of it.
std::optional<Bytes> cut_inside(const std::vector<const Run*>& runs, BytesView begin, BytesView end,
                                double part) {
  const LiveTable* largest = nullptr;
  std::uint64_t largest_bytes = 0;
  for (const Run* run : runs) {
    for (const TableRef& table : run->overlapping(begin, end)) {
      const std::uint64_t bytes = table->approximate_bytes(begin, end);
      if (bytes <= largest_bytes || !table->table()) continue;
      largest_bytes = bytes;
      largest = table.get();
    }
  }
  if (largest == nullptr) return {};
  const Table& table = **largest->table();
  const std::uint64_t offset = table.approximate_offset(std::max(begin, largest->begin_key())) +
                               static_cast<std::uint64_t>(static_cast<double>(largest_bytes) * part);
  auto key = table.key_at(offset);
  if (!key || *key <= begin || *key >= end) return {};
  return key;
}

}  // namespace

bool Compaction::is_move() const {
  if (reason != CompactionReason::overflow || inputs.size() != 1 || inputs.front().size() != 1) return false;
  const LiveTable& slice = *inputs.front().front();
  return slice.begin_key() >= begin_key && slice.end_key() <= end_key &&
         (!bottom || slice.slice().tombstone_count == 0);
}

std::uint64_t Compaction::input_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& run : inputs) {
    for (const TableRef& table : run) bytes += table->approximate_bytes(begin_key, end_key);
  }
  return bytes;
}

Compaction rewrite_in_place(const Version& version, const TableRef& slice, CompactionReason reason,
                            double part) {
  Compaction compaction;
  compaction.reason = reason;
  compaction.source_level = compaction.target_level = slice->slice().level;
  compaction.target_run = slice->slice().run;
  compaction.begin_key = slice->begin_key();
  compaction.end_key = slice->end_key();
  if (part < 1) {
    if (auto cut = slice->cut_at(part)) compaction.end_key = std::move(*cut);
  }
  compaction.inputs = {{slice}};
  compaction.bottom = version.is_bottom(compaction.target_level, compaction.target_run, compaction.begin_key,
                                        compaction.end_key);
  return compaction;
}

// The level that is furthest beyond its plan, if it has something that may be moved.
std::optional<Compaction> CompactionPicker::pick(const Version& version, const Shape& shape) {
  const LevelPlan plan = plan_levels(version, shape);
  std::array<std::uint32_t, Version::kLevelCount> levels;
  std::iota(levels.begin(), levels.end(), 0);
  std::ranges::stable_sort(levels, std::greater{}, [&](std::uint32_t level) { return plan.fill[level]; });
  for (const std::uint32_t level : levels) {
    if (plan.fill[level] < 1) break;
    if (auto compaction = pick_level(version, shape, plan, level)) return compaction;
  }
  return {};
}

std::optional<Compaction> CompactionPicker::pick_level(const Version& version, const Shape& shape,
                                                       const LevelPlan& plan, std::uint32_t level) {
  if (level == 0 && version.damaged_tables() != 0) {
    if (const auto crowded = crowded_range(version, plan, shape)) return merge_crowded(version, *crowded);
  }
  const bool overflows = level < Version::kLastLevel && plan.movable_bytes[level] >= plan.limit_bytes[level];
  if (level > 0 && !overflows && level >= plan.base_level) {
    return merge_runs(version, level, next_merge_key_[level]);
  }
  return push_down(version, shape, plan, level, next_key_[level]);
}

std::optional<bool> CompactionPicker::begin_range(const std::vector<const Run*>& runs, const Run* target,
                                                  const BlockedRanges& blocked, const Bytes& next_key,
                                                  Compaction& compaction) {
  const auto first_at_or_above = [&](BytesView key) {
    std::optional<BytesView> first;
    for (const Run* run : runs) {
      const std::size_t place = run->first_reaching(key);
      if (place == run->tables().size()) continue;
      const BytesView begin = std::max(run->tables()[place]->begin_key(), key);
      first = first ? std::min(*first, begin) : begin;
    }
    return first;
  };
  const auto first_free = [&](BytesView key) {
    auto first = first_at_or_above(key);
    while (first) {
      const auto blocked_end = blocked.end_around(*first);
      if (!blocked_end) break;
      first = first_at_or_above(*blocked_end);
    }
    return first;
  };
  auto begin = first_free(next_key);
  const bool is_new_sweep = !begin || next_key.empty();
  if (!begin) begin = first_free({});
  if (!begin) return {};
  compaction.begin_key = *begin;
  if (target != nullptr) {  // a table below is taken from its beginning, not from the middle
    if (const LiveTable* around = target->table_for(*begin)) {
      compaction.begin_key = std::max(around->begin_key(), blocked.last_end_before(*begin));
    }
  }
  return is_new_sweep;
}

std::uint64_t CompactionPicker::choose_target_run(const Version& version, const Shape& shape,
                                                  const LevelPlan& plan, std::uint32_t level,
                                                  bool is_new_sweep) const {
  const auto& runs = version.runs(level);
  if (runs.empty()) return store_.new_number();
  const std::uint32_t runs_max = shape.runs_max[level];
  // What is begun in the middle of a sweep would be a run for a part of the keys.
  if (!is_new_sweep || runs.size() >= runs_max) return runs.front().id();
  const std::uint64_t limit =
      level == Version::kLastLevel ? version.level_bytes(level) : plan.limit_bytes[level];
  return runs.front().bytes() >= limit / runs_max ? store_.new_number() : runs.front().id();
}

std::optional<Compaction> CompactionPicker::push_down(const Version& version, const Shape& shape,
                                                      const LevelPlan& plan, std::uint32_t level,
                                                      Bytes& next_key) const {
  Compaction compaction;
  compaction.source_level = level;
  compaction.target_level = target_level(version, plan, level);
  const auto sources = pointers_to(version.runs(level));
  const auto& below = version.runs(compaction.target_level);
  const Run* target = below.empty() ? nullptr : &below.front();
  const BlockedRanges blocked = blocked_below(version, plan, level);
  const auto is_new_sweep = begin_range(sources, target, blocked, next_key, compaction);
  if (!is_new_sweep) return {};
  compaction.target_run = choose_target_run(version, shape, plan, compaction.target_level, *is_new_sweep);
  if (target != nullptr && target->id() != compaction.target_run) target = nullptr;
  take_range(version, sources, target, blocked, next_key, compaction);
  return compaction;
}

// Everything a level has in a range goes into its oldest run.
std::optional<Compaction> CompactionPicker::merge_runs(const Version& version, std::uint32_t level,
                                                       Bytes& next_key) const {
  Compaction compaction;
  compaction.reason = CompactionReason::merge_runs;
  compaction.source_level = compaction.target_level = level;
  auto sources = pointers_to(version.runs(level));
  const Run* oldest = sources.back();
  sources.pop_back();
  if (sources.empty()) return {};
  compaction.target_run = oldest->id();
  const BlockedRanges blocked = blocked_within(version, level);
  if (!begin_range(sources, oldest, blocked, next_key, compaction)) return {};
  take_range(version, sources, oldest, blocked, next_key, compaction);
  return compaction;
}

Compaction CompactionPicker::merge_crowded(const Version& version, const CrowdedRange& crowded) {
  Compaction compaction;
  compaction.reason = CompactionReason::merge_runs;
  compaction.target_run = crowded.runs.back()->id();
  compaction.begin_key = crowded.begin;
  compaction.end_key = crowded.end;
  for (const Run* run : crowded.runs)
    compaction.inputs.push_back(run->overlapping(crowded.begin, crowded.end));
  compaction.bottom = version.is_bottom(0, compaction.target_run, crowded.begin, crowded.end);
  return compaction;
}

void CompactionPicker::take_range(const Version& version, const std::vector<const Run*>& sources,
                                  const Run* target, const BlockedRanges& blocked, Bytes& next_key,
                                  Compaction& compaction) const {
  const TableRef lone = lone_slice(sources, target, compaction.begin_key);
  if (lone && store_.may_move(compaction.source_level, compaction.target_level)) {
    compaction.begin_key = lone->begin_key();
    compaction.end_key = lone->end_key();
  } else {
    choose_end(sources, target, compaction);
    const auto next_blocked = blocked.next_begin(compaction.begin_key);
    if (next_blocked && *next_blocked < compaction.end_key) compaction.end_key = *next_blocked;
  }
  next_key = compaction.end_key;
  auto runs = sources;
  if (target != nullptr) runs.push_back(target);
  for (const Run* run : runs) {
    auto overlapping = run->overlapping(compaction.begin_key, compaction.end_key);
    if (!overlapping.empty()) compaction.inputs.push_back(std::move(overlapping));
  }
  compaction.bottom = version.is_bottom(compaction.target_level, compaction.target_run, compaction.begin_key,
                                        compaction.end_key);
}

// The end is where a table of the target run begins, so that its tables are taken whole; as far on as the
// job's size allows.
void CompactionPicker::choose_end(const std::vector<const Run*>& sources, const Run* target,
                                  Compaction& compaction) const {
  const BytesView begin = compaction.begin_key;
  const BytesView sources_end = last_end(sources);
  const std::uint64_t wanted = store_.compaction_job_bytes();
  std::vector<BytesView> ends;
  if (target != nullptr) {
    for (std::size_t i = target->first_reaching(begin); i < target->tables().size(); ++i) {
      const LiveTable& table = *target->tables()[i];
      if (table.begin_key() >= sources_end) break;
      if (table.begin_key() > begin) ends.push_back(table.begin_key());
      if (i + 1 == target->tables().size()) ends.push_back(std::max(table.end_key(), sources_end));
    }
  }
  if (ends.empty() || ends.back() < sources_end) ends.push_back(sources_end);

  const auto job_bytes = [&](BytesView end) {
    return bytes_between(sources, begin, end) + (target == nullptr ? 0 : bytes_between(*target, begin, end));
  };
  std::uint64_t bytes = job_bytes(ends.front());
  if (bytes > wanted * kOversize) {
    auto all = sources;
    if (target != nullptr) all.push_back(target);
    const double part = static_cast<double>(wanted) / static_cast<double>(bytes);
    if (auto cut = cut_inside(all, begin, ends.front(), part)) {
      compaction.end_key = std::move(*cut);
      return;
    }
  }
  std::size_t chosen = 0;
  while (chosen + 1 < ends.size() && job_bytes(ends[chosen + 1]) <= wanted) ++chosen;
  compaction.end_key = ends[chosen];
}

}  // namespace shale::engine::lsm
