// The keys that are accessed most of late, as Figures (cluster/hot_keys.h).
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "cluster/shard.h"
#include "cluster/store.h"
#include "src/stats/figures.h"

namespace shale::server {

// Of all shards together, the hottest first. Takes the shards' locks, one at a time, each for microseconds.
Figure::Rows describe_hot_keys(cluster::Store& store, std::size_t count);
// Of one shard.
Figure::Rows describe_hot_keys(cluster::Store& store, cluster::Shard& shard, std::size_t count);
// "\"user:17\", 5121 reads/s, 3 writes/s, 12.0% of shard 3's", or "none".
std::string describe_hottest_key(cluster::Store& store);

}  // namespace shale::server
