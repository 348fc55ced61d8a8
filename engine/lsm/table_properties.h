// What a table says about its contents, kept in the file and resident while the table is open.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "engine/bytes.h"

namespace shale::engine::lsm {

// The sum of the balances (see entry.h) of a table's entries of one class (see KeyPolicy::count_class).
struct ClassBalance {
  std::uint32_t count_class = 0;
  std::int64_t sum = 0;

  bool operator==(const ClassBalance&) const = default;
};

// What of a value file (value_file.h) a table's entries refer to.
struct ValueFileUse {
  std::uint64_t file = 0;          // its number
  std::uint64_t record_count = 0;  // how many of its records
  std::uint64_t record_bytes = 0;  // and how long these are together

  bool operator==(const ValueFileUse&) const = default;
};

// Since when a table's entries take space for nothing, or from when on they will; in Unix milliseconds.
struct ObsoleteTimes {
  static constexpr std::int64_t kNever = INT64_MAX;

  std::int64_t oldest_tombstone_ms = kNever;  // the oldest of its tombstones was not written earlier
  std::int64_t earliest_expiry_ms = kNever;   // when the first of its values expires

  std::int64_t earliest_ms() const { return std::min(oldest_tombstone_ms, earliest_expiry_ms); }
  bool operator==(const ObsoleteTimes&) const = default;
};

struct TableProperties {
  std::uint64_t table_number = 0;
  std::uint32_t format_version = 0;
  std::uint64_t entry_count = 0;  // tombstones included
  std::uint64_t tombstone_count = 0;
  std::uint64_t raw_key_bytes = 0;    // before prefix compression
  std::uint64_t raw_value_bytes = 0;  // with references in place of the values that are in value files
  std::uint64_t block_count = 0;
  std::uint64_t data_bytes = 0;  // of all data blocks as stored, trailers included; derived, not encoded
  std::uint64_t file_bytes = 0;  // of the whole file; derived, not encoded
  // Both empty in a table without entries. Of an open table, bounds of them (key_bounds.h).
  Bytes smallest_key;
  Bytes largest_key;
  // By class, ascending. Every class that occurs is listed, also with sum 0: the tree drops a table unread
  // when none of these is live.
  std::vector<ClassBalance> balances;
  // By file, ascending: every file that an entry refers to.
  std::vector<ValueFileUse> value_files;
  ObsoleteTimes obsolete_times;

  bool operator==(const TableProperties&) const = default;
};

}  // namespace shale::engine::lsm
