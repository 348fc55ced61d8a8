// Checks one table file, and what the manifest says of its slices, against the entries it holds.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/lsm/class_counts.h"
#include "engine/lsm/table.h"
#include "engine/lsm/table_scanner.h"
#include "engine/lsm/value_usage.h"
#include "engine/lsm/verify.h"
#include "engine/lsm/version.h"

namespace shale::engine::lsm {

// What slices refer to in value files: by file and offset, of which key, how long, and from which table.
struct ReferencedValue {
  std::uint64_t key_hash = 0;
  std::uint64_t value_bytes = 0;
  std::uint64_t table = 0;
};
using ReferencedValues = std::map<std::uint64_t, std::map<std::uint64_t, ReferencedValue>>;

// Used once, by one thread. Waits for the disk.
class TableVerifier {
 public:
  // All must outlive it. `slices` may be empty: then only the file itself is checked. What is referred to
  // from within slices is added to `references`.
  TableVerifier(const std::shared_ptr<const Table>& table, const std::vector<SliceDescriptor>& slices,
                const CountClassOf& class_of, ReferencedValues& references, Verification& verification,
                const EntryVisitor& visit);

  void run();

 private:
  void check_block(std::uint32_t block);
  void check_entry(const Entry& entry, std::uint64_t block_offset);
  void check_reference(const Entry& entry, std::uint64_t block_offset, bool in_slice);
  void check_properties();
  void check_slices();
  void check_slice_balances();
  void problem(std::uint64_t offset, std::string_view what);
  // Something that only all entries together can tell.
  void problem_of_table(std::string_view what);

  const std::shared_ptr<const Table>& table_;
  const CountClassOf& class_of_;
  ReferencedValues& references_;
  Verification& verification_;
  const EntryVisitor& visit_;
  std::vector<SliceDescriptor> slices_;  // by begin_key
  TableScanner scanner_;
  bool blocks_are_sound_ = true;  // all that have been read
  std::optional<Bytes> last_key_;
  TableProperties counted_;    // what the entries come to
  ClassCounts all_balances_;   // of all entries
  ClassCounts live_balances_;  // of those in slices
  ValueUsage all_values_;      // as the balances
  ValueUsage live_values_;
  std::size_t slice_ = 0;  // the first that ends above the last key
};

}  // namespace shale::engine::lsm
