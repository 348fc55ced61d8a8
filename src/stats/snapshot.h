// What the shards say of themselves, copied under their locks, one after the other.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "cluster/shard.h"
#include "cluster/store.h"
#include "engine/engine.h"

namespace shale::server {

// Of late (cluster/recent_durations.h); nothing where there was none.
struct Percentiles {
  std::optional<std::chrono::nanoseconds> p50;
  std::optional<std::chrono::nanoseconds> p99;
};

struct ShardSnapshot {
  cluster::ShardId id{};
  cluster::EngineKind kind{};
  cluster::ShardStats counts;
  Percentiles execution;
  Percentiles lock_wait;
  engine::EngineStats engine;
  std::int64_t keys = 0;  // of all databases, expired ones included until their space is given back
};

// Takes the shard's lock, for microseconds: longer the more tables it has.
ShardSnapshot take_snapshot(cluster::Store& store, cluster::Shard& shard);
std::vector<ShardSnapshot> take_snapshots(cluster::Store& store);  // by id

// Of all of them together: counts and sizes added up, levels by their numbers; the largest of waits, ages and
// pressures. What cannot be added (shapes, key ranges) is empty.
ShardSnapshot add_up(std::span<const ShardSnapshot> shards);

// At most the bytes of all newest versions, as far as they have come down: the last level's, or those of its
// average run if it has several.
std::uint64_t last_level_bytes(const engine::EngineStats& stats);

}  // namespace shale::server
