// What it costs to find the shard of a position, against the number of shards, on the ring and in key ranges.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <random>
#include <vector>

#include "cluster/shard_map.h"

namespace shale {
namespace {

using cluster::Placement;
using cluster::Sharding;
using engine::Bytes;

constexpr int kKeys = 1'000'000;
constexpr std::size_t kPositions = 1u
                                   << 14;  // asked for in turn: their bytes stay in the caches, as a client's

Bytes key(int number) { return fmt::format("user:{:08}:profile", number); }

std::vector<Bytes> positions_of(Placement placement) {
  std::mt19937 random{1};
  std::vector<Bytes> positions(kPositions);
  for (Bytes& position : positions) {
    const int number = static_cast<int>(random() % kKeys);
    placement.append(placement.first_id(0), key(number), position);
  }
  return positions;
}

void find_owners(benchmark::State& state, Placement placement, const cluster::ShardMap& map) {
  const std::vector<Bytes> positions = positions_of(placement);
  std::size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(map.range_of(positions[next]));
    next = (next + 1) % kPositions;
  }
  state.counters["ranges"] = static_cast<double>(map.boundaries().size());
}

void ring(benchmark::State& state) {
  const auto shards = static_cast<std::uint32_t>(state.range(0));
  find_owners(state, Placement{Sharding::ring}, {1, cluster::make_ring(shards, 150)});
}

void key_ranges(benchmark::State& state) {
  const auto shards = static_cast<int>(state.range(0));
  std::vector<Bytes> split_points;
  for (int shard = 1; shard < shards; ++shard)
    split_points.push_back(fmt::format("user:{:08}", static_cast<std::int64_t>(kKeys) * shard / shards));
  find_owners(state, Placement{Sharding::range}, {1, cluster::make_ranges(split_points)});
}

BENCHMARK(ring)->Arg(4)->Arg(64)->Arg(512)->Arg(4096);
BENCHMARK(key_ranges)->Arg(4)->Arg(64)->Arg(512)->Arg(4096);

}  // namespace
}  // namespace shale

BENCHMARK_MAIN();
