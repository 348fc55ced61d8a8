// Keys that have been erased because their time was over. They are told of when that happens, which is soon,
// whether anybody looks at them or not: commands find such keys absent and tell nothing, so that each is told
// of once.
#pragma once

#include "src/value.h"

namespace shale::server {

class Server;

// Tells subscribers of keyspace notifications, and clients that cache the key. Any thread but the I/O
// threads, without any shard's lock: waits a little if subscribers have not caught up.
void tell_of_expired_key(Server& server, unsigned database, BytesView key);

}  // namespace shale::server
