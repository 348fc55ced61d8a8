// Who this server is among the nodes of a Redis Cluster, kept in its data folder: clients and operators know
// a node by its id, also after a restart.
#pragma once

#include <string>

#include "engine/io/file_system.h"

namespace shale::server {

// 40 hexadecimal digits, drawn at random.
std::string random_id();

// The folder's id, which is made and kept if there is none. The caller has the folder's lock. Errors: io;
// corruption if the file holds something else.
engine::Result<std::string> load_node_id(engine::FileSystem& files, const std::string& folder);

}  // namespace shale::server
