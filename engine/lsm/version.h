// Which tables a tree consists of: an immutable value. A flush or a compaction makes a new Version out of the
// current one; whoever reads the old one keeps it, and its tables, alive.
//
//   Level    runs, newest first; a deeper level holds older versions of a key
//   Run      slices in key order, disjoint
//   Slice    what a run reads of a table file: the keys in [begin, end). A compaction that takes part of a
//            table narrows the slice and leaves the file alone, so that it never has to take a whole level;
//            the file goes when no slice of it is left.
//
// Level 0 takes what flushes write, each a run of its own. The last level is always kLastLevel; a small tree
// leaves the levels between empty (shape.h).
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/bytes.h"
#include "engine/lsm/live_value_file.h"
#include "engine/lsm/table.h"

namespace shale::engine::lsm {

// An open table file, or one that is damaged and cannot be opened: then every read of it fails with what is
// wrong. Several trees may have slices of it, since a split. When the last holder lets go of a file that all
// of them have discarded, `remove` is called.
class TableFile {
 public:
  using Remove = std::function<void(std::uint64_t number, std::shared_ptr<const Table>)>;

  // `value_files`: those that the table's entries refer to, by number, ascending. It claims them until it is
  // discarded.
  TableFile(std::uint64_t number, Result<std::shared_ptr<const Table>> table, Remove remove,
            std::vector<ValueFileRef> value_files = {});
  ~TableFile() {
    if (trees_.load(std::memory_order_acquire) != 0) return;
    remove_(number_, table_ ? std::move(*table_) : nullptr);
  }
  TableFile(const TableFile&) = delete;
  TableFile& operator=(const TableFile&) = delete;

  std::uint64_t number() const { return number_; }
  const Result<std::shared_ptr<const Table>>& table() const { return table_; }
  // The value file with this number if the table's entries refer to it, else nullptr.
  const LiveValueFile* value_file(std::uint64_t number) const;
  // Known to be damaged: it could not be opened, or note_damage() has been called since. Reads still try what
  // can be read; compaction leaves it alone.
  bool is_damaged() const { return !table_ || damaged_.load(std::memory_order_relaxed); }
  void note_damage() const { damaged_.store(true, std::memory_order_relaxed); }
  // Another tree has slices of it. A new one is thought to have one tree.
  void share() const { trees_.fetch_add(1, std::memory_order_relaxed); }
  // A tree has none any more, by the manifest: the file goes when no tree has and nobody reads it.
  void discard() const;

 private:
  const std::uint64_t number_;
  Result<std::shared_ptr<const Table>> table_;
  Remove remove_;
  const std::vector<ValueFileRef> value_files_;
  mutable std::atomic<bool> damaged_ = false;
  mutable std::atomic<std::uint32_t> trees_ = 1;
};

// What the manifest says of a slice: enough to know what is lost if the file cannot be read.
struct SliceDescriptor {
  std::uint64_t number = 0;  // of the table
  std::uint32_t level = 0;
  std::uint64_t run = 0;  // within a level the higher number is the newer run
  Bytes begin_key;        // of all keys k in the slice: begin_key <= k < end_key
  Bytes end_key;
  std::uint64_t bytes = 0;  // of the file, as far as they are the slice's; an estimate if it is narrowed
  std::uint64_t entry_count = 0;      // likewise
  std::uint64_t tombstone_count = 0;  // likewise
  // Unix milliseconds since when a part of the file that is no longer the slice's may hold deleted bytes; 0:
  // it does not.
  std::int64_t cut_since_ms = 0;
  // The sums over the slice's entries, and what these refer to in value files, by file, ascending. Where
  // several slices of one table are left, the sums of all of them stand with one.
  std::vector<ClassBalance> balances;
  std::vector<ValueFileUse> value_files;

  bool operator==(const SliceDescriptor&) const = default;
};

// The descriptor of a whole table.
SliceDescriptor describe(const TableProperties& properties, std::uint32_t level, std::uint64_t run);

// A slice in a Version. Immutable.
class LiveTable {
 public:
  LiveTable(std::shared_ptr<const TableFile> file, SliceDescriptor slice)
      : file_(std::move(file)), slice_(std::move(slice)) {}

  const std::shared_ptr<const TableFile>& file() const { return file_; }
  const SliceDescriptor& slice() const { return slice_; }
  std::uint64_t number() const { return slice_.number; }
  std::uint64_t bytes() const { return slice_.bytes; }
  BytesView begin_key() const { return slice_.begin_key; }
  BytesView end_key() const { return slice_.end_key; }
  bool overlaps(BytesView begin, BytesView end) const { return begin_key() < end && begin < end_key(); }

