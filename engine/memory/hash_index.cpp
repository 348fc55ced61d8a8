#include "engine/memory/hash_index.h"

#include <utility>

namespace shale::engine {

void HashIndex::insert(std::uint64_t hash, std::uint32_t reference) {
  assert(reference != 0);
  if (!growing() && entry_count_ >= growth_entry_count()) start_growing();
  if (growing()) move_some();
  const std::uint32_t part = part_of(hash);
  place(table_of(part), {part, reference});
  ++entry_count_;
}

void HashIndex::erase(Slot* slot) {
  const Table& table = table_of(slot->hash_part);
  // Later slots of the cluster close the gap where their home allows it (I1).
  Slot* const slots = table.slots();
  const std::size_t mask = table.mask();
  std::size_t gap = static_cast<std::size_t>(slot - slots);
  for (std::size_t i = (gap + 1) & mask; slots[i].reference != 0; i = (i + 1) & mask) {
    const std::size_t home = table.home(slots[i].hash_part);
    if (((i - home) & mask) < ((i - gap) & mask)) continue;
    slots[gap] = slots[i];
    gap = i;
  }
  slots[gap] = {};
  --entry_count_;
}

void HashIndex::clear() { *this = HashIndex{}; }

void HashIndex::place(const Table& table, Slot slot) {
  Slot* const slots = table.slots();
  std::size_t i = table.home(slot.hash_part);
  while (slots[i].reference != 0) i = (i + 1) & table.mask();
  slots[i] = slot;
}

void HashIndex::start_growing() {
  old_table_ = std::exchange(table_, Table{table_.log2 + 1});
  move_start_ = 0;
  while (old_table_.slots()[move_start_].reference != 0) ++move_start_;
  moved_ = 0;
}

// Moving before each insert keeps what wraps around behind move_start_, at most one slot per insert, from
// reaching the slots that are still to move. At 16 slots per insert the old table is empty before its load
// can pass 3/4, and the new one is then less than half full: growth never meets growth.
void HashIndex::move_some() {
  Slot* const slots = old_table_.slots();
  const std::size_t mask = old_table_.mask();
  const std::size_t goal = moved_ + kMovesPerInsert;
  // Stops at an empty slot only, so that no cluster is cut (I2). Past the last home there may be slots that
  // wrapped around.
  for (;; ++moved_) {
    Slot& slot = slots[(move_start_ + moved_) & mask];
    if (slot.reference == 0) {
      if (moved_ >= goal || moved_ > mask) break;
      continue;
    }
    place(table_, slot);
    slot = {};
  }
  if (moved_ > mask) old_table_ = Table{};
}

}  // namespace shale::engine
