// Writes entries to as many tables of one run as their size asks for: what flushes and compactions end in.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/lsm/tree_store.h"

namespace shale::engine::lsm {

// Used by one thread; waits for the disk. Destroyed before finish() has succeeded, it removes its files.
class TableWriter {
 public:
  TableWriter(TreeStore& store, std::uint32_t level, std::uint64_t run)
      : store_(store), level_(level), run_(run) {}
  ~TableWriter();
  TableWriter(const TableWriter&) = delete;
  TableWriter& operator=(const TableWriter&) = delete;

  Status add(const Entry& entry);  // in strictly ascending key order
  // The tables, in key order; durable under their names. None if nothing was added.
  Result<std::vector<TableRef>> finish();

 private:
  Status finish_table();

  TreeStore& store_;
  const std::uint32_t level_;
  const std::uint64_t run_;
  std::optional<TreeStore::NewTable> table_;
  std::vector<TableRef> tables_;
  bool finished_ = false;
};

}  // namespace shale::engine::lsm
