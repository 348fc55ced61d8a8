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
  // None of the tombstones to come is older than `tombstones_since_ms`, in Unix milliseconds. All keys to
  // come are in [begin_key, end_key), which outlive it, and the tables' slices stay within that.
  TableWriter(TreeStore& store, std::uint32_t level, std::uint64_t run, std::int64_t tombstones_since_ms,
              BytesView begin_key = {}, std::optional<BytesView> end_key = {})
      : store_(store),
        level_(level),
        run_(run),
        tombstones_since_ms_(tombstones_since_ms),
        begin_key_(begin_key),
        end_key_(end_key) {}
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
  Result<TableRef> open_table(std::size_t place);

  TreeStore& store_;
  const std::uint32_t level_;
  const std::uint64_t run_;
  const std::int64_t tombstones_since_ms_;
  std::optional<TreeStore::NewTable> table_;
  const BytesView begin_key_;
  const std::optional<BytesView> end_key_;
  std::vector<std::uint64_t> closed_;  // tables that are written but not yet opened, by number
  Bytes largest_key_;                  // of the newest of them
  std::vector<Bytes> fences_;          // above all keys of one table, at or below the first of the next
  std::vector<TableRef> tables_;
  std::optional<TreeStore::NewValueFile> values_;
  std::vector<ValueFileRef> value_files_;  // keeps them until their tables do
  std::uint64_t value_bytes_written_ = 0;
  Bytes reference_;
  bool finished_ = false;
};

}  // namespace shale::engine::lsm
