#include "engine/lsm/compaction.h"

#include <algorithm>
#include <deque>
#include <optional>

#include "engine/lsm/table_scanner.h"

namespace shale::engine::lsm {
namespace {

// Where tables of a level are cut.
std::uint64_t table_limit_bytes(const TreeStoreOptions& options) {
  return std::clamp<std::uint64_t>(options.memtable_bytes / 2, 2u << 20, 32u << 20);
}

// Entries of several tables in key order; of equal keys the newest, with the balances of all.
class MergedEntries {
 public:
  // `newest_first`: where two inputs hold the same key, the earlier one's entry is the newer.
  explicit MergedEntries(const std::vector<TableRef>& newest_first) {
    for (const TableRef& table : newest_first) scanners_.emplace_back(table->shared_table());
  }

  Status start() {
    for (std::size_t i = 0; i < scanners_.size(); ++i) {
      if (auto placed = scanners_[i].seek_first(); !placed) return placed;
      push(i);
    }
    return advance();
  }
  bool valid() const { return valid_; }
  const Entry& entry() const { return entry_; }

  // Moves to the next distinct key.
  Status advance() {
    if (valid_) {
      if (auto moved = move_on(current_); !moved) return moved;
    }
    valid_ = !heap_.empty();
    if (!valid_) return {};
    current_ = pop();
    entry_ = scanners_[current_].entry();
    int balance = entry_.tag.balance;
    while (!heap_.empty() && scanners_[heap_.front()].entry().key == entry_.key) {
      const std::size_t older = pop();
      balance += scanners_[older].entry().tag.balance;
      if (auto moved = move_on(older); !moved) return moved;
    }
    entry_.tag.balance = static_cast<std::int8_t>(std::clamp(balance, -1, 1));
    return {};
  }

 private:
  // Heap order: the smallest key on top; of equal keys the newest input.
  auto is_later() const {
    return [this](std::size_t a, std::size_t b) {
      const int order = scanners_[a].entry().key.compare(scanners_[b].entry().key);
      return order != 0 ? order > 0 : a > b;
    };
  }
  void push(std::size_t input) {
    if (!scanners_[input].valid()) return;
    heap_.push_back(input);
    std::push_heap(heap_.begin(), heap_.end(), is_later());
  }
  std::size_t pop() {
    std::pop_heap(heap_.begin(), heap_.end(), is_later());
    const std::size_t input = heap_.back();
    heap_.pop_back();
    return input;
  }
  Status move_on(std::size_t input) {
    if (auto moved = scanners_[input].next(); !moved) return moved;
    push(input);
    return {};
  }

  std::deque<TableScanner> scanners_;  // a scanner cannot be moved
  std::vector<std::size_t> heap_;
  std::size_t current_ = 0;  // the input whose entry is out of the heap while it is being looked at
  bool valid_ = false;
  Entry entry_;
};

// What is left of an entry in its new place, or nothing.
std::optional<Entry> settle(Entry entry, bool bottom, const KeyPolicy& policy) {
  if (!policy.is_live_class(policy.count_class(entry.key))) return {};
  if (entry.tag.type == EntryType::value && policy.is_obsolete(entry.key, entry.value)) {
    // An expired value becomes a tombstone: older versions below must stay hidden.
    entry.value = {};
    entry.tag = {EntryType::tombstone, static_cast<std::int8_t>(std::max(entry.tag.balance - 1, -1))};
  }
  if (!bottom) return entry;
  if (entry.tag.type == EntryType::tombstone) return {};
  entry.tag.balance = 1;  // nothing older is left: a value here is one live key (entry.h)
  return entry;
}

// Writes entries to as many tables as their size asks for.
class TableWriter {
 public:
  TableWriter(TreeStore& store, std::uint32_t level) : store_(store), level_(level) {}
  ~TableWriter() {
    if (committed_) return;
    for (const TableRef& table : result_.tables) table->discard();
    if (table_) store_.remove_table_file(table_->number);
  }

  Status add(const Entry& entry) {
    if (!table_) {
      auto created = store_.create_table(level_);
      if (!created) return created.error();
      table_ = std::move(*created);
    }
    if (auto added = table_->builder->add(entry); !added) return added;
    return table_->builder->file_bytes() >= table_limit_bytes(store_.options()) ? finish_table() : Status{};
  }

  Result<CompactionResult> finish() {
    if (auto finished = finish_table(); !finished) return finished.error();
    if (auto synced = store_.sync_tables(); !synced) return synced.error();
    committed_ = true;
    return std::move(result_);
  }

