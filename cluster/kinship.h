// Which shards came of which by automatic splits: only those may be merged without being asked for. What an
// operator has cut stays cut, and the shards that a folder began with stay apart.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "cluster/change_history.h"
#include "cluster/shard_map.h"

namespace shale::cluster {

// Pairs of shards, the lower first, where all of the one lies below all of the other, and nothing of a third
// between them: what splits make, and what can be joined again without more sorted runs for readers.
std::vector<std::pair<ShardId, ShardId>> neighbours(const ShardMap& map);

class Kinship {
 public:
  // In the order in which it happened; what failed, or was no split or merge, changes nothing.
  void note(const ReshapeEvent& event);
  // The neighbours that have a common ancestor, where the higher was cut off automatically.
  std::vector<std::pair<ShardId, ShardId>> mergeable(const ShardMap& map) const;

 private:
  ShardId ancestor(ShardId shard) const;

  std::map<ShardId, ShardId> parents_;  // of shards that came of an automatic split
};

}  // namespace shale::cluster
