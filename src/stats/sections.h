// The sections of STATS, as Figures. All take shards' locks one at a time, if any, and wait for no disk.
#pragma once

#include "cluster/shard.h"
#include "src/stats/figures.h"

namespace shale::server {

class Server;

// The screen for people: sections that are Figures themselves.
Figures describe_overview(Server& server);

Figures describe_shards(Server& server);
Figures describe_shard(Server& server, cluster::Shard& shard);
Figures describe_btree(Server& server);
Figures describe_lsm(Server& server);
Figures describe_tree(Server& server, cluster::Shard& shard);
Figures describe_history(Server& server);
Figures describe_hot_keys(Server& server, std::size_t count);
Figures describe_log(Server& server);
Figures describe_memory(Server& server);
Figures describe_ring(Server& server);
Figures describe_ranges(Server& server);

}  // namespace shale::server
