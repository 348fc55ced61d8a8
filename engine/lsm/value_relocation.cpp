#include "engine/lsm/value_relocation.h"

#include <algorithm>

#include "engine/lsm/value_file_format.h"

namespace shale::engine::lsm {
namespace {

// So many bytes of tables may be rewritten to be rid of one of garbage.
constexpr std::uint64_t kTableBytesPerGarbageByte = 4;
// A compaction that would relocate less makes no file for it.
constexpr double kSideRelocationPart = 8;  // of what a job may relocate, as a divisor

}  // namespace

std::optional<Compaction> pick_relocation(const Version& version, const ValueCensus& census,
                                          std::uint64_t relocation_bytes) {
  TableRef chosen;
  std::uint64_t chosen_bytes = 0;
  std::uint64_t table_bytes = 0;  // of all slices that refer to victims
  version.for_each([&](const TableRef& slice) {
    const std::uint64_t bytes = victim_bytes(slice->slice().value_files, census.victims());
    if (bytes == 0 || slice->is_damaged()) return;
    table_bytes += slice->bytes();
    if (bytes <= chosen_bytes) return;
    chosen = slice;
    chosen_bytes = bytes;
  });
  if (!chosen || table_bytes > census.victim_garbage_bytes() * kTableBytesPerGarbageByte) return {};

  const double part = static_cast<double>(relocation_bytes) / static_cast<double>(chosen_bytes);
  Compaction compaction = rewrite_in_place(version, chosen, CompactionReason::relocate_values, part);
  compaction.victims = census.victims();
  compaction.relocation_bytes_max = 2 * relocation_bytes;  // the cut is an estimate
  return compaction;
}

void add_relocation(const ValueCensus& census, std::uint64_t relocation_bytes, Compaction& compaction) {
  if (census.victims().empty()) return;
  double expected = 0;
  for (const auto& run : compaction.inputs) {
    for (const TableRef& slice : run) {
      const std::uint64_t taken = slice->approximate_bytes(compaction.begin_key, compaction.end_key);
      const double part =
          static_cast<double>(taken) / static_cast<double>(std::max<std::uint64_t>(slice->bytes(), 1));
      const std::uint64_t bytes = victim_bytes(slice->slice().value_files, census.victims());
      expected += static_cast<double>(bytes) * std::min(part, 1.0);
    }
  }
  if (expected * kSideRelocationPart < static_cast<double>(relocation_bytes)) return;
  compaction.victims = census.victims();
  compaction.relocation_bytes_max = relocation_bytes;
}

const ValueFile& ValueRelocator::file(std::uint64_t number) {
  ValueFileRef& known = files_[number];
  if (!known) known = store_.value_file(number);
  return known->file();
}

Status ValueRelocator::add(const Entry& entry, TableWriter& writer) {
  if (!entry.tag.separated || bytes_left_ == 0) return writer.add(entry);
  const auto reference = ValueReference::decode(entry.value);
  if (!std::binary_search(victims_.begin(), victims_.end(), reference->file)) return writer.add(entry);
  const ValueFile& values = file(reference->file);
  const auto loaded = values.read(entry.key, *reference);
  if (!loaded) {
    unreadable_.insert(reference->file);
    return writer.add(entry);
  }
  const std::uint64_t record_bytes = value_record_bytes(entry.key.size(), reference->value_bytes);
  relocated_bytes_ += record_bytes;
  bytes_left_ -= std::min(bytes_left_, record_bytes);
  Entry whole{entry.key, loaded->value, entry.tag};
  whole.tag.separated = false;
  Status added = writer.add_separated(whole);
  values.drop_page_cache(entry.key, *reference);
  return added;
}

}  // namespace shale::engine::lsm
