// Sees when a shard's engine has adapted its shape: how many runs an LSM tree has a level, or how large the
// leaves of a B+ tree are. Engines do that by themselves, and tell nobody; the history of changes is to have
// it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cluster/change_history.h"
#include "engine/engine.h"

namespace shale::cluster {

class ShapeWatch {
 public:
  // What has changed since the shard's tree, of this number, was seen last. The event lacks only its time. Of
  // several changes the last one's reason is known.
  std::optional<ReshapeEvent> observe(ShardId shard, std::uint32_t tree, const engine::EngineStats& stats);

 private:
  struct Seen {
    std::uint32_t tree = 0;
    std::uint64_t changes = 0;
    std::string shape;
    std::vector<std::uint64_t> runs_max;  // by level, of an LSM tree
    std::uint32_t node_bytes = 0;         // of a B+ tree
  };
  static std::string effect(const Seen& before, const Seen& now);

  std::map<ShardId, Seen> seen_;  // some hundred bytes for each shard there has been
};

}  // namespace shale::cluster
