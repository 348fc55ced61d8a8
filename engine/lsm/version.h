// Which tables a tree consists of: an immutable value. A flush or a compaction makes a new Version out of the
// current one; whoever reads the old one keeps it, and its tables, alive.
//
//   Level 0      tables as memtables were flushed: their key ranges overlap; newest first
//   Level 1...   tables in key order, disjoint within a level; a deeper level holds older versions of a key
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "engine/bytes.h"
#include "engine/lsm/table.h"

namespace shale::engine::lsm {

// A table that some Version holds. When the last one lets go of a table that has been discarded, `remove` is
// called.
class LiveTable {
 public:
  using Remove = std::function<void(std::shared_ptr<const Table>)>;

  LiveTable(std::shared_ptr<const Table> table, Remove remove)
      : table_(std::move(table)), remove_(std::move(remove)) {}
  ~LiveTable() {
    if (discarded_.load(std::memory_order_acquire)) remove_(std::move(table_));
  }
  LiveTable(const LiveTable&) = delete;
  LiveTable& operator=(const LiveTable&) = delete;

  const Table& table() const { return *table_; }
  const std::shared_ptr<const Table>& shared_table() const { return table_; }
  std::uint64_t number() const { return table_->number(); }
  std::uint64_t bytes() const { return table_->properties().file_bytes; }
  BytesView smallest_key() const { return table_->properties().smallest_key; }
  BytesView largest_key() const { return table_->properties().largest_key; }
  // The manifest no longer names it: its file goes when nobody reads it any more.
  void discard() const { discarded_.store(true, std::memory_order_release); }

 private:
  std::shared_ptr<const Table> table_;
  Remove remove_;
  mutable std::atomic<bool> discarded_ = false;
};

using TableRef = std::shared_ptr<const LiveTable>;

// What a flush or a compaction changes.
struct VersionEdit {
  struct Added {
    std::uint32_t level;
    std::uint64_t table_number;
  };
  std::uint32_t tree = 0;
  Lsn persisted_lsn = 0;  // 0: as before
  std::vector<std::uint64_t> removed;
  std::vector<Added> added;
};

class Version {
 public:
  static constexpr std::uint32_t kLevelCount = 7;

  Version() : levels_(kLevelCount), largest_heads_(kLevelCount) {}
  // `tables` with the level each is in, in any order.
  explicit Version(const std::vector<std::pair<std::uint32_t, TableRef>>& tables);

  const std::vector<TableRef>& level(std::uint32_t level) const { return levels_[level]; }
  std::uint64_t level_bytes(std::uint32_t level) const;
  // The only table of a level >= 1 that can hold `key`, or nullptr.
  const LiveTable* table_for(std::uint32_t level, BytesView key) const;
  // Index of the first table of a level >= 1 whose largest key is >= `key`.
  std::size_t first_reaching(std::uint32_t level, BytesView key) const;
  // Tables of a level >= 1 that overlap [smallest, largest].
  std::vector<TableRef> overlapping(std::uint32_t level, BytesView smallest, BytesView largest) const;
  // Whether any table below `level` overlaps [smallest, largest].
  bool is_bottom(std::uint32_t level, BytesView smallest, BytesView largest) const;

  // This one without `removed` and with `added`.
  std::shared_ptr<const Version> with(const std::vector<std::uint64_t>& removed,
                                      const std::vector<std::pair<std::uint32_t, TableRef>>& added) const;

 private:
  std::vector<std::vector<TableRef>> levels_;
  std::vector<std::vector<std::uint64_t>>
      largest_heads_;  // key_head of each table's largest key; levels >= 1
};

}  // namespace shale::engine::lsm
