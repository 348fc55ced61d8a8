// Walks the keys of a database in the order of their positions, a bounded piece at a time: SCAN, and whatever
// else looks at all keys. Takes one shard's lock at a time and never waits for a disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include "cluster/store.h"
#include "cluster/transaction.h"
#include "src/scan_cursor.h"
#include "src/value.h"

namespace shale::server {

// When a piece ends, besides the end of all keys.
struct WalkLimits {
  std::size_t keys = 10;      // of the database, expired ones included
  std::size_t records = 100;  // of other databases, passed over
  std::size_t ranges = 300;   // of the shard map, entered
  // On the ring, keys with this token and those behind it are not walked: they are as if they were not there.
  std::optional<std::uint64_t> token_end = std::nullopt;
};

struct WalkEnd {
  std::optional<ScanPlace> next;  // where to go on; nothing at the end of all keys
  std::uint32_t walked = 0;       // coarse place of the last position walked
};

// Runs under a shard's lock: must be short, and must not call the store. The views end with the call; of a
// large value the payload may be cut short. False ends the piece behind this key.
using VisitKey = std::function<bool(BytesView key, const Value& value)>;

// The keys of one token that begin with `prefix`: neighbours. Where keys are placed by range the token is 0.
struct TokenPrefix {
  std::uint64_t token = 0;
  engine::Bytes prefix;
};

// Where all keys are that match the glob pattern, if its beginning, up to what is special in it, says so: on
// the ring with a whole hash tag, or if it is a whole key.
std::optional<TokenPrefix> neighbours_of_pattern(cluster::Placement placement, BytesView pattern);

// Visits the live keys of `database` (as SELECT numbers them) from `from` on, or of those the ones in `only`.
// Keys that are there from before the call until after it are visited; what comes or goes meanwhile may be or
// not. The caller holds no shard's lock, or all of them in the transaction `within`, whose writes are then
// seen.
//
// Blocks that are not in memory end the piece early. If it has not got anywhere by then, not_resident is
// returned, and `reads` says what to load. Other errors: corruption, io.
engine::Result<WalkEnd> walk_keys(cluster::Store& store, engine::ReadContext& reads, unsigned database,
                                  std::int64_t now_ms, const ScanPlace& from,
                                  const std::optional<TokenPrefix>& only, const WalkLimits& limits,
                                  const VisitKey& visit, cluster::Transaction* within = nullptr);

}  // namespace shale::server
