#include "cluster/shard_map.h"

#include <cassert>
#include <cmath>
#include <map>

#include "cluster/ring.h"

namespace shale::cluster {
namespace {

std::vector<Bytes> begins_but_first(const std::vector<Boundary>& boundaries) {
  std::vector<Bytes> begins;
  for (std::size_t i = 1; i < boundaries.size(); ++i) begins.push_back(boundaries[i].begin);
  return begins;
}

}  // namespace

ShardMap::ShardMap(std::uint64_t version, std::vector<Boundary> boundaries)
    : version_(version), boundaries_(std::move(boundaries)), index_(begins_but_first(boundaries_)) {
  assert(!boundaries_.empty() && boundaries_.front().begin.empty());
}

std::vector<std::pair<ShardId, double>> ShardMap::shares() const {
  std::map<ShardId, double> shares;
  const auto begin_of = [](const Boundary& boundary) {
    return static_cast<double>(engine::key_head(boundary.begin));
  };
  const double whole = std::ldexp(1.0, 64);
  for (std::size_t i = 0; i < boundaries_.size(); ++i) {
    const double end = i + 1 < boundaries_.size() ? begin_of(boundaries_[i + 1]) : whole;
    shares[boundaries_[i].shard] += (end - begin_of(boundaries_[i])) / whole;
  }
  return {shares.begin(), shares.end()};
}

std::vector<Boundary> make_ring(std::uint32_t shards, std::uint32_t virtual_nodes) {
  std::map<std::uint64_t, ShardId>
      nodes;  // two nodes on one token (practically never): the first one keeps it
  for (std::uint32_t shard = 0; shard < shards; ++shard) {
    for (std::uint32_t node = 0; node < virtual_nodes; ++node) {
      nodes.emplace(node_token(shard, node), ShardId{shard});
    }
  }
  // The stretch before the first node belongs to the last one: the ring closes.
  std::vector<Boundary> boundaries{{Bytes{}, nodes.rbegin()->second}};
  for (const auto& [token, shard] : nodes) {
    boundaries.push_back({encode_token(token), shard});
  }
  return boundaries;
}

std::vector<Boundary> make_ranges(const std::vector<Bytes>& keys) {
  const Placement placement{Sharding::range};
  std::vector<Boundary> boundaries{{Bytes{}, ShardId{0}}};
  for (const Bytes& key : keys) {
    boundaries.push_back({Bytes{}, ShardId{static_cast<std::uint32_t>(boundaries.size())}});
    placement.append(placement.first_id(0), key, boundaries.back().begin);
  }
  return boundaries;
}

}  // namespace shale::cluster
