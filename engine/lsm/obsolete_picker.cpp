// What to compact because of what it holds, not of how much: records that are obsolete.
#include <algorithm>
#include <functional>

#include "engine/lsm/compaction_picker.h"

namespace shale::engine::lsm {
namespace {

bool is_input(const TableRef& slice, const Compaction& compaction) {
  return std::ranges::any_of(compaction.inputs, [&](const std::vector<TableRef>& run) {
    return std::ranges::find(run, slice) != run.end();
  });
}

// What a job takes of so much; all of it rather than leave a little.
double job_part(std::uint64_t job_bytes, std::uint64_t bytes) {
  return bytes <= 2 * job_bytes ? 1 : static_cast<double>(job_bytes) / static_cast<double>(bytes);
}

}  // namespace

std::optional<Compaction> CompactionPicker::pick_obsolete(const Version& version) const {
  const KeyPolicy& policy = *store_.options().policy;
  Compaction compaction;
  compaction.reason = CompactionReason::obsolete_class;
  version.for_each([&](const TableRef& slice) {
    // A slice says nothing of classes if another slice of its table has the sums of both.
    const auto& balances =
        slice->table() ? (*slice->table())->properties().balances : slice->slice().balances;
    const bool is_dead =
        !balances.empty() && std::none_of(balances.begin(), balances.end(), [&](const ClassBalance& balance) {
          return policy.is_live_class(balance.count_class);
        });
    if (is_dead) compaction.obsolete.push_back(slice);
  });
  if (compaction.obsolete.empty()) return {};
  return compaction;
}

std::optional<Compaction> CompactionPicker::pick_overdue(const Version& version, const Shape& shape,
                                                         std::int64_t due_ms) const {
  if (version.obsolete_from_ms() > due_ms) return {};
  std::vector<TableRef> due;
  version.for_each([&](const TableRef& slice) {
    if (!slice->is_damaged() && slice->obsolete_from_ms() <= due_ms) due.push_back(slice);
  });
  const auto since = [](const TableRef& slice) { return slice->obsolete_from_ms(); };
  std::ranges::make_heap(due, std::greater{}, since);
  const LevelPlan plan = plan_levels(version, shape);
  while (!due.empty()) {
    if (auto compaction = expel(version, shape, plan, due.front())) return compaction;
    std::ranges::pop_heap(due, std::greater{}, since);
    due.pop_back();
  }
  return {};
}

std::optional<Compaction> CompactionPicker::expel(const Version& version, const Shape& shape,
                                                  const LevelPlan& plan, const TableRef& slice) const {
  const std::uint32_t level = slice->slice().level;
  const bool is_last = level == Version::kLastLevel;
  if (is_last && version.runs(level).back().id() == slice->slice().run) {
    const double part = job_part(store_.compaction_job_bytes(), slice->bytes());
    return rewrite_in_place(version, slice, CompactionReason::deletion_age, part);
  }
  Bytes next_key{slice->begin_key()};
  auto compaction =
      is_last ? merge_runs(version, level, next_key) : push_down(version, shape, plan, level, next_key);
  // Where damage is in the way it is some other part of the level that could be moved.
  if (!compaction || (compaction->begin_key > slice->begin_key() && !is_input(slice, *compaction))) return {};
  compaction->reason = CompactionReason::deletion_age;
  return compaction;
}

}  // namespace shale::engine::lsm
