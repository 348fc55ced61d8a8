// A shard: an engine behind a lock, and what it has been asked to do.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "cluster/catalog.h"
#include "cluster/hot_keys.h"
#include "cluster/load_sample.h"
#include "cluster/recent_durations.h"
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
  std::uint64_t absent_reads = 0;  // of the reads, those of keys that are not there
  std::uint64_t not_resident = 0;  // executions that stopped to wait for a block

  // How long commands have executed on this shard's data, under its lock: an estimate, since one run in
  // ShardLocks::kTimedStride is timed and stands for the others. A command with keys of several shards counts
  // for each by its keys. Grows by a billion a second if a thread does nothing else.
  std::uint64_t busy_ns = 0;
  std::uint64_t lock_holds = 0;    // how often commands took the lock
  std::uint64_t lock_waits = 0;    // how often they found it held by somebody else
  std::uint64_t lock_wait_ns = 0;  // for how long they then waited
};

class Shard {
 public:
  explicit Shard(ShardId shard_id) : id(shard_id) {}

  // The record's tree becomes the shard's. With its mutex, unless nobody knows the shard yet.
  void set_tree(const ShardRecord& record, std::shared_ptr<engine::Engine> opened) {
    kind = record.engine;
    tree = record.tree;
    engine = std::move(opened);
  }

  const ShardId id;
  std::mutex mutex;                        // guards everything below; work under it never waits for a disk
  EngineKind kind = EngineKind::lsm;       // of `engine`
  std::uint32_t tree = 0;                  // its number
  std::shared_ptr<engine::Engine> engine;  // null: the shard has been merged into another
  ShardStats stats;
  RecentDurations execution_times;  // of commands, as busy_ns; each counts for the shard of its first key
  RecentDurations lock_wait_times;  // of those that had to wait
  LoadSample load;
  HotKeys hot_keys;  // may have some of databases that have been flushed, but none that another shard owns
};

}  // namespace shale::cluster
