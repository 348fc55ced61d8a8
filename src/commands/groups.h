// The rows of the command table, by the file that holds them and their handlers. table.cpp gathers them.
#pragma once

#include <span>

#include "src/command/spec.h"

namespace shale::server {

std::span<const CommandSpec> string_commands();         // strings.cpp
std::span<const CommandSpec> counter_commands();        // counters.cpp
std::span<const CommandSpec> bit_commands();            // bits.cpp
std::span<const CommandSpec> bitfield_commands();       // bitfield.cpp
std::span<const CommandSpec> hyperloglog_commands();    // hyperloglog.cpp
std::span<const CommandSpec> lcs_commands();            // lcs.cpp
std::span<const CommandSpec> key_commands();            // keys.cpp
std::span<const CommandSpec> copy_commands();           // copies.cpp
std::span<const CommandSpec> dump_commands();           // dump.cpp
std::span<const CommandSpec> migrate_commands();        // migrate.cpp
std::span<const CommandSpec> sort_commands();           // sort.cpp
std::span<const CommandSpec> expiry_commands();         // expiry.cpp
std::span<const CommandSpec> scan_commands();           // scan.cpp
std::span<const CommandSpec> all_keys_commands();       // all_keys.cpp
std::span<const CommandSpec> range_commands();          // range.cpp
std::span<const CommandSpec> object_commands();         // objects.cpp
std::span<const CommandSpec> database_commands();       // databases.cpp
std::span<const CommandSpec> connection_commands();     // connection.cpp
std::span<const CommandSpec> client_commands();         // client.cpp
std::span<const CommandSpec> pubsub_commands();         // pubsub.cpp
std::span<const CommandSpec> monitor_commands();        // monitor.cpp
std::span<const CommandSpec> server_commands();         // server.cpp
std::span<const CommandSpec> backup_commands();         // backup.cpp
std::span<const CommandSpec> stats_commands();          // stats.cpp
std::span<const CommandSpec> sharding_commands();       // sharding.cpp
std::span<const CommandSpec> ring_commands();           // ring.cpp
std::span<const CommandSpec> config_commands();         // config.cpp
std::span<const CommandSpec> durability_commands();     // durability.cpp
std::span<const CommandSpec> introspection_commands();  // introspection.cpp
std::span<const CommandSpec> acl_commands();            // acl.cpp
std::span<const CommandSpec> slowlog_commands();        // slowlog.cpp
std::span<const CommandSpec> latency_commands();        // latency.cpp
std::span<const CommandSpec> replication_commands();    // replication.cpp
std::span<const CommandSpec> module_commands();         // modules.cpp
std::span<const CommandSpec> scripting_commands();      // scripting.cpp
std::span<const CommandSpec> lolwut_commands();         // lolwut.cpp
std::span<const CommandSpec> memory_commands();         // memory.cpp
std::span<const CommandSpec> cluster_commands();        // cluster.cpp
std::span<const CommandSpec> transaction_commands();    // transactions.cpp

}  // namespace shale::server
