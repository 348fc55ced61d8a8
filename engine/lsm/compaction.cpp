#include "engine/lsm/compaction.h"

#include <algorithm>
#include <ctime>
#include <optional>
#include <set>

#include "engine/lsm/run_merger.h"
#include "engine/lsm/table_writer.h"
#include "engine/lsm/value_reference.h"
#include "engine/lsm/value_relocation.h"

namespace shale::engine::lsm {
namespace {

// Between two questions whether to go on now. Written is about as much as read.
constexpr std::uint64_t kBeatBytes = 512u << 10;

std::chrono::nanoseconds thread_time() {
  timespec spent{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
  return std::chrono::seconds{spent.tv_sec} + std::chrono::nanoseconds{spent.tv_nsec};
}

// What is left of an entry in its new place, or nothing.
std::optional<Entry> settle(Entry entry, bool bottom, const KeyPolicy& policy, std::int64_t now_ms) {
  if (!policy.is_live_class(policy.count_class(entry.key))) return {};
  if (entry.tag.type == EntryType::value && policy.obsolete_from_ms(entry.key, value_head(entry)) <= now_ms) {
    // An expired value becomes a tombstone: older versions below must stay hidden.
    entry.value = {};
    entry.tag = {EntryType::tombstone, static_cast<std::int8_t>(std::max(entry.tag.balance - 1, -1))};
  }
  if (!bottom) return entry;
  if (entry.tag.type == EntryType::tombstone) return {};
  entry.tag.balance = 1;  // nothing older is left: a value here is one live key (entry.h)
  return entry;
}

// The slice without what lies in [begin, end): nothing, it, one or two narrower ones, without sums.
void append_rest(const LiveTable& slice, BytesView begin, BytesView end, std::vector<TableRef>& rest) {
  const auto keep = [&](BytesView from, BytesView to) {
    if (from < to) rest.push_back(slice.narrowed(from, to));
  };
  if (!slice.overlaps(begin, end)) {
    keep(slice.begin_key(), slice.end_key());
    return;
  }
  keep(slice.begin_key(), std::min(begin, slice.end_key()));
  keep(std::max(end, slice.begin_key()), slice.end_key());
}

// What a compaction takes of every table, and what it leaves.
class Inputs {
 public:
  Inputs(const Version& version, const Compaction& compaction) {
    std::set<TableRef> taken;
    std::set<std::uint64_t> tables;
    for (const auto& run : compaction.inputs) {
      for (const TableRef& slice : run) {
        taken.insert(slice);
        tables.insert(slice->number());
      }
    }
    version.for_each([&](const TableRef& slice) {
      if (!tables.contains(slice->number())) return;
      before_[slice->number()].balances.add(slice->slice().balances);
      before_[slice->number()].values.add(slice->slice().value_files);
      // Another slice of the table may be in another level by now, and in the range, and is not read.
      const bool is_read = taken.contains(slice);
      append_rest(*slice, is_read ? compaction.begin_key : BytesView{},
                  is_read ? compaction.end_key : BytesView{}, rest_[slice->number()]);
    });
    for (const auto& [number, rest] : rest_) {
      numbers_.push_back(number);
      if (!rest.empty()) consumption_[number];
    }
  }

  Consumption& consumption() { return consumption_; }
  const std::vector<std::uint64_t>& numbers() const { return numbers_; }

  // After all has been read. The sums over what is left of a table stand with its first slice.
  // `cut_since_ms`: 0 if no deleted or expired entry was met, else now: what was taken stays in the files.
  std::vector<TableRef> leftover(std::int64_t cut_since_ms) {
    std::vector<TableRef> all;
    for (auto& [number, rest] : rest_) {
      if (rest.empty()) continue;
      TableConsumption left = before_[number];
      const TableConsumption& taken = consumption_[number];
      for (const ClassBalance& balance : taken.balances.all()) {
        left.balances.add(balance.count_class, -balance.sum);
      }
      left.values.subtract(taken.values);
      for (const TableRef& slice : rest) {
        SliceDescriptor descriptor = slice->slice();
        if (&slice == &rest.front()) {
          descriptor.balances = left.balances.all();
          descriptor.value_files = left.values.all();
        }
        if (descriptor.cut_since_ms == 0) descriptor.cut_since_ms = cut_since_ms;
        all.push_back(std::make_shared<const LiveTable>(slice->file(), std::move(descriptor)));
      }
    }
    return all;
  }

 private:
  std::map<std::uint64_t, std::vector<TableRef>> rest_;  // by table number
  Consumption before_;
  std::vector<std::uint64_t> numbers_;
  Consumption consumption_;
};

// What no tombstone among the compaction's results is older than: one that was there, or was a value that
// has expired since.
std::int64_t tombstones_since_ms(const Compaction& compaction, std::int64_t now_ms) {
  std::int64_t since_ms = now_ms;
  for (const auto& run : compaction.inputs) {
    for (const TableRef& slice : run) since_ms = std::min(since_ms, slice->entries_obsolete_from_ms());
  }
  return since_ms;
}

// A slice in another place, as it is.
TableRef moved(const TableRef& slice, std::uint32_t level, std::uint64_t run) {
  SliceDescriptor descriptor = slice->slice();
  descriptor.level = level;
  descriptor.run = run;
  return std::make_shared<const LiveTable>(slice->file(), std::move(descriptor));
}

// Every slice of one table stays where it is, except that one.
CompactionResult move_slice(const Version& version, const Compaction& compaction) {
  const TableRef& slice = compaction.inputs.front().front();
  CompactionResult result;
  result.consumed = {slice->number()};
  result.tables = {moved(slice, compaction.target_level, compaction.target_run)};
  version.for_each([&](const TableRef& other) {
    if (other->number() == slice->number() && other != slice) result.leftover.push_back(other);
  });
  return result;
}

}  // namespace

Result<CompactionResult> run_compaction(TreeStore& store, const Version& version,
                                        const Compaction& compaction, const WorkPace& pace) {
  CompactionResult result;
  if (compaction.is_drop()) {
    for (const TableRef& slice : compaction.obsolete) result.consumed.push_back(slice->number());
    return result;
  }
  if (compaction.is_move()) return move_slice(version, compaction);

  const auto begun = thread_time();
  const KeyPolicy& policy = *store.options().policy;
  Inputs inputs{version, compaction};
  RunMerger entries{compaction.inputs, compaction.begin_key, compaction.end_key, policy,
                    inputs.consumption()};
  const std::int64_t now_ms = store.unix_ms();
  TableWriter writer{store,
                     compaction.target_level,
                     compaction.target_run,
                     tombstones_since_ms(compaction, now_ms),
                     compaction.begin_key,
                     compaction.end_key};
  if (auto started = entries.start(); !started) return started.error();
  ValueRelocator relocator{store, compaction};
  std::uint64_t paid_bytes = 0;
  bool met_deletions = false;
  while (entries.valid()) {
    const std::uint64_t bytes_read = entries.bytes_read() + relocator.relocated_bytes();
    if (bytes_read > paid_bytes + kBeatBytes) {
      if (store.background().stopping()) return Error{ErrorKind::stopped, "the server stops"};
      store.work_meter().pay(2 * (bytes_read - paid_bytes), pace.behind, pace.quota);
      paid_bytes = bytes_read;
    }
    const auto settled = settle(entries.entry(), compaction.bottom, policy, now_ms);
    met_deletions |= !settled || settled->tag.type == EntryType::tombstone;
    if (settled) {
      if (auto added = relocator.add(*settled, writer); !added) return added.error();
    }
    if (auto moved_on = entries.advance(); !moved_on) return moved_on.error();
  }
  auto tables = writer.finish();
  if (!tables) return tables.error();
  result.tables = std::move(*tables);
  result.bytes_written = writer.value_bytes_written();
  for (const TableRef& table : result.tables) result.bytes_written += table->bytes();
  result.leftover = inputs.leftover(met_deletions ? now_ms : 0);
  result.consumed = inputs.numbers();
  result.relocated_bytes = relocator.relocated_bytes();
  result.unreadable_values = relocator.unreadable();
  result.bytes_read = entries.bytes_read() + relocator.relocated_bytes();
  result.busy_time = thread_time() - begun;
  return result;
}

}  // namespace shale::engine::lsm
