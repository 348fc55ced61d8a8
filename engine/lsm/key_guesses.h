// Guesses about keys, and finding out.
//
// A write that finds a filter saying "maybe", and no block in memory that could tell, takes its key to have
// been there (entry.h). For an overwrite of a cold key that is right; for a new key it is a false positive of
// the filter, and the key is not counted. So guesses are looked up in the background, within milliseconds, as
// long as they are few: then they are mostly false positives, and the count becomes exact. Where they are
// many, writes overwrite cold keys, a look-up each would double their cost, and nearly all would be right:
// these are left to compaction.
#pragma once

#include <cstddef>
#include <vector>

#include "engine/bytes.h"
#include "engine/lsm/version.h"

namespace shale::engine::lsm {

// Whether another guess should be looked up, where `guess_count` of a memtable's `entry_count` entries were
// guesses so far: up to one entry in 24. Filters are wrong about one new key in a hundred, those of young
// levels less often (TreeStore::filter_bits_of).
constexpr bool worth_resolving(std::size_t guess_count, std::size_t entry_count) {
  return guess_count < 256 + entry_count / 24;
}

// Those of `keys` for which the version holds no value. Waits for the disk. A key whose blocks cannot be read
// is left out, as it was guessed.
std::vector<Bytes> keys_not_in(const Version& version, const std::vector<Bytes>& keys);

}  // namespace shale::engine::lsm
