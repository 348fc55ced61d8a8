// From the hash of a key to a 32-bit reference: the point-access half of memtable and record cache.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>

#include "engine/memory/mapped_memory.h"

namespace shale::engine {

// Open addressing with linear probing over slots of eight bytes: 32 bits of the hash and the reference. A
// lookup costs one cache miss; whether the reference is really the key's is for the caller to say, who asks
// the entry only where 32 bits agree.
//
// Growth does not stall: a table twice as large is mapped, and every insert moves a few slots over
// until the old table is empty. The place of a slot follows from the bits in it, so no entry is read. Cutting
// the table into segments that grow one by one was the alternative; but then each lookup first visits a
// directory, and the segments are too small for huge pages, without which a probe pays two misses.
//
//   I1  An entry stands between its home slot and the next empty slot, circularly.
//   I2  While the table grows, homes at a circular distance < moved_ from move_start_ belong to the new
//   table,
//       all others to the old one, so a lookup visits one table.
//   I3  The home is the top bits of the 32 kept: in a table of twice the size it is 2h or 2h + 1, so slots
//       move in the order of addresses on both sides.
//
// Not thread-safe; const calls may run in several threads while nobody changes it.
class HashIndex {
 public:
  struct Slot {
    std::uint32_t hash_part = 0;
    std::uint32_t reference = 0;  // 0: the slot is empty
  };

  HashIndex() : table_(kInitialSlotsLog2) {}

  // The slot of the first reference under this hash for which matches(reference) holds, or nullptr. Valid
  // until the next insert or erase; the caller may change the reference in it, to anything but 0.
  template <class Matches>
  Slot* find(std::uint64_t hash, Matches matches) {
    return probe(table_of(part_of(hash)), part_of(hash), matches);
  }
  template <class Matches>
  const Slot* find(std::uint64_t hash, Matches matches) const {
    return probe(table_of(part_of(hash)), part_of(hash), matches);
  }

  // Adds an entry; the caller knows that the key is not there. The reference is not 0.
  void insert(std::uint64_t hash, std::uint32_t reference);
  void erase(Slot* slot);
  void clear();  // and gives the memory back

  void prefetch(std::uint64_t hash) const {
    const std::uint32_t part = part_of(hash);
    const Table& table = table_of(part);
    __builtin_prefetch(table.slots() + table.home(part));
  }
  // The reference that find() would ask about first, or 0: to prefetch its entry.
  std::uint32_t first_candidate(std::uint64_t hash) const {
    const Slot* slot = find(hash, [](std::uint32_t) { return true; });
    return slot == nullptr ? 0 : slot->reference;
  }

  std::size_t entry_count() const { return entry_count_; }
  std::size_t memory_bytes() const { return table_.memory.bytes() + old_table_.memory.bytes(); }
  // The entry count at which the table starts to grow, and the bytes it then takes in addition.
  std::size_t growth_entry_count() const { return table_.slot_count() / 16 * kLoadSixteenths; }
  std::size_t growth_bytes() const { return 2 * table_.slot_count() * sizeof(Slot); }

 private:
  static constexpr unsigned kInitialSlotsLog2 = 9;  // one page
  static constexpr std::size_t kLoadSixteenths =
      11;  // full at 11/16: a miss then probes 5.6 slots on average
  static constexpr std::size_t kMovesPerInsert = 16;  // slots moved while growing

  struct Table {
    Table() = default;
    explicit Table(unsigned slots_log2)
        : memory((std::size_t{1} << slots_log2) * sizeof(Slot)), log2(slots_log2) {}

    Slot* slots() const { return reinterpret_cast<Slot*>(memory.begin()); }
    std::size_t slot_count() const { return std::size_t{1} << log2; }
    std::size_t mask() const { return slot_count() - 1; }
    std::size_t home(std::uint32_t part) const { return part >> (32 - log2); }

    MappedMemory memory;
    unsigned log2 = 0;
  };

  static std::uint32_t part_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }

  bool growing() const { return old_table_.memory.begin() != nullptr; }
  const Table& table_of(std::uint32_t part) const {
    if (!growing()) [[likely]]
      return table_;
    const std::size_t distance = (old_table_.home(part) - move_start_) & old_table_.mask();
    return distance < moved_ ? table_ : old_table_;
  }

  template <class Matches>
  static Slot* probe(const Table& table, std::uint32_t part, Matches matches) {
    Slot* const slots = table.slots();
    const std::size_t mask = table.mask();
    for (std::size_t i = table.home(part);; i = (i + 1) & mask) {
      if (slots[i].reference == 0) return nullptr;
      if (slots[i].hash_part == part && matches(slots[i].reference)) return &slots[i];
    }
  }

  static void place(const Table& table, Slot slot);
  void start_growing();
  void move_some();

  Table table_;
  Table old_table_;              // has memory only while growing
  std::size_t move_start_ = 0;   // in old_table_: a slot that was empty when growth began
  std::size_t moved_ = 0;        // slots from there on that have been moved
  std::size_t entry_count_ = 0;  // in both
};

}  // namespace shale::engine
