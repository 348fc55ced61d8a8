// The ordered half of a memtable: its records by key, for scans and for the flush.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/bytes.h"
#include "engine/lsm/memtable_record.h"
#include "engine/memory/chunk_arena.h"

namespace shale::engine::lsm {

// A B+ tree of references into the memtable's arena, where its nodes live too. Beside each reference stands
// the key's head: the eight bytes behind the node's prefix as one integer. Records are asked only where heads
// are equal. Keys are added and never removed, which keeps the tree simple:
//
//   I1  The separator before a child is the smallest key in it (and the record it refers to that key's
//   record). I2  A node covers the keys from the separator before it up to the one after it, wherever they
//   stand above.
//       Every key in between begins with what these two have in common. So a search that has come down to a
//       node need not look at the node's prefix, only skip it.
//   I3  A node's prefix is 0 until it splits with equal heads in it; then each half takes what I2 allows.
//   Keys
//       that begin with a random token never pay for this.
//
// The first and the last node of each level lack a separator on one side and have no prefix. Where all keys
// begin alike (sharding by key range), the root compares some six whole keys per search, which stay in the
// processor's caches, and the nodes below it hardly any.
//
// Not thread-safe; const calls may run in several threads while nobody changes it.
class MemtableOrder {
 public:
  // A leaf and an index in it; no node when past an end.
  struct Position {
    Reference leaf = 0;
    std::uint32_t index = 0;
  };

  explicit MemtableOrder(ChunkArena& arena) : arena_(arena) {}

  void insert(Reference record);  // its key is not in the tree
  // `record` takes the place of `old_record`, which has the same key and is still readable.
  void replace(Reference old_record, Reference record);
  // Starts fetching the leaf where `key` belongs.
  void prefetch(BytesView key) const;

  Position first() const;
  Position last() const;
  Position lower_bound(BytesView key) const;  // of the first key >= `key`
  Position next(Position position) const;
  Position previous(Position position) const;
  Reference record_at(Position position) const;
  // Starts fetching what a walk forward meets soon.
  void prefetch_ahead(Position position) const;

 private:
  struct Node;
  struct Leaf;
  struct Inner;
  struct Path;

  const MemtableRecord& record(Reference reference) const {
    return *reinterpret_cast<const MemtableRecord*>(arena_.at(reference));
  }
  BytesView key_of(Reference reference) const { return record(reference).key(); }
  Node& node(Reference reference) const;
  Leaf& leaf(Reference reference) const;
  Inner& inner(Reference reference) const;
  // How many keys of the node are < `key` (or <= `key`, if `and_equal`).
  std::uint32_t rank(const Node& node, BytesView key, bool and_equal) const;
  Reference descend(BytesView key, Path* path) const;
  void add_to_parent(Path& path, std::uint32_t level, Reference separator, Reference right);
  void set_prefix(Node& node, Reference lower, Reference upper);

  ChunkArena& arena_;
  Reference root_ = 0;  // 0: no key yet
  Reference first_leaf_ = 0;
  Reference last_leaf_ = 0;
  std::uint32_t inner_level_count_ = 0;
};

}  // namespace shale::engine::lsm
