// Which shards came of which by automatic splits: only those may be merged without being asked for. What an
// operator has cut stays cut, and the shards that a folder began with stay apart.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "cluster/change_history.h"
#include "cluster/shard_map.h"

namespace shale::cluster {

class Kinship {
 public:
  // In the order in which it happened; what failed, or was no split or merge, changes nothing.
  void note(const ReshapeEvent& event);
  // Pairs of shards, the lower first, that have a common ancestor, where the lower ends where the higher
  // begins, and the higher was cut off automatically.
  std::vector<std::pair<ShardId, ShardId>> mergeable(const ShardMap& map) const;

 private:
  ShardId ancestor(ShardId shard) const;

  std::map<ShardId, ShardId> parents_;  // of shards that came of an automatic split
};

}  // namespace shale::cluster
