// What would make the shards more even: which to split, and which of the small ones to merge.
//
// One pass: a shard with more than twice the mean is split once, two neighbours that together have less than
// half of it are merged. Whoever wants more asks again when that has been done. The factor between the two
// keeps a rebalance from undoing the last one.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cluster/change_history.h"
#include "cluster/reshaper.h"
#include "cluster/shard_map.h"

namespace shale::cluster {

struct ShardSize {
  ShardId id{};
  std::int64_t keys = 0;
  std::uint64_t bytes = 0;  // on disk
};

struct RebalanceStep {
  ReshapeKind kind{};  // split or merge
  ShardId shard{};
  ShardId other{};                // of a merge: what goes into `shard`
  std::int64_t keys_moved = 0;    // by estimate: half of what is split, all of what is merged away
  std::uint64_t bytes_moved = 0;  // that belong to another shard then; none is copied where trees are cut
};

struct RebalancePlan {
  std::vector<RebalanceStep> steps;
  std::int64_t keys = 0;  // of all shards
  std::uint64_t bytes = 0;
  std::vector<ShardSize> after;  // by estimate; a new shard has the id of the one it is cut from
};

// `shards`: all. `mergeable`: pairs that may be merged, the lower first (kinship.h). At most `shards_max`
// shards come of it. If nothing is on disk yet, keys are what is made even.
RebalancePlan plan_rebalance(const std::vector<ShardSize>& shards,
                             const std::vector<std::pair<ShardId, ShardId>>& mergeable,
                             std::size_t shards_max);

// For the reshaper, in the order of the steps.
std::vector<ReshapeRequest> requests_of(const RebalancePlan& plan, const std::string& cause);

// The largest shard's part of all, and the mean's: 1 and 1/n if everything is in one of n.
struct Evenness {
  double largest = 0;
  double mean = 0;
};
Evenness evenness(const std::vector<ShardSize>& shards);

}  // namespace shale::cluster
