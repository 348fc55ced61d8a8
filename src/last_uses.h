// When keys were last used (OBJECT IDLETIME): a table of fixed size, in which a key's hash names its place.
// Keys that share a place share their last use, so that with many keys in use idle times are told too short.
// Empty at the start: what has not been used since then counts as idle since then.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "engine/memory/mapped_memory.h"

namespace shale::server {

// Thread-safe.
class LastUses {
 public:
  // `memory_bytes`: the whole budget, of which the table takes a thousandth, 4 MiB at most.
  explicit LastUses(std::uint64_t memory_bytes);

  // Has the place of a key that is about to be noted brought near.
  void prefetch(std::uint64_t hash) const { __builtin_prefetch(place_of(hash), 1); }
  void note(std::uint64_t hash, std::int64_t unix_s) {
    const std::atomic_ref<std::uint32_t> place{*place_of(hash)};
    const auto now = static_cast<std::uint32_t>(unix_s);
    // What is written again and again within a second would go from one processor's cache to the next.
    if (place.load(std::memory_order_relaxed) != now) place.store(now, std::memory_order_relaxed);
  }
  // Unix seconds, or 0: not since the start.
  std::int64_t last(std::uint64_t hash) const {
    return std::atomic_ref{*place_of(hash)}.load(std::memory_order_relaxed);
  }

 private:
  std::uint32_t* place_of(std::uint64_t hash) const {
    return reinterpret_cast<std::uint32_t*>(table_.begin()) + (hash & mask_);
  }

  const std::uint64_t mask_;  // the number of places, a power of two, less one
  const engine::MappedMemory table_;
};

}  // namespace shale::server
