#include "src/stats/engine_advice.h"

#include <fmt/format.h>

namespace shale::server {

std::string engine_advice(const ShardSnapshot& shard, const ShardRate& rate) {
  constexpr double kFewPerSecond = 10;
  constexpr double kManyWrites = 0.4;  // of all accesses
  constexpr double kFewWrites = 0.2;
  constexpr double kManyColdReads = 0.05;  // of reads
  const double accesses = rate.reads + rate.writes;
  if (accesses < kFewPerSecond) return "either: there is little load";
  const double writes = rate.writes / accesses;
  const double cold = shard.counts.reads == 0 ? 0
                                              : static_cast<double>(shard.counts.not_resident) /
                                                    static_cast<double>(shard.counts.reads);
  const std::string why =
      fmt::format("{:.0f} % of the accesses of late are reads, {:.1f} % of reads waited for the disk",
                  100 * (1 - writes), 100 * cold);
  if (writes > kManyWrites || cold > kManyColdReads) return "lsm: " + why;
  return (writes < kFewWrites ? "btree: " : "either: ") + why;
}

}  // namespace shale::server
