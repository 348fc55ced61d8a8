#include "cluster/shard_map.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <map>

namespace shale::cluster {
namespace {

constexpr unsigned kCoarseBits = 12;  // 4096 cells: 16 KiB, and about one boundary a cell up to 4096 of them

Bytes encode_head(std::uint64_t head) {
  head = __builtin_bswap64(head);
  return Bytes(reinterpret_cast<const char*>(&head), sizeof head);
}

}  // namespace

ShardMap::ShardMap(std::uint64_t version, std::vector<Boundary> boundaries)
    : version_(version), boundaries_(std::move(boundaries)) {
  assert(!boundaries_.empty() && boundaries_.front().begin.empty());
  heads_.reserve(boundaries_.size());
  for (const Boundary& boundary : boundaries_) heads_.push_back(engine::key_head(boundary.begin));

  // coarse_[c] is the last range that begins at or before the first position of cell c.
  coarse_.resize(std::size_t{1} << kCoarseBits);
  std::size_t range = 0;
  for (std::size_t cell = 0; cell < coarse_.size(); ++cell) {
    const std::uint64_t first = static_cast<std::uint64_t>(cell) << (64 - kCoarseBits);
    while (range + 1 < heads_.size() && heads_[range + 1] < first) ++range;
    coarse_[cell] = static_cast<std::uint32_t>(range);
  }
}

std::size_t ShardMap::range_of(BytesView position) const {
  const std::uint64_t head = engine::key_head(position);
  const std::size_t cell = head >> (64 - kCoarseBits);
  const auto low = heads_.begin() + coarse_[cell] + 1;
  const auto high = cell + 1 < coarse_.size() ? heads_.begin() + coarse_[cell + 1] + 1 : heads_.end();
  // Heads below ours are certainly not behind the position; among equal heads the whole boundary decides.
  std::size_t next = static_cast<std::size_t>(std::lower_bound(low, high, head) - heads_.begin());
  while (next < heads_.size() && heads_[next] == head && boundaries_[next].begin <= position) ++next;
  return next - 1;
}

std::vector<std::pair<ShardId, double>> ShardMap::shares() const {
  std::map<ShardId, double> shares;
  const double whole = std::ldexp(1.0, 64);
  for (std::size_t i = 0; i < heads_.size(); ++i) {
    const double end = i + 1 < heads_.size() ? static_cast<double>(heads_[i + 1]) : whole;
    shares[boundaries_[i].shard] += (end - static_cast<double>(heads_[i])) / whole;
  }
  return {shares.begin(), shares.end()};
}

std::vector<Boundary> make_ring(std::uint32_t shards, std::uint32_t virtual_nodes) {
  std::map<std::uint64_t, ShardId>
      nodes;  // two nodes on one token (practically never): the first one keeps it
  for (std::uint32_t shard = 0; shard < shards; ++shard) {
    for (std::uint32_t node = 0; node < virtual_nodes; ++node) {
      const std::uint32_t name[2] = {shard, node};
      nodes.emplace(XXH3_64bits(name, sizeof name), ShardId{shard});
    }
  }
  // The stretch before the first node belongs to the last one: the ring closes.
  std::vector<Boundary> boundaries{{Bytes{}, nodes.rbegin()->second}};
  for (const auto& [token, shard] : nodes) {
    boundaries.push_back({encode_head(token), shard});
  }
  return boundaries;
}

}  // namespace shale::cluster
