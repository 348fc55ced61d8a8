// Reads the keys of a run of neighbours in order, forward or backward, a bounded piece at a time: RANGE.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include "cluster/store.h"
#include "cluster/transaction.h"
#include "src/value.h"

namespace shale::server {

// Keys of one token (where keys are placed by range it is 0: of a database), begin <= key < end, that have
// not been read yet.
struct KeyRange {
  std::uint64_t token = 0;
  Bytes begin;
  std::optional<Bytes> end;  // nothing: open
  bool reverse = false;      // reads from the end

  friend bool operator==(const KeyRange&, const KeyRange&) = default;
};

// What one piece reads at most, under one shard's lock.
struct RangePieceLimits {
  std::size_t records = 256;       // expired ones included
  std::size_t bytes = 256u << 10;  // of keys and values, and the record that reaches it
  bool keys_only = false;          // values are cut short, and not read
};

// Runs under a shard's lock: must be short, and must not call the store's shards. The views end with the
// call. False ends the piece behind this key.
using VisitPair = std::function<bool(BytesView key, const Value& value)>;

// Visits the next live keys of `left` in `database` (as SELECT numbers them), and takes them off it, along
// with the expired ones among them. True if nothing is left. A piece sees what is there when it is read. The
// caller holds no shard's lock, or all of them in the transaction `within`, whose writes are then seen.
//
// Errors: not_resident (`reads` says what to load; `left` is without what has been visited), corruption, io.
engine::Result<bool> read_range_piece(cluster::Store& store, engine::ReadContext& reads, unsigned database,
                                      std::int64_t now_ms, KeyRange& left, const RangePieceLimits& limits,
                                      const VisitPair& visit, cluster::Transaction* within = nullptr);

}  // namespace shale::server
