// Empties value files that are mostly garbage (value_census.h): compactions write the values that they meet a
// reference to into files of their own, and where no other compaction comes by, one that does nothing else
// rewrites a piece of a table in its place.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "engine/lsm/compaction_picker.h"
#include "engine/lsm/table_writer.h"
#include "engine/lsm/tree_store.h"
#include "engine/lsm/value_census.h"

namespace shale::engine::lsm {

// A compaction that rewrites the part of one slice, in its run, whose references to victims come to about
// `relocation_bytes`. Nothing if none refers to a victim, or if it is not worth it: where large values are
// few, more bytes of tables would have to be rewritten than garbage goes, and other compactions will see to
// it with time.
std::optional<Compaction> pick_relocation(const Version& version, const ValueCensus& census,
                                          std::uint64_t relocation_bytes);

// Has another compaction relocate what it meets, if that will come to enough for a value file.
void add_relocation(const ValueCensus& census, std::uint64_t relocation_bytes, Compaction& compaction);

// What a running compaction uses. Waits for the disk.
class ValueRelocator {
 public:
  ValueRelocator(TreeStore& store, const Compaction& compaction)
      : store_(store), victims_(compaction.victims), bytes_left_(compaction.relocation_bytes_max) {}

  // Adds the entry to the writer's table; with its value, if that is in a victim and the job has not moved
  // as much as it may. A value that cannot be read stays where it is: its reads say why.
  Status add(const Entry& entry, TableWriter& writer);

  std::uint64_t relocated_bytes() const { return relocated_bytes_; }
  // Files with values that could not be read.
  const std::set<std::uint64_t>& unreadable() const { return unreadable_; }

 private:
  const ValueFile& file(std::uint64_t number);

  TreeStore& store_;
  const std::vector<std::uint64_t>& victims_;
  std::uint64_t bytes_left_;
  std::map<std::uint64_t, ValueFileRef> files_;  // victims that have been met
  std::uint64_t relocated_bytes_ = 0;
  std::set<std::uint64_t> unreadable_;
};

}  // namespace shale::engine::lsm
