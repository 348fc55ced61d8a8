// What a store is opened with.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cluster/catalog.h"
#include "engine/log/log.h"
#include "engine/lsm/compression.h"

namespace shale::engine::lsm {
enum class CompactionMode : std::uint8_t;
}  // namespace shale::engine::lsm

namespace shale::cluster {

struct StoreOptions {
  std::string folder;
  Sharding sharding = Sharding::ring;  // of a new folder, as all that follows to `engine`
  std::uint32_t shards = 8;            // on the ring
  std::uint32_t virtual_nodes = 150;
  std::vector<Bytes> split_points;  // of key ranges: where the second, third ... shard begins, in database 0;
                                    // ascending, without duplicates
  EngineKind engine = EngineKind::lsm;  // of its shards; existing shards keep theirs
  engine::SyncMode sync_mode = engine::SyncMode::every_second;
  std::uint64_t memtable_bytes = 64u << 20;  // all shards together, waiting for their flush included
  std::uint64_t cache_bytes = 256u << 20;    // block cache and record caches together
  std::uint64_t log_segment_bytes = 16u
                                    << 20;  // of the log's files, of which two or three are mapped at a time
  std::uint64_t log_bytes_max = 1024u << 20;  // beyond it, what holds the oldest records is flushed
  engine::lsm::Compression compression = engine::lsm::Compression::lz4;  // below level 0
  std::uint32_t value_separation_bytes = 4096;    // larger values have files of their own; 0: never
  engine::lsm::CompactionMode compaction_mode{};  // adaptive
  // How long what is deleted or has expired may take space in tables, while the store is open; 0: for ever.
  std::chrono::milliseconds deletion_age_max{0};
  // What leaves of B+ trees aim at, as the workload has it (docs/btree.md).
  std::uint32_t btree_node_bytes_min = 4u << 10;
  std::uint32_t btree_node_bytes_max = 64u << 10;
  // Of compaction while nobody writes; 0: compaction is not metered (engine/lsm/work_meter.h).
  std::uint64_t idle_work_bytes_per_second = 0;
  std::chrono::milliseconds maintenance_interval{100};  // 0: never by itself
  std::string backup_folder;     // of backups, a folder each; empty: the folder `backups` in `folder`
  std::size_t backups_kept = 2;  // the newest; 0: all
  // Called with a line that names the file whenever a table is found damaged, from any thread; may be empty.
  std::function<void(const std::string& line)> on_damage;
  // When a stored value expires, in Unix milliseconds, or engine::KeyPolicy::kNeverObsolete. From then on it
  // is absent to readers; compaction drops it.
  std::int64_t (*value_expiry_ms)(BytesView value) = nullptr;
  // Whether a stored value ends with a reference to a large value; null: none ever does.
  bool (*value_is_large)(BytesView value) = nullptr;
};

}  // namespace shale::cluster
