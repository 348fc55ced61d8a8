// What a split or a merge would do, and whether it can be.
#include <fmt/format.h>

#include <algorithm>

#include "cluster/layout_change.h"
#include "cluster/reshaper.h"

namespace shale::cluster {
namespace {

using engine::ErrorKind;

// Whether all that one of the shards owns lies below all that the other does.
bool are_apart(const ShardMap& map, ShardId a, ShardId b) {
  const auto is_below = [](const std::vector<PositionRange>& low, const std::vector<PositionRange>& high) {
    return !low.back().end.empty() && low.back().end <= high.front().begin;
  };
  const auto ranges_of_a = ranges_of(map, a);
  const auto ranges_of_b = ranges_of(map, b);
  return is_below(ranges_of_a, ranges_of_b) || is_below(ranges_of_b, ranges_of_a);
}

}  // namespace

DataSize Reshaper::size_of(const engine::Engine& tree) const {
  return {std::max<std::int64_t>(key_count(tree), 0), tree.stats().disk_bytes};
}

DataSize Reshaper::size_of_all() const {
  DataSize all;
  for (const auto& shard : store_.shards()) {
    const std::lock_guard lock{shard->mutex};
    if (!shard->engine) continue;
    const DataSize size = size_of(*shard->engine);
    all.keys += size.keys;
    all.bytes += size.bytes;
  }
  return all;
}

bool Reshaper::is_of_today(BytesView cut) const {
  const Placement placement = store_.placement();
  return placement.is_ring() ||
         (cut.size() >= placement.prefix_bytes() && store_.is_live(placement.database_of(cut)));
}

engine::Result<Bytes> Reshaper::choose_cut(const ShardMap& map, Shard& shard, std::string& reason,
                                           bool may_wait) const {
  const auto serves = [&](const std::optional<Bytes>& cut) {
    return cut && is_of_today(*cut) && divides(map, shard.id, *cut);
  };
  std::unique_lock lock{shard.mutex};
  if (!shard.engine) return refused("No such shard ID");
  auto cut = shard.load.middle();
  if (serves(cut)) {
    reason = "where the load of late halves";
    return std::move(*cut);
  }
  cut = shard.engine->middle_key();
  lock.unlock();
  if (!serves(cut)) cut = middle_of_few(shard, may_wait);
  if (!serves(cut)) {
    return refused("the shard has too little data to be split without AT");
  }
  reason = "where the data halves";
  return std::move(*cut);
}

// For a shard that is too small for its engine to know its middle: the middle one of its keys, if they are
// few.
std::optional<Bytes> Reshaper::middle_of_few(Shard& shard, bool may_wait) const {
  constexpr std::size_t kKeysMax = 2000;
  for (engine::ReadContext context;;) {
    {
      const std::lock_guard lock{shard.mutex};
      if (!shard.engine) return {};
      std::vector<Bytes> keys;
      const auto cursor = shard.engine->cursor({}, context);
      auto moved = cursor->seek({});
      std::size_t records_left = kKeysMax;
      for (; moved && cursor->valid() && records_left > 0; moved = cursor->next(), --records_left)
        if (is_of_today(cursor->key())) keys.emplace_back(cursor->key());
      if (moved && (cursor->valid() || keys.size() < 2)) return {};
      if (moved) return std::move(keys[keys.size() / 2]);
      if (moved.error().kind != ErrorKind::not_resident || !may_wait) return {};
    }
    for (const auto& load : context.missing) load->run();
  }
}

SplitPlan::Shares Reshaper::shares_of(const ShardMap& map, ShardId id, const Bytes& cut) {
  SplitPlan::Shares shares;
  const ShardId high{UINT32_MAX};
  const ShardMap after{0, split_boundaries(map, id, cut, high)};
  for (const auto& [owner, share] : map.shares()) shares.before += owner == id ? share : 0;
  for (const auto& [owner, share] : after.shares()) {
    shares.low += owner == id ? share : 0;
    shares.high += owner == high ? share : 0;
  }
  return shares;
}

engine::Result<SplitPlan> Reshaper::plan_split(ShardId id, const std::optional<Bytes>& at) const {
  return plan_split(id, at, false);
}

engine::Result<SplitPlan> Reshaper::plan_split(ShardId id, const std::optional<Bytes>& at,
                                               bool may_wait) const {
  const auto layout = store_.layout();
  const auto shard = layout->find(id);
  if (!shard) return refused("No such shard ID");
  SplitPlan plan;
  if (at) {
    plan.cut = *at;
    plan.reason = "as asked for";
  } else {
    auto cut = choose_cut(layout->map(), *shard, plan.reason, may_wait);
    if (!cut) return cut.error();
    plan.cut = std::move(*cut);
  }
  if (!is_of_today(plan.cut)) return refused("the database of the cut has been emptied meanwhile");
  if (!divides(layout->map(), id, plan.cut)) {
    return refused(
        fmt::format("the cut is not inside shard {}: it would leave one side empty", number_of(id)));
  }
  if (store_.placement().is_ring()) plan.shares = shares_of(layout->map(), id, plan.cut);
  plan.all = size_of_all();
  const std::lock_guard lock{shard->mutex};
  if (!shard->engine) return refused("No such shard ID");
  plan.data = size_of(*shard->engine);
  plan.part_low = Trees::part_below(*shard->engine, plan.cut);
  return plan;
}

engine::Result<MergePlan> Reshaper::plan_merge(ShardId one, ShardId other) const {
  if (one == other) return refused("a shard cannot be merged with itself");
  const auto layout = store_.layout();
  MergePlan plan;
  plan.into = std::min(one, other);  // whose lock may be held when the other's is taken
  plan.from = std::max(one, other);
  const auto into = layout->find(plan.into);
  const auto from = layout->find(plan.from);
  if (!into || !from) return refused("No such shard ID");
  const bool is_ring = store_.placement().is_ring();
  if (!is_ring && !are_neighbours(layout->map(), one, other)) {
    return refused(fmt::format("shards {} and {} are not neighbours: see STATS RANGES", number_of(one),
                               number_of(other)));
  }
  if (is_ring) {
    for (const auto& [shard, share] : layout->map().shares()) {
      if (shard == plan.into) plan.share_into = share;
      if (shard == plan.from) plan.share_from = share;
    }
  }
  for (const auto& shard : {into, from}) {
    const std::lock_guard lock{shard->mutex};
    if (!shard->engine) return refused("No such shard ID");
    const DataSize size = size_of(*shard->engine);
    plan.data.keys += size.keys;
    plan.data.bytes += size.bytes;
    (shard == into ? plan.engine : plan.from_engine) = shard->kind;
    if (shard == from) plan.moved = size;
  }
  plan.all = size_of_all();
  // Of key ranges each may have what was emptied, below what both have now.
  const bool can_be_joined =
      plan.engine == EngineKind::lsm || (is_ring && are_apart(layout->map(), plan.into, plan.from));
  plan.is_copied = plan.engine != plan.from_engine || !can_be_joined;
  return plan;
}

}  // namespace shale::cluster
