// Which storage engine a shard's workload favours.
#pragma once

#include <string>

#include "src/stats/shard_rates.h"
#include "src/stats/snapshot.h"

namespace shale::server {

// One line: "btree: 97 % of the accesses of late are reads, 0 % of reads waited for the disk". From what has
// been measured of both engines, each beside others of its kind (docs/benchmarks.md): the B+ tree answers
// reads and scans that find their pages in memory in less time, the LSM tree writes at less cost and reads
// the disk less often.
std::string engine_advice(const ShardSnapshot& shard, const ShardRate& rate);

}  // namespace shale::server
