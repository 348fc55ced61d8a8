// A shard: an engine behind a lock, and what it has been asked to do.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>

#include "cluster/catalog.h"
#include "cluster/load_sample.h"
#include "cluster/shard_map.h"
#include "engine/engine.h"

namespace shale::cluster {

struct ShardStats {  // since start; under the shard's lock
  std::uint64_t reads = 0;
  std::uint64_t writes = 0;
  // What a capacity is counted in, as DynamoDB does it: a read of a value that is there is a unit for every
  // 4 KiB begun, a write one for every KiB.
  std::uint64_t read_units = 0;
  std::uint64_t write_units = 0;
  std::uint64_t not_resident = 0;  // executions that stopped to wait for a block
};

class Shard {
 public:
  explicit Shard(ShardId shard_id) : id(shard_id) {}

  const ShardId id;
  std::mutex mutex;                        // guards everything below; work under it never waits for a disk
  EngineKind kind = EngineKind::lsm;       // of `engine`
  std::uint32_t tree = 0;                  // its number
  std::shared_ptr<engine::Engine> engine;  // null: the shard has been merged into another
  ShardStats stats;
  LoadSample load;
};

}  // namespace shale::cluster
