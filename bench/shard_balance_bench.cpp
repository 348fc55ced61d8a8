// How evenly does a ring divide keys and load, and how much moves when it grows?
//
//   shard_balance_bench [keys]     default: 1000000
//
// Keys are those of a user table; load is Zipf's distribution (0.99) over them. "max/mean" is what the
// fullest shard has over what each would have if all had the same. No ring can halve a key: the last column
// is what the shard with the hottest key has at least.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "cluster/position.h"
#include "cluster/shard_map.h"

namespace {

using namespace shale;
using cluster::ShardMap;

constexpr double kTheta = 0.99;
constexpr std::uint32_t kVirtualNodes = 150;  // the default

std::vector<engine::Bytes> make_positions(std::size_t keys) {
  std::vector<engine::Bytes> positions(keys);
  for (std::size_t key = 0; key < keys; ++key) {
    cluster::Placement{cluster::Sharding::ring}.append(0, "user:" + std::to_string(key) + ":profile",
                                                       positions[key]);
  }
  return positions;
}

double load_of(std::size_t rank) { return std::pow(static_cast<double>(rank + 1), -kTheta); }

double max_over_mean(const std::vector<double>& parts) {
  double sum = 0;
  for (const double part : parts) sum += part;
  return *std::ranges::max_element(parts) / sum * static_cast<double>(parts.size());
}

void print_balance(const std::vector<engine::Bytes>& positions) {
  std::printf("\nBalance, max/mean\nshards  virtual nodes   ring   keys   load  hottest key alone\n");
  double load_sum = 0;
  for (std::size_t rank = 0; rank < positions.size(); ++rank) load_sum += load_of(rank);
  for (const std::uint32_t shards : {8u, 64u}) {
    for (const std::uint32_t nodes : {50u, kVirtualNodes, 500u}) {
      const ShardMap map(1, cluster::make_ring(shards, nodes));
      std::vector<double> ring;
      for (const auto& [id, share] : map.shares()) ring.push_back(share);
      std::vector<double> keys(shards);
      std::vector<double> load(shards);
      for (std::size_t rank = 0; rank < positions.size(); ++rank) {
        const auto owner = static_cast<std::size_t>(map.owner(positions[rank]));
        keys[owner] += 1;
        load[owner] += load_of(rank);
      }
      std::printf("%6u  %13u  %5.2f  %5.2f  %5.2f  %17.2f\n", shards, nodes, max_over_mean(ring),
                  max_over_mean(keys), max_over_mean(load), load_of(0) / load_sum * shards);
    }
  }
}

// Returns whether each step moved only what had to: keys of the new shard's, a tenth more or less than its
// part.
bool print_growth(const std::vector<engine::Bytes>& positions) {
  std::printf(
      "\nGrowth by one shard, %u virtual nodes\n from     to  keys moved   1/(n+1)    off  moved elsewhere\n",
      kVirtualNodes);
  bool within = true;
  for (const std::uint32_t shards : {1u, 2u, 3u, 4u, 8u, 16u, 32u, 63u}) {
    const ShardMap before(1, cluster::make_ring(shards, kVirtualNodes));
    const ShardMap after(2, cluster::make_ring(shards + 1, kVirtualNodes));
    std::size_t moved = 0;
    std::size_t elsewhere = 0;  // from an old shard to another old one
    for (const engine::Bytes& position : positions) {
      if (before.owner(position) == after.owner(position)) continue;
      ++(after.owner(position) == cluster::ShardId{shards} ? moved : elsewhere);
    }
    const double share = static_cast<double>(moved) / static_cast<double>(positions.size());
    const double ideal = 1.0 / (shards + 1);
    std::printf("%5u  %5u  %8.2f %%  %6.2f %%  %+4.0f %%  %15zu\n", shards, shards + 1, 100 * share,
                100 * ideal, 100 * (share / ideal - 1), elsewhere);
    within = within && elsewhere == 0 && std::abs(share / ideal - 1) <= 0.1;
  }
  return within;
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t keys = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  std::printf("%zu keys, load by Zipf %.2f\n", keys, kTheta);
  const auto positions = make_positions(keys);
  print_balance(positions);
  return print_growth(positions) ? 0 : 1;
}
