#include "engine/lsm/version.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <map>
#include <set>

namespace shale::engine::lsm {

TableFile::TableFile(std::uint64_t number, Result<std::shared_ptr<const Table>> table, Remove remove,
                     std::vector<ValueFileRef> value_files)
    : number_(number),
      table_(std::move(table)),
      remove_(std::move(remove)),
      value_files_(std::move(value_files)) {
  for (const ValueFileRef& file : value_files_) file->claim();
}

void TableFile::discard() const {
  const std::uint32_t before = trees_.fetch_sub(1, std::memory_order_acq_rel);
  assert(before != 0);
  if (before != 1) return;
  for (const ValueFileRef& file : value_files_) file->unclaim();
}

const LiveValueFile* TableFile::value_file(std::uint64_t number) const {
  const auto found = std::ranges::lower_bound(value_files_, number, {}, &LiveValueFile::number);
  return found == value_files_.end() || (*found)->number() != number ? nullptr : found->get();
}

SliceDescriptor describe(const TableProperties& properties, std::uint32_t level, std::uint64_t run) {
  SliceDescriptor slice;
  slice.number = properties.table_number;
  slice.level = level;
  slice.run = run;
  slice.begin_key = properties.smallest_key;
  slice.end_key = properties.largest_key + '\0';  // the key that follows it
  slice.bytes = properties.file_bytes;
  slice.entry_count = properties.entry_count;
  slice.tombstone_count = properties.tombstone_count;
  slice.balances = properties.balances;
  slice.value_files = properties.value_files;
  return slice;
}

Result<BytesView> LiveTable::value_of(const Entry& entry, ReadContext& context,
                                      BlockCache::Access access) const {
  if (!entry.tag.separated) return entry.value;
  const auto reference = ValueReference::decode(entry.value);
  const LiveValueFile* const values = reference ? file_->value_file(reference->file) : nullptr;
  if (values == nullptr) {
    return corruption(
        fmt::format("table {}: an entry refers to a value file that the table does not list", slice_.number));
  }
  return values->file().find(entry.key, *reference, context, access);
}

std::uint64_t LiveTable::approximate_bytes(BytesView begin, BytesView end) const {
  if (begin <= begin_key() && end >= end_key()) return bytes();
  if (!table()) return 0;
  const Table& whole = **table();
  const std::uint64_t from = whole.approximate_offset(std::max(begin, begin_key()));
  const std::uint64_t to = whole.approximate_offset(std::min(end, end_key()));
  return to > from ? to - from : 0;
}

std::shared_ptr<const LiveTable> LiveTable::narrowed(BytesView from, BytesView to) const {
  SliceDescriptor descriptor = slice_;
  descriptor.begin_key = from;
  descriptor.end_key = to;
  descriptor.bytes = approximate_bytes(from, to);
  const double part = bytes() == 0 ? 0 : static_cast<double>(descriptor.bytes) / static_cast<double>(bytes());
  const auto scaled = [part](std::uint64_t count) {
    return static_cast<std::uint64_t>(std::llround(static_cast<double>(count) * part));
  };
  descriptor.entry_count = scaled(slice_.entry_count);
  descriptor.tombstone_count = scaled(slice_.tombstone_count);
  descriptor.balances.clear();
  descriptor.value_files.clear();
  return std::make_shared<const LiveTable>(file_, std::move(descriptor));
}

std::optional<Bytes> LiveTable::cut_at(double part) const {
  if (!table()) return {};
  const Table& whole = **table();
  const std::uint64_t begin = whole.approximate_offset(begin_key());
  auto key = whole.key_at(begin + static_cast<std::uint64_t>(static_cast<double>(bytes()) * part));
  if (!key || *key <= begin_key() || *key >= end_key()) return {};
  return key;
}

std::uint64_t LiveTable::bytes_below(BytesView key) const {
  if (key <= begin_key()) return 0;
  if (key >= end_key()) return bytes();
  if (!table()) return 0;
  // Half of the block that the key is in.
  const TableProperties& whole = (*table())->properties();
  const std::uint64_t of_its_block = whole.data_bytes / std::max<std::uint64_t>(2 * whole.block_count, 1);
  return std::min(bytes(), approximate_bytes(begin_key(), key) + of_its_block);
}

// First between two neighbouring bounds of slices, then at a fence of those that lie between the two: there
// each run has one at most.
std::optional<Bytes> middle_key(const std::vector<TableRef>& slices) {
  constexpr int kParts = 16;
  const auto below = [&slices](BytesView key) {
    std::uint64_t bytes = 0;
    for (const TableRef& slice : slices) bytes += slice->bytes_below(key);
    return bytes;
  };
  std::vector<BytesView> bounds;
  std::uint64_t half = 0;
  for (const TableRef& slice : slices) {
    bounds.insert(bounds.end(), {slice->begin_key(), slice->end_key()});
    half += slice->bytes();
  }
  half /= 2;
  if (half == 0) return {};
  std::ranges::sort(bounds);
  const auto next = std::ranges::partition_point(bounds, [&](BytesView key) { return below(key) < half; });
  const BytesView from = *(next - 1);  // nothing is below the first
  const BytesView to = *next;          // all is below the last

  std::optional<Bytes> best;
  std::uint64_t least_error = 0;
  const auto consider = [&](BytesView key) {
    const std::uint64_t bytes = below(key);
    const std::uint64_t error = bytes < half ? half - bytes : bytes - half;
    if (best && error >= least_error) return;
    best = key;
    least_error = error;
  };
  for (const TableRef& slice : slices) {
    if (!slice->overlaps(from, to)) continue;
    for (int part = 1; part < kParts; ++part) {
      const auto fence = slice->cut_at(static_cast<double>(part) / kParts);
      if (fence && *fence > from && *fence < to) consider(*fence);
    }
  }
  if (from > bounds.front()) consider(from);
  if (to < bounds.back()) consider(to);
  return best;
}

void discard(const std::vector<TableRef>& tables) {
  for (const TableRef& table : tables) table->file()->discard();
}

void discard_each(const std::vector<TableRef>& slices) {
  std::set<const TableFile*> files;
  for (const TableRef& slice : slices) {
    if (files.insert(slice->file().get()).second) slice->file()->discard();
  }
}

Run::Run(std::uint64_t id, std::vector<TableRef> tables) : id_(id), tables_(std::move(tables)) {
  std::sort(tables_.begin(), tables_.end(),
            [](const TableRef& a, const TableRef& b) { return a->begin_key() < b->begin_key(); });
  for (const TableRef& table : tables_) {
    end_heads_.push_back(key_head(table->end_key()));
    bytes_ += table->bytes();
  }
}

std::size_t Run::first_reaching(BytesView key) const {
  auto place = static_cast<std::size_t>(
      std::lower_bound(end_heads_.begin(), end_heads_.end(), key_head(key)) - end_heads_.begin());
  while (place < tables_.size() && tables_[place]->end_key() <= key) ++place;  // only among equal heads
  return place;
}

const LiveTable* Run::table_for(BytesView key) const {
  const std::size_t place = first_reaching(key);
  if (place == tables_.size()) return nullptr;
  const LiveTable* table = tables_[place].get();
  return table->begin_key() <= key ? table : nullptr;
}

std::vector<TableRef> Run::overlapping(BytesView begin, BytesView end) const {
  std::vector<TableRef> found;
  for (std::size_t i = first_reaching(begin); i < tables_.size(); ++i) {
    if (tables_[i]->begin_key() >= end) break;
    found.push_back(tables_[i]);
  }
  return found;
}

bool Run::overlaps(BytesView begin, BytesView end) const {
  const std::size_t place = first_reaching(begin);
  return place < tables_.size() && tables_[place]->begin_key() < end;
}

Version::Version(const std::vector<TableRef>& tables) : Version() {
  std::map<std::pair<std::uint32_t, std::uint64_t>, std::vector<TableRef>> runs;
  for (const TableRef& table : tables) {
    runs[{table->slice().level, table->slice().run}].push_back(table);
    obsolete_from_ms_ = std::min(obsolete_from_ms_, table->obsolete_from_ms());
  }
  for (auto run = runs.rbegin(); run != runs.rend(); ++run) {  // from the newest
    levels_[run->first.first].emplace_back(run->first.second, std::move(run->second));
  }
}

std::uint64_t Version::level_bytes(std::uint32_t level) const {
  std::uint64_t bytes = 0;
  for (const Run& run : levels_[level]) bytes += run.bytes();
  return bytes;
}

std::uint64_t Version::bytes() const {
  std::uint64_t bytes = 0;
  for (std::uint32_t level = 0; level < kLevelCount; ++level) bytes += level_bytes(level);
  return bytes;
}

std::size_t Version::run_count() const {
  std::size_t count = 0;
  for (const auto& runs : levels_) count += runs.size();
  return count;
}

std::size_t Version::damaged_tables() const {
  std::set<std::uint64_t> damaged;
  for_each([&](const TableRef& slice) {
    if (slice->is_damaged()) damaged.insert(slice->number());
  });
  return damaged.size();
}

void Version::for_each(const std::function<void(const TableRef&)>& visit) const {
  for (const auto& runs : levels_) {
    for (const Run& run : runs) {
      for (const TableRef& table : run.tables()) visit(table);
    }
  }
}

bool Version::is_bottom(std::uint32_t level, std::uint64_t run, BytesView begin, BytesView end) const {
  for (const Run& older : levels_[level]) {
    if (older.id() < run && older.overlaps(begin, end)) return false;
  }
  for (std::uint32_t below = level + 1; below < kLevelCount; ++below) {
    for (const Run& older : levels_[below]) {
      if (older.overlaps(begin, end)) return false;
    }
  }
  return true;
}

std::shared_ptr<const Version> Version::with(const std::vector<std::uint64_t>& removed,
                                             const std::vector<TableRef>& added) const {
  std::vector<TableRef> tables = added;
  for_each([&](const TableRef& table) {
    if (std::find(removed.begin(), removed.end(), table->number()) == removed.end()) tables.push_back(table);
  });
  return std::make_shared<const Version>(tables);
}

}  // namespace shale::engine::lsm