  // The table, or why it cannot be read.
  const Result<std::shared_ptr<const Table>>& table() const { return file_->table(); }
  bool is_damaged() const { return file_->is_damaged(); }
  // As Table's; `key` must lie in the slice.
  bool may_contain(std::uint64_t hash) const { return !table() || (*table())->may_contain(hash); }
  void prefetch_filter(std::uint64_t hash) const {
    if (table()) (*table())->prefetch_filter(hash);
  }
  Result<std::optional<Entry>> find(const HashedKey& key, ReadContext& context) const {
    if (!table()) return table().error();
    return (*table())->find(key, context);
  }
  // The value of an entry of this slice, wherever it is. Errors: as ValueFile::find.
  Result<BytesView> value_of(const Entry& entry, ReadContext& context,
                             BlockCache::Access access = BlockCache::Access::point) const;
  Presence probe(const HashedKey& key) const { return table() ? (*table())->probe(key) : Presence::unknown; }
  // Since when something in its table takes space for nothing, or from when on it will, in Unix milliseconds:
  // in the slice, and in all of the file.
  std::int64_t entries_obsolete_from_ms() const {
    return table() ? (*table())->properties().obsolete_times.earliest_ms() : ObsoleteTimes::kNever;
  }
  std::int64_t obsolete_from_ms() const {
    const std::int64_t from_ms = entries_obsolete_from_ms();
    return slice_.cut_since_ms == 0 ? from_ms : std::min(from_ms, slice_.cut_since_ms);
  }
  // About how many bytes of the file hold the slice's keys in [begin, end).
  std::uint64_t approximate_bytes(BytesView begin, BytesView end) const;
  // About how many of the slice's bytes are those of keys below `key`: it is in the middle of its block.
  std::uint64_t bytes_below(BytesView key) const;
  // The same within [from, to), which lies in it, without sums.
  std::shared_ptr<const LiveTable> narrowed(BytesView from, BytesView to) const;
  // A key that cuts off about `part` (0 to 1) of the slice's bytes at its beginning, if there is one inside.
  std::optional<Bytes> cut_at(double part) const;

 private:
  std::shared_ptr<const TableFile> file_;
  SliceDescriptor slice_;
};

using TableRef = std::shared_ptr<const LiveTable>;

// A key that has about half of the slices' bytes below it, as far as bytes_below() can tell; nothing if they
// have no bound or fence between their first key and their last.
std::optional<Bytes> middle_key(const std::vector<TableRef>& slices);

// For tables that never came into the manifest, or are no longer there: their files go (TableFile::discard).
void discard(const std::vector<TableRef>& tables);
// For slices, several of a table perhaps, of a tree that has none of these tables any more: likewise.
void discard_each(const std::vector<TableRef>& slices);

// What a flush, a compaction or a split changes: first every slice of the tables in `removed` goes, then
// `added` comes.
struct VersionEdit {
  std::uint32_t tree = 0;
  Lsn persisted_lsn = 0;  // 0: as before
  std::vector<std::uint64_t> removed;
  std::vector<SliceDescriptor> added;
  bool drops_tree = false;  // there is none of that number any more; then there is nothing else
};

// One sorted run: slices in key order, disjoint.
class Run {
 public:
  Run(std::uint64_t id, std::vector<TableRef> tables);

  std::uint64_t id() const { return id_; }
  const std::vector<TableRef>& tables() const { return tables_; }
  std::uint64_t bytes() const { return bytes_; }
  BytesView begin_key() const { return tables_.front()->begin_key(); }
  BytesView end_key() const { return tables_.back()->end_key(); }

  // The only slice that can hold `key`, or nullptr.
  const LiveTable* table_for(BytesView key) const;
  // Index of the first slice whose end is above `key`.
  std::size_t first_reaching(BytesView key) const;
  std::vector<TableRef> overlapping(BytesView begin, BytesView end) const;
  bool overlaps(BytesView begin, BytesView end) const;

 private:
  std::uint64_t id_;
  std::vector<TableRef> tables_;          // not empty
  std::vector<std::uint64_t> end_heads_;  // key_head of each slice's end
  std::uint64_t bytes_ = 0;
};

class Version {
 public:
  static constexpr std::uint32_t kLevelCount = 7;
  static constexpr std::uint32_t kLastLevel = kLevelCount - 1;

  Version() : levels_(kLevelCount) {}
  // In any order.
  explicit Version(const std::vector<TableRef>& tables);

  const std::vector<Run>& runs(std::uint32_t level) const { return levels_[level]; }  // newest first
  std::uint64_t level_bytes(std::uint32_t level) const;
  std::uint64_t bytes() const;
  std::size_t run_count() const;
  // The earliest of its slices' obsolete times; ObsoleteTimes::kNever if there is none.
  std::int64_t obsolete_from_ms() const { return obsolete_from_ms_; }
  // How many of its tables are known to be damaged.
  std::size_t damaged_tables() const;
  // Of every slice, level by level, newest run first.
  void for_each(const std::function<void(const TableRef&)>& visit) const;

  // Whether nothing older than run `run` of `level` has keys in [begin, end): neither an older run of the
  // level nor any level below.
  bool is_bottom(std::uint32_t level, std::uint64_t run, BytesView begin, BytesView end) const;

  // This one without any slice of the tables in `removed` and with `added`.
  std::shared_ptr<const Version> with(const std::vector<std::uint64_t>& removed,
                                      const std::vector<TableRef>& added) const;

 private:
  std::vector<std::vector<Run>> levels_;
  std::int64_t obsolete_from_ms_ = ObsoleteTimes::kNever;
};

}  // namespace shale::engine::lsm
