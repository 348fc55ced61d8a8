#include "engine/lsm/version.h"

#include <algorithm>

namespace shale::engine::lsm {

Version::Version(const std::vector<std::pair<std::uint32_t, TableRef>>& tables) : Version() {
  for (const auto& [level, table] : tables) levels_[level].push_back(table);
  // Table numbers grow, and flushes of one tree follow each other: the higher number is the newer memtable.
  std::sort(levels_[0].begin(), levels_[0].end(),
            [](const TableRef& a, const TableRef& b) { return a->number() > b->number(); });
  for (std::uint32_t level = 1; level < kLevelCount; ++level) {
    std::sort(levels_[level].begin(), levels_[level].end(),
              [](const TableRef& a, const TableRef& b) { return a->smallest_key() < b->smallest_key(); });
    for (const TableRef& table : levels_[level])
      largest_heads_[level].push_back(key_head(table->largest_key()));
  }
}

std::uint64_t Version::level_bytes(std::uint32_t level) const {
  std::uint64_t bytes = 0;
  for (const TableRef& table : levels_[level]) bytes += table->bytes();
  return bytes;
}

std::size_t Version::first_reaching(std::uint32_t level, BytesView key) const {
  const auto& heads = largest_heads_[level];
  auto place =
      static_cast<std::size_t>(std::lower_bound(heads.begin(), heads.end(), key_head(key)) - heads.begin());
  while (place < heads.size() && levels_[level][place]->largest_key() < key)
    ++place;  // only among equal heads
  return place;
}

const LiveTable* Version::table_for(std::uint32_t level, BytesView key) const {
  const std::size_t place = first_reaching(level, key);
  if (place == levels_[level].size()) return nullptr;
  const LiveTable* table = levels_[level][place].get();
  return table->smallest_key() <= key ? table : nullptr;
}

std::vector<TableRef> Version::overlapping(std::uint32_t level, BytesView smallest, BytesView largest) const {
  std::vector<TableRef> found;
  for (std::size_t i = first_reaching(level, smallest); i < levels_[level].size(); ++i) {
    if (levels_[level][i]->smallest_key() > largest) break;
    found.push_back(levels_[level][i]);
  }
  return found;
}

bool Version::is_bottom(std::uint32_t level, BytesView smallest, BytesView largest) const {
  for (std::uint32_t below = level + 1; below < kLevelCount; ++below) {
    const std::size_t place = first_reaching(below, smallest);
    if (place < levels_[below].size() && levels_[below][place]->smallest_key() <= largest) return false;
  }
  return true;
}

std::shared_ptr<const Version> Version::with(
    const std::vector<std::uint64_t>& removed,
    const std::vector<std::pair<std::uint32_t, TableRef>>& added) const {
  std::vector<std::pair<std::uint32_t, TableRef>> tables = added;
  for (std::uint32_t level = 0; level < kLevelCount; ++level) {
    for (const TableRef& table : levels_[level]) {
      if (std::find(removed.begin(), removed.end(), table->number()) == removed.end())
        tables.emplace_back(level, table);
    }
  }
  return std::make_shared<const Version>(tables);
}

}  // namespace shale::engine::lsm
