// Entries of several runs within a range of keys, merged: in key order, of equal keys the newest, with the
// balances of all. For compaction: reads tables from the disk, past the cache. Waits.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "engine/lsm/class_counts.h"
#include "engine/lsm/entry.h"
#include "engine/lsm/table_scanner.h"
#include "engine/lsm/value_usage.h"
#include "engine/lsm/version.h"

namespace shale::engine::lsm {

// What has been read of one table.
struct TableConsumption {
  ClassCounts balances;
  ValueUsage values;  // that the entries read refer to
};
// By number, for the tables of which more than the range is wanted to be known; others are not counted.
using Consumption = std::map<std::uint64_t, TableConsumption>;

// One run's entries with begin <= key < end.
class RunScanner {
 public:
  RunScanner(const std::vector<TableRef>& slices, BytesView begin, BytesView end, const KeyPolicy& policy,
             Consumption& consumption)
      : slices_(slices), begin_(begin), end_(end), policy_(policy), consumption_(consumption) {}

  Status seek_first();
  Status next();  // requires valid()
  bool valid() const { return valid_; }
  const Entry& entry() const { return scanner_->entry(); }
  std::uint64_t head() const { return head_; }  // key_head of the entry's key
  std::uint64_t bytes_read() const { return bytes_read_ + (scanner_ ? scanner_->bytes_read() : 0); }

 private:
  Status open(std::size_t place);     // on the first entry of this slice or a following one
  Status failed(const Error& error);  // the current table cannot be read: remembered with it
  Status settle();                    // the current entry is taken, or the next slice is opened

  const std::vector<TableRef>& slices_;
  const BytesView begin_;
  const BytesView end_;
  const KeyPolicy& policy_;
  Consumption& consumption_;
  std::size_t place_ = 0;
  std::optional<TableScanner> scanner_;
  BytesView slice_end_;                  // of the current slice, within the range
  TableConsumption* counted_ = nullptr;  // of the current table, if it is to be counted
  bool valid_ = false;
  std::uint64_t head_ = 0;
  std::uint64_t bytes_read_ = 0;
};

class RunMerger {
 public:
  // `newest_first`: where two runs hold the same key, the earlier one's entry is the newer. All arguments
  // must outlive the merger.
  RunMerger(const std::vector<std::vector<TableRef>>& newest_first, BytesView begin, BytesView end,
            const KeyPolicy& policy, Consumption& consumption);

  Status start();
  bool valid() const { return valid_; }
  const Entry& entry() const { return entry_; }  // requires valid(); views valid until advance()
  Status advance();                              // to the next distinct key

  std::uint64_t bytes_read() const;

 private:
  bool is_before(std::size_t a, std::size_t b) const;
  void push(std::size_t run);
  std::size_t pop();
  Status move_on(std::size_t run);

  std::deque<RunScanner> scanners_;  // a scanner cannot be moved
  std::vector<std::size_t> heap_;    // the one with the smallest key on top; of equal keys the newest
  std::size_t current_ = 0;          // the one whose entry is out of the heap while it is looked at
  bool valid_ = false;
  Entry entry_;
};

}  // namespace shale::engine::lsm
