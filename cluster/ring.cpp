#include "cluster/ring.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

namespace shale::cluster {
namespace {

// Of the part that a new shard is to have, how much may be missing.
constexpr double kPartMissingMax = 0.01;
// With 150 nodes a shard some two hundred are enough, with one a few hundred.
constexpr std::uint32_t kTriedNodesMax = 1u << 17;

// The nodes of a shard that joins a ring.
class NewNodes {
 public:
  explicit NewNodes(const ShardMap& map) : map_(map), ends_(map.boundaries().size()) {}

  // Places a node, unless the shard would have more than `most` of the ring then.
  void place(std::uint64_t token, double most) {
    const Bytes position = encode_token(token);
    const std::size_t range = map_.range_of(position);
    const Bytes& begin = map_.boundaries()[range].begin;
    if (position == begin) return;  // another's is there
    std::uint64_t& end = ends_[range];
    const std::uint64_t taken_to = std::max(engine::key_head(begin), end);
    const double gained = token > taken_to ? std::ldexp(static_cast<double>(token - taken_to), -64) : 0;
    if (share_ + gained > most) {
      is_nearly_full_ = true;
      return;
    }
    // One among the shard's own nodes gains nothing now, but parts what the next shard can take: a shard has
    // as many of them as chance has it. Only when the last ones are chosen, none is wanted.
    if (gained == 0 && is_nearly_full_) return;
    share_ += gained;
    end = std::max(end, token);
    tokens_.insert(token);
  }
  double share() const { return share_; }
  const std::set<std::uint64_t>& tokens() const { return tokens_; }

 private:
  const ShardMap& map_;
  std::set<std::uint64_t> tokens_;
  std::vector<std::uint64_t> ends_;  // by range: up to where it is the new shard's; 0: it is not
  double share_ = 0;
  bool is_nearly_full_ = false;
};

}  // namespace

std::uint64_t node_token(std::uint32_t shard, std::uint32_t node) {
  const std::uint32_t name[2] = {shard, node};
  return XXH3_64bits(name, sizeof name);
}

Bytes encode_token(std::uint64_t token) {
  token = __builtin_bswap64(token);
  return Bytes(reinterpret_cast<const char*>(&token), sizeof token);
}

std::vector<Boundary> grown_ring(const ShardMap& map, ShardId added) {
  const double part = 1.0 / static_cast<double>(map.shares().size() + 1);
  NewNodes nodes{map};
  for (std::uint32_t node = 0; node < kTriedNodesMax && nodes.share() < part * (1 - kPartMissingMax); ++node)
    nodes.place(node_token(static_cast<std::uint32_t>(added), node), part);
  const auto& boundaries = map.boundaries();
  std::vector<Boundary> result;
  auto token = nodes.tokens().begin();
  for (std::size_t range = 0; range < boundaries.size(); ++range) {
    Bytes begin = boundaries[range].begin;
    const auto is_in_range = [&](const Bytes& position) {
      return range + 1 == boundaries.size() || position < boundaries[range + 1].begin;
    };
    for (; token != nodes.tokens().end() && is_in_range(encode_token(*token)); ++token)
      result.push_back({std::exchange(begin, encode_token(*token)), added});
    result.push_back({std::move(begin), boundaries[range].shard});
  }
  return result;
}

std::vector<Boundary> shrunk_ring(const ShardMap& map, ShardId removed) {
  const auto& boundaries = map.boundaries();
  const auto stays = [&](const Boundary& boundary) { return boundary.shard != removed; };
  const auto first = std::ranges::find_if(boundaries, stays);
  std::vector<Boundary> result;
  for (auto range = boundaries.begin(); range != boundaries.end();) {
    const auto heir = std::find_if(range, boundaries.end(), stays);
    result.push_back({range->begin, heir == boundaries.end() ? first->shard : heir->shard});
    range = heir == boundaries.end() ? heir : heir + 1;  // what follows is one with the heir's own
  }
  return result;
}

std::vector<ShardId> shards_clockwise(const ShardMap& map, BytesView position, std::size_t count) {
  const auto& boundaries = map.boundaries();
  std::vector<ShardId> shards;
  std::set<ShardId> met;
  const std::size_t first = map.range_of(position);
  for (std::size_t step = 0; step < boundaries.size() && shards.size() < count; ++step) {
    const ShardId shard = boundaries[(first + step) % boundaries.size()].shard;
    if (met.insert(shard).second) shards.push_back(shard);
  }
  return shards;
}

}  // namespace shale::cluster
