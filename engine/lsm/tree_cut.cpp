#include <algorithm>

#include "engine/lsm/run_merger.h"
#include "engine/lsm/tree_change.h"
#include "engine/lsm/tree_store.h"
#include "engine/lsm/value_usage.h"

namespace shale::engine::lsm {
namespace {

using Slices = std::vector<TableRef>;

// What one table, with its slices, has on either side of the cut.
struct TableHalves {
  Slices low;
  Slices high;
};

std::uint64_t bytes_of(const Slices& slices) {
  std::uint64_t bytes = 0;
  for (const TableRef& slice : slices) bytes += slice->bytes();
  return bytes;
}

TableConsumption sums_of(const Slices& slices) {
  TableConsumption sums;
  for (const TableRef& slice : slices) {
    sums.balances.add(slice->slice().balances);
    sums.values.add(slice->slice().value_files);
  }
  return sums;
}

TableConsumption difference(TableConsumption whole, const TableConsumption& part) {
  for (const ClassBalance& balance : part.balances.all())
    whole.balances.add(balance.count_class, -balance.sum);
  whole.values.subtract(part.values);
  return whole;
}

// Reads the slices of one table, and adds up.
Result<TableConsumption> count(Slices slices, const KeyPolicy& policy) {
  std::ranges::sort(slices, {}, [](const TableRef& slice) { return slice->begin_key(); });
  const std::uint64_t number = slices.front()->number();
  const Bytes begin{slices.front()->begin_key()};
  const Bytes end{slices.back()->end_key()};
  Consumption counted{{number, {}}};
  RunScanner scanner{slices, begin, end, policy, counted};
  for (Status moved = scanner.seek_first();; moved = scanner.next()) {
    if (!moved) return moved.error();
    if (!scanner.valid()) return std::move(counted.at(number));
  }
}

// The sums over the slices of one table stand with the first of them (SliceDescriptor).
void give_sums(Slices& slices, const TableConsumption& sums) {
  for (TableRef& slice : slices) {
    SliceDescriptor descriptor = slice->slice();
    const bool is_first = &slice == &slices.front();
    descriptor.balances = is_first ? sums.balances.all() : std::vector<ClassBalance>{};
    descriptor.value_files = is_first ? sums.values.all() : std::vector<ValueFileUse>{};
    slice = std::make_shared<const LiveTable>(slice->file(), std::move(descriptor));
  }
}

// A table that is damaged cannot be counted: then all is taken to be low. The sum over both trees stays
// right.
void divide_sums(TableHalves& halves, const TableConsumption& whole, const KeyPolicy& policy) {
  const bool counts_low = bytes_of(halves.low) < bytes_of(halves.high);
  const auto counted = count(counts_low ? halves.low : halves.high, policy);
  if (!counted) {
    give_sums(halves.low, whole);
    give_sums(halves.high, {});
    return;
  }
  const TableConsumption rest = difference(whole, *counted);
  give_sums(halves.low, counts_low ? *counted : rest);
  give_sums(halves.high, counts_low ? rest : *counted);
}

// What lies behind the cut stays in the file: when it is deleted there, this slice must not keep it for long.
TableRef narrowed_at_cut(const LiveTable& slice, BytesView from, BytesView to, std::int64_t now_ms) {
  const TableRef narrowed = slice.narrowed(from, to);
  SliceDescriptor descriptor = narrowed->slice();
  if (descriptor.cut_since_ms == 0) descriptor.cut_since_ms = now_ms;
  return std::make_shared<const LiveTable>(slice.file(), std::move(descriptor));
}

double tables_below(const Version& version, BytesView cut) {
  std::uint64_t below = 0;
  version.for_each([&](const TableRef& slice) { below += slice->bytes_below(cut); });
  return static_cast<double>(below) / static_cast<double>(std::max<std::uint64_t>(version.bytes(), 1));
}

// Of its first entries, if they are many.
double entries_below(const Memtable& memtable, BytesView cut) {
  constexpr std::size_t kStepsMax = 20'000;
  std::size_t steps = 0;
  std::size_t below = 0;
  auto cursor = memtable.cursor();
  for (cursor.seek({}); cursor.valid() && steps < kStepsMax; cursor.next(), ++steps)
    below += cursor.entry().key < cut;
  return static_cast<double>(below) / static_cast<double>(std::max<std::size_t>(memtable.entry_count(), 1));
}

struct VersionHalves {
  Slices low;
  Slices high;
};

VersionHalves cut_version(const Version& version, BytesView cut, const KeyPolicy& policy,
                          std::int64_t now_ms) {
  std::map<std::uint64_t, TableHalves> tables;
  std::map<std::uint64_t, Slices> wholes;
  version.for_each([&](const TableRef& slice) {
    TableHalves& halves = tables[slice->number()];
    wholes[slice->number()].push_back(slice);
    if (slice->end_key() <= cut) {
      halves.low.push_back(slice);
    } else if (slice->begin_key() >= cut) {
      halves.high.push_back(slice);
    } else {
      halves.low.push_back(narrowed_at_cut(*slice, slice->begin_key(), cut, now_ms));
      halves.high.push_back(narrowed_at_cut(*slice, cut, slice->end_key(), now_ms));
    }
  });
  VersionHalves result;
  for (auto& [number, halves] : tables) {
    if (!halves.low.empty() && !halves.high.empty()) divide_sums(halves, sums_of(wholes[number]), policy);
    result.low.insert(result.low.end(), halves.low.begin(), halves.low.end());
    result.high.insert(result.high.end(), halves.high.begin(), halves.high.end());
  }
  return result;
}

}  // namespace

TreeCut::TreeCut(TreeStore& store, Engine& parent, Bytes cut)
    : store_(store), parent_(static_cast<Tree&>(parent)), cut_(std::move(cut)) {}

TreeCut::~TreeCut() {
  if (handed_over_) return;
  for (const auto& tree : {low_, high_}) {
    if (tree) store_.forget_new(*tree);
  }
}

Status TreeCut::make(TreePlace low, TreePlace high) {
  std::shared_ptr<const Version> version;
  TreeStore::NewTree made;
  {
    const std::lock_guard lock{parent_.owner_};
    version = parent_.version_;
    made.persisted_lsn = parent_.persisted_lsn_;
    made.shape = parent_.shape_;
  }
  const VersionHalves halves = cut_version(*version, cut_, *store_.options().policy, store_.unix_ms());
  auto low_tree = store_.make_tree(low.id, low.owner, made, halves.low);
  if (!low_tree) return low_tree.error();
  low_ = std::move(*low_tree);
  auto high_tree = store_.make_tree(high.id, high.owner, made, halves.high);
  if (!high_tree) return high_tree.error();
  high_ = std::move(*high_tree);
  return {};
}

std::optional<double> TreeCut::part_below(const Engine& engine, BytesView cut) {
  const auto* const tree = dynamic_cast<const Tree*>(&engine);
  if (tree == nullptr) return {};
  const Memtable& written = tree->active_->memtable;
  return tree->version_->bytes() >= written.live_bytes() ? tables_below(*tree->version_, cut)
                                                         : entries_below(written, cut);
}

TreeCut::Halves TreeCut::divide(const LoggedMemtable& memtable) const {
  const KeyPolicy& policy = *store_.options().policy;
  Halves halves;
  auto cursor = memtable.memtable.cursor();
  for (cursor.seek(memtable.begin); cursor.valid(); cursor.next()) {
    const Entry entry = cursor.entry();
    if (!memtable.has(entry.key)) break;
    LoggedMemtable::Part& part = entry.key < BytesView{cut_} ? halves.low : halves.high;
    const int correction = !memtable.new_keys.empty() && memtable.new_keys.contains(Bytes{entry.key}) ? 1 : 0;
    part.balances.add(policy.count_class(entry.key), entry.tag.balance + correction);
    part.live_bytes += entry.key.size() + entry.value.size();
    ++part.entries;
  }
  return halves;
}

const TreeCut::Halves& TreeCut::halves_of(const std::shared_ptr<LoggedMemtable>& memtable) {
  const auto known = divided_.find(memtable);
  return known != divided_.end() ? known->second
                                 : divided_.emplace(memtable, divide(*memtable)).first->second;
}

// What is written while one go looks through the memtables is for the next, which is shorter.
void TreeCut::prepare() {
  constexpr int kGoesMax = 6;
  constexpr std::size_t kFewEntries = 1000;
  for (int go = 0; go < kGoesMax; ++go) {
    std::vector<std::shared_ptr<LoggedMemtable>> sealed;
    {
      const std::lock_guard lock{parent_.owner_};
      if (go > 0 && parent_.active_->memtable.entry_count() < kFewEntries) return;
      if (parent_.active_->first_lsn != 0) parent_.seal_active();
      sealed.assign(parent_.sealed_.begin(), parent_.sealed_.end());
    }
    for (const auto& memtable : sealed) halves_of(memtable);
  }
}

void TreeCut::hand_over() {
  if (parent_.active_->first_lsn != 0) parent_.seal_active();
  for (const auto& memtable : parent_.sealed_) {
    const Halves& halves = halves_of(memtable);
    const auto give = [&](Tree& tree, const Bytes& begin, const Bytes& end,
                          const LoggedMemtable::Part& part) {
      if (part.entries != 0)
        tree.sealed_.push_back(std::make_shared<LoggedMemtable>(*memtable, begin, end, part));
    };
    const Bytes& end = memtable->end;
    give(*low_, memtable->begin, end.empty() || cut_ < end ? cut_ : end, halves.low);
    give(*high_, std::max(memtable->begin, cut_), end, halves.high);
  }
  for (Tree* tree : {low_.get(), high_.get()}) {
    tree->reclaim_lsn_ = parent_.reclaim_lsn_;
    tree->resume_work();
  }
  handed_over_ = true;
}

}  // namespace shale::engine::lsm
