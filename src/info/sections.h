// The sections of INFO, each in the file named. All may take shards' locks, one at a time.
#pragma once

#include "src/info/fields.h"

namespace shale::server {

class Server;

namespace info {

void write_server(InfoFields& fields, Server& server);        // process.cpp
void write_clients(InfoFields& fields, Server& server);       // process.cpp
void write_cpu(InfoFields& fields, Server& server);           // process.cpp
void write_memory(InfoFields& fields, Server& server);        // memory.cpp
void write_persistence(InfoFields& fields, Server& server);   // activity.cpp
void write_stats(InfoFields& fields, Server& server);         // activity.cpp
void write_replication(InfoFields& fields, Server& server);   // activity.cpp
void write_keyspace(InfoFields& fields, Server& server);      // activity.cpp
void write_cluster(InfoFields& fields, Server& server);       // activity.cpp
void write_commandstats(InfoFields& fields, Server& server);  // commands.cpp
void write_errorstats(InfoFields& fields, Server& server);    // commands.cpp
void write_latencystats(InfoFields& fields, Server& server);  // commands.cpp
void write_shale(InfoFields& fields, Server& server);         // shale.cpp

}  // namespace info
}  // namespace shale::server
