// How large leaves are, and where they are cut.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/btree/record.h"
#include "engine/bytes.h"
#include "engine/engine.h"

namespace shale::engine::btree {

// Merged in memory, a leaf holds at most a third more than the target and is cut in halves, so it is as large
// as that on average. A checkpoint, which does not see all leaves merged in memory, leaves a little more room
// before it cuts one. A leaf below half that is merged anyway is joined with neighbours if they fit into one;
// one below a quarter is joined with one of them in any case.
constexpr std::size_t leaf_bytes_max(std::size_t target) { return target + target / 3; }
constexpr std::size_t leaf_bytes_split(std::size_t target) { return target + target / 2; }
constexpr std::size_t leaf_bytes_joined(std::size_t target) { return target / 2; }
constexpr std::size_t leaf_bytes_min(std::size_t target) { return target / 4; }

// The shortest text above `left` and not above `right`.
Bytes separator_between(BytesView left, BytesView right);

// From when on one of the records is obsolete, in Unix milliseconds: KeyPolicy::obsolete_from_ms.
std::int64_t obsolete_from_of(std::span<const Record> records, const KeyPolicy& policy);

// Cuts records, `bytes` in all, in pieces of about the same size that do not exceed `bytes_max`, or, where
// records come in order, in pieces as large as that and a rest. A record is never cut.
std::vector<std::span<const Record>> cut_records(std::span<const Record> records, std::size_t bytes,
                                                 std::size_t bytes_max, bool is_append);

}  // namespace shale::engine::btree
