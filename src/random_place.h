// A random place among the keys of a database, without walking them: RANDOMKEY.
#pragma once

#include <optional>
#include <random>

#include "cluster/store.h"
#include "cluster/transaction.h"
#include "src/scan_cursor.h"

namespace shale::server {

// A shard is drawn by how many keys of the database it has, then a place within it: on the ring a token,
// evenly among those that it owns, since tokens are hashes; where keys are placed by range, a string between
// the two keys that one of its ranges begins and ends with, as if the keys between were spread evenly. The
// key that follows the place is then about as likely as any other: on the ring in proportion to the gap
// before it, but keys that share a hash tag stand together and are drawn as one.
//
// Nothing if there are no keys. Takes the shards' locks, one at a time, unless it is asked in a transaction
// that holds them all, whose keys it then sees; does not wait for the disk. Errors: not_resident (`reads`, or
// the transaction's, say what to load), corruption, io.
engine::Result<std::optional<ScanPlace>> random_place(cluster::Store& store, engine::ReadContext& reads,
                                                      unsigned database, std::mt19937_64& random,
                                                      cluster::Transaction* within = nullptr);

}  // namespace shale::server
