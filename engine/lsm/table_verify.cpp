#include "engine/lsm/table_verify.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/lsm/key_bounds.h"
#include "engine/lsm/value_file_format.h"
#include "engine/lsm/value_reference.h"

namespace shale::engine::lsm {
namespace {

// The same classes with the same sums, in whatever order.
bool are_equal(std::vector<ClassBalance> a, std::vector<ClassBalance> b) {
  std::ranges::sort(a, {}, &ClassBalance::count_class);
  std::ranges::sort(b, {}, &ClassBalance::count_class);
  return a == b;
}

}  // namespace

TableVerifier::TableVerifier(const std::shared_ptr<const Table>& table,
                             const std::vector<SliceDescriptor>& slices, const CountClassOf& class_of,
                             ReferencedValues& references, Verification& verification,
                             const EntryVisitor& visit)
    : table_(table),
      class_of_(class_of),
      references_(references),
      verification_(verification),
      visit_(visit),
      slices_(slices),
      scanner_(table) {
  std::ranges::sort(slices_, {}, &SliceDescriptor::begin_key);
}

void TableVerifier::run() {
  const auto blocks = static_cast<std::uint32_t>(table_->properties().block_count);
  for (std::uint32_t block = 0; block != blocks; ++block) check_block(block);
  verification_.count_file(table_->properties().file_bytes);
  verification_.count_records(counted_.entry_count);
  check_slices();
  if (!blocks_are_sound_) return;  // sums over the rest would only say so again
  check_properties();
  check_slice_balances();
}

void TableVerifier::check_block(std::uint32_t block) {
  if (auto entered = scanner_.seek_block(block); !entered) {
    blocks_are_sound_ = false;
    verification_.add(entered.error());
    return;
  }
  for (; scanner_.valid(); scanner_.next_in_block()) {
    check_entry(scanner_.entry(), table_->block_offset(block));
  }
}

void TableVerifier::check_entry(const Entry& entry, std::uint64_t block_offset) {
  if (last_key_ && *last_key_ >= entry.key) problem(block_offset, "keys out of order");
  if (table_->approximate_offset(entry.key) != block_offset) {
    problem(block_offset, "the index does not find a key of this block");
  }
  if (!table_->may_contain(hash_bytes(entry.key))) {
    problem(block_offset, "the filter denies a key of this block");
  }
  const bool is_tombstone = entry.tag.type == EntryType::tombstone;
  if (is_tombstone && !entry.value.empty()) problem(block_offset, "a tombstone with a value");
  if (counted_.entry_count++ == 0) counted_.smallest_key = entry.key;
  counted_.tombstone_count += is_tombstone ? 1 : 0;
  counted_.raw_key_bytes += entry.key.size();
  counted_.raw_value_bytes += entry.value.size();
  const std::uint32_t count_class = class_of_ ? class_of_(entry.key) : 0;
  all_balances_.add(count_class, entry.tag.balance);
  while (slice_ < slices_.size() && slices_[slice_].end_key <= entry.key) ++slice_;
  const bool in_slice = slice_ < slices_.size() && slices_[slice_].begin_key <= entry.key;
  if (in_slice) live_balances_.add(count_class, entry.tag.balance);
  if (entry.tag.separated) check_reference(entry, block_offset, in_slice);
  if (in_slice && visit_ && (!entry.tag.separated || ValueReference::decode(entry.value))) {
    visit_({entry.key, value_head(entry), is_tombstone, slices_[slice_].level, slices_[slice_].run});
  }
  last_key_ = entry.key;
}

void TableVerifier::check_reference(const Entry& entry, std::uint64_t block_offset, bool in_slice) {
  const auto reference = ValueReference::decode(entry.value);
  if (!reference) return problem(block_offset, "a damaged reference to a value file");
  const std::uint64_t record_bytes = value_record_bytes(entry.key.size(), reference->value_bytes);
  all_values_.add(reference->file, record_bytes);
  if (!in_slice) return;  // what it refers to may be gone
  live_values_.add(reference->file, record_bytes);
  references_[reference->file][reference->offset] = {hash_bytes(entry.key), reference->value_bytes,
                                                     table_->number()};
}

void TableVerifier::check_properties() {
  const TableProperties& said = table_->properties();
  const auto check = [&](std::string_view what, std::uint64_t value, std::uint64_t counted) {
    if (value == counted) return;
    problem_of_table(fmt::format("the properties say {} {}, the blocks hold {}", value, what, counted));
  };
  check("entries", said.entry_count, counted_.entry_count);
  check("tombstones", said.tombstone_count, counted_.tombstone_count);
  check("bytes of keys", said.raw_key_bytes, counted_.raw_key_bytes);
  check("bytes of values", said.raw_value_bytes, counted_.raw_value_bytes);
  if (said.smallest_key != lower_bound_of(counted_.smallest_key) ||
      said.largest_key != upper_bound_of(last_key_.value_or(Bytes{}))) {
    problem_of_table("the properties name another smallest or largest key than the blocks hold");
  }
  if (said.value_files != all_values_.all()) {
    problem_of_table("the properties name other values in value files than the entries do");
  }
  if (class_of_ && !are_equal(said.balances, all_balances_.all())) {
    problem_of_table("the properties' balances are not those of the entries");
  }
}

void TableVerifier::check_slices() {
  const SliceDescriptor whole = describe(table_->properties(), 0, 0);
  for (std::size_t i = 0; i != slices_.size(); ++i) {
    const SliceDescriptor& slice = slices_[i];
    if (slice.begin_key >= slice.end_key) problem_of_table("the manifest has an empty slice of it");
    if (slice.begin_key < whole.begin_key || slice.end_key > whole.end_key) {
      problem_of_table("the manifest has a slice that reaches beyond it");
    }
    if (i > 0 && slices_[i - 1].end_key > slice.begin_key) {
      problem_of_table("the manifest has slices of it that overlap");
    }
    const bool is_whole = slice.begin_key == whole.begin_key && slice.end_key == whole.end_key;
    if (is_whole && (slice.bytes != whole.bytes || slice.entry_count != whole.entry_count ||
                     slice.tombstone_count != whole.tombstone_count)) {
      problem_of_table("the manifest has other counts of it than its properties");
    }
  }
}

// What is left of a table counts only what is left of its entries.
void TableVerifier::check_slice_balances() {
  if (slices_.empty()) return;
  ClassCounts said;
  ValueUsage said_values;
  for (const SliceDescriptor& slice : slices_) {
    said.add(slice.balances);
    said_values.add(slice.value_files);
  }
  if (said_values.all() != live_values_.all()) {
    problem_of_table("the manifest counts other values in value files than its entries refer to");
  }
  if (!class_of_) return;
  for (const ClassBalance& balance : live_balances_.all()) {
    const bool is_listed = std::ranges::any_of(
        said.all(), [&](const ClassBalance& listed) { return listed.count_class == balance.count_class; });
    if (!is_listed) {
      problem_of_table(
          fmt::format("the manifest knows nothing of its keys of class {}", balance.count_class));
    }
  }
  for (const ClassBalance& balance : said.all()) {
    const std::int64_t counted = live_balances_.of(balance.count_class);
    if (counted == balance.sum) continue;
    problem_of_table(fmt::format("the manifest counts {} live keys of class {}, the entries come to {}",
                                 balance.sum, balance.count_class, counted));
  }
}

void TableVerifier::problem(std::uint64_t offset, std::string_view what) {
  blocks_are_sound_ = false;
  verification_.problem(fmt::format("{}: offset {}: {}", table_->path(), offset, what));
}

void TableVerifier::problem_of_table(std::string_view what) {
  verification_.problem(fmt::format("{}: {}", table_->path(), what));
}

}  // namespace shale::engine::lsm
