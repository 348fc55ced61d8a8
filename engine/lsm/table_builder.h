// Writes a sorted table file. Bytes on disk: docs/formats.md, "Sorted tables".
#pragma once

#include <cstdint>
#include <memory>

#include "engine/bytes.h"
#include "engine/engine.h"
#include "engine/io/file_system.h"
#include "engine/lsm/compression.h"
#include "engine/lsm/entry.h"
#include "engine/lsm/table_properties.h"
#include "engine/result.h"

namespace shale::engine::lsm {

struct TableBuilderOptions {
  std::uint64_t table_number = 0;  // goes into every checksum: a table under another's name is refused
  // A block is closed before it would grow beyond this; a larger record gets a block of its own.
  std::uint32_t block_bytes = 4096;
  Compression compression = Compression::none;
  double filter_bits_per_key = 10;  // 0: no filter
  // Sorts balances into classes, and knows when values expire; without one all are of class 0 and stay.
  const KeyPolicy* policy = nullptr;
  // No tombstone is older; Unix milliseconds, ObsoleteTimes::kNever if that is of no interest.
  std::int64_t tombstones_since_ms = ObsoleteTimes::kNever;
};

// Used by one thread. The caller creates the file under a temporary name and renames it after finish().
// After an error, and if it is destroyed before finish(), the file is of no use.
class TableBuilder {
 public:
  TableBuilder(std::unique_ptr<File> file, const TableBuilderOptions& options);
  ~TableBuilder();

  // Keys come in strictly ascending order. Errors: io, no_space; unsupported for a record beyond 4 GiB.
  Status add(const Entry& entry);

  std::uint64_t entry_count() const;
  // What has been added, as the file will hold it, give or take the block that is being filled and what
  // finish() appends.
  std::uint64_t file_bytes() const;

  // Writes filter, index, properties and footer and syncs the file. Call once; then only destroy.
  Result<TableProperties> finish();

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace shale::engine::lsm
