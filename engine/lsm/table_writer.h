// Writes entries to as many tables of one run as their size asks for, and large values to value files beside
// them: what flushes and compactions end in.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/lsm/tree_store.h"

namespace shale::engine::lsm {

// Used by one thread; waits for the disk. Destroyed before finish() has succeeded, it removes its files.
class TableWriter {
 public:
  // None of the tombstones to come is older than `tombstones_since_ms`, in Unix milliseconds.
  TableWriter(TreeStore& store, std::uint32_t level, std::uint64_t run, std::int64_t tombstones_since_ms)
      : store_(store), level_(level), run_(run), tombstones_since_ms_(tombstones_since_ms) {}
  ~TableWriter();
  TableWriter(const TableWriter&) = delete;
  TableWriter& operator=(const TableWriter&) = delete;

  // In strictly ascending key order.
  Status add(const Entry& entry);
  // The same for an entry that holds its value: the value goes to a value file.
  Status add_separated(const Entry& entry);
  // The tables, in key order; they and the value files are durable under their names. None if nothing was
  // added.
  Result<std::vector<TableRef>> finish();

  // Of finished files.
  std::uint64_t value_bytes_written() const { return value_bytes_written_; }

 private:
  Status close_table();
  Status finish_value_file();

  TreeStore& store_;
  const std::uint32_t level_;
  const std::uint64_t run_;
  const std::int64_t tombstones_since_ms_;
  std::optional<TreeStore::NewTable> table_;
  std::vector<std::uint64_t> closed_;  // tables that are written but not yet opened, by number
  std::vector<TableRef> tables_;
  std::optional<TreeStore::NewValueFile> values_;
  std::vector<ValueFileRef> value_files_;  // keeps them until their tables do
  std::uint64_t value_bytes_written_ = 0;
  Bytes reference_;
  bool finished_ = false;
};

}  // namespace shale::engine::lsm
