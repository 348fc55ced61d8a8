// What the store knows about itself beside the data: the shard map, and which identity each database has.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "cluster/shard_map.h"
#include "engine/result.h"

namespace shale::cluster {

constexpr unsigned kDatabaseCount = 16;

// Readers are lock-free; changes come from one thread at a time, under the locks of all shards.
class Catalog {
 public:
  Catalog();

  DatabaseId database_id(unsigned database) const { return ids_[database].load(std::memory_order_relaxed); }
  // Whether records under this identity still belong to a database.
  bool is_live(DatabaseId id) const;
  // The identity `database` would get from a flush; never given before.
  DatabaseId next_database_id() const { return next_id_; }
  void set_database_id(unsigned database, DatabaseId id);

  Bytes encode(const ShardMap& map) const;
  // Restores identities; returns the map. Errors: corruption, unsupported.
  engine::Result<std::shared_ptr<const ShardMap>> decode(BytesView bytes, const std::string& file_name);

 private:
  std::array<std::atomic<DatabaseId>, kDatabaseCount> ids_;
  DatabaseId next_id_;
};

}  // namespace shale::cluster