 private:
  Status finish_table() {
    if (!table_) return {};
    const std::uint64_t number = table_->number;
    auto finished = store_.finish_table(std::move(*table_));
    table_.reset();
    if (!finished) {
      store_.remove_table_file(number);
      return finished.error();
    }
    result_.bytes_written += (*finished)->bytes();
    result_.tables.push_back(std::move(*finished));
    return {};
  }

  TreeStore& store_;
  const std::uint32_t level_;
  std::optional<TreeStore::NewTable> table_;
  CompactionResult result_;
  bool committed_ = false;
};

std::pair<BytesView, BytesView> key_range(const std::vector<TableRef>& tables) {
  BytesView smallest = tables.front()->smallest_key();
  BytesView largest = tables.front()->largest_key();
  for (const TableRef& table : tables) {
    smallest = std::min(smallest, table->smallest_key());
    largest = std::max(largest, table->largest_key());
  }
  return {smallest, largest};
}

}  // namespace

std::vector<std::uint64_t> Compaction::inputs() const {
  std::vector<std::uint64_t> numbers;
  for (const auto* tables : {&upper, &lower, &obsolete}) {
    for (const TableRef& table : *tables) numbers.push_back(table->number());
  }
  return numbers;
}

std::uint64_t CompactionPicker::level_limit_bytes(std::uint32_t level) const {
  std::uint64_t limit = std::max<std::uint64_t>(options_.memtable_bytes * 2, 8u << 20);
  for (std::uint32_t i = 1; i < level; ++i) limit *= kFanout;
  return limit;
}

std::optional<Compaction> CompactionPicker::pick(const Version& version) {
  // The level that is furthest beyond its size; level 0 counts tables, because every one costs every read.
  std::uint32_t fullest = 0;
  double highest_score = static_cast<double>(version.level(0).size()) / kLevel0Trigger;
  for (std::uint32_t level = 1; level + 1 < Version::kLevelCount; ++level) {
    const double score =
        static_cast<double>(version.level_bytes(level)) / static_cast<double>(level_limit_bytes(level));
    if (score > highest_score) {
      highest_score = score;
      fullest = level;
    }
  }
  if (highest_score < 1) return {};

  Compaction compaction;
  compaction.level = fullest;
  if (fullest == 0) {
    compaction.upper = version.level(0);
  } else {
    const auto& tables = version.level(fullest);
    std::size_t chosen = version.first_reaching(fullest, next_key_[fullest]);
    if (chosen == tables.size()) chosen = 0;
    compaction.upper = {tables[chosen]};
    next_key_[fullest] = Bytes{tables[chosen]->largest_key()} + '\0';
  }
  const auto [smallest, largest] = key_range(compaction.upper);
  compaction.lower = version.overlapping(fullest + 1, smallest, largest);
  compaction.bottom = version.is_bottom(fullest + 1, smallest, largest);
  return compaction;
}

std::optional<Compaction> CompactionPicker::pick_obsolete(const Version& version) const {
  Compaction compaction;
  for (std::uint32_t level = 0; level < Version::kLevelCount; ++level) {
    for (const TableRef& table : version.level(level)) {
      const auto& balances = table->table().properties().balances;
      const bool dead = std::none_of(balances.begin(), balances.end(), [&](const ClassBalance& balance) {
        return options_.policy->is_live_class(balance.count_class);
      });
      if (dead) compaction.obsolete.push_back(table);
    }
  }
  if (compaction.obsolete.empty()) return {};
  return compaction;
}

std::uint64_t CompactionPicker::debt_bytes(const Version& version) const {
  std::uint64_t debt = 0;
  if (version.level(0).size() >= kLevel0Trigger) debt += version.level_bytes(0);
  for (std::uint32_t level = 1; level + 1 < Version::kLevelCount; ++level) {
    const std::uint64_t bytes = version.level_bytes(level);
    const std::uint64_t limit = level_limit_bytes(level);
    if (bytes > limit) debt += bytes - limit;
  }
  return debt;
}

Result<CompactionResult> run_compaction(TreeStore& store, const Compaction& compaction) {
  std::vector<TableRef> inputs = compaction.upper;
  inputs.insert(inputs.end(), compaction.lower.begin(), compaction.lower.end());
  MergedEntries entries{inputs};
  TableWriter writer{store, compaction.level + 1};
  if (auto started = entries.start(); !started) return started.error();
  while (entries.valid()) {
    if (const auto settled = settle(entries.entry(), compaction.bottom, *store.options().policy)) {
      if (auto added = writer.add(*settled); !added) return added.error();
    }
    if (auto moved = entries.advance(); !moved) return moved.error();
  }
  return writer.finish();
}

}  // namespace shale::engine::lsm
