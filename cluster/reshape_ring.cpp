// A ring that grows or shrinks by a shard.
#include <algorithm>
#include <map>
#include <set>

#include "cluster/layout_change.h"
#include "cluster/reshaper.h"
#include "cluster/ring.h"

namespace shale::cluster {
namespace {

constexpr const char* kNoRing =
    "keys are placed by range here: there is no ring (SPLIT and MERGE change the layout)";

std::map<ShardId, double> share_map(const ShardMap& map) {
  const auto shares = map.shares();
  return {shares.begin(), shares.end()};
}

double share_in(const std::map<ShardId, double>& shares, ShardId shard) {
  const auto found = shares.find(shard);
  return found == shares.end() ? 0 : found->second;
}

template <class Count>
Count part_of(Count count, double part) {
  return static_cast<Count>(static_cast<double>(count) * part);
}

}  // namespace

engine::Result<RingPlan> Reshaper::plan_ring_growth() const {
  const auto shards = store_.shards();
  return plan_ring_growth(ShardId{static_cast<std::uint32_t>(shards.back()->id) + 1});
}

engine::Result<RingPlan> Reshaper::plan_ring_growth(ShardId added) const {
  if (!store_.placement().is_ring()) return refused(kNoRing);
  const auto layout = store_.layout();
  RingPlan plan;
  plan.shard = added;
  plan.engine = store_.options().engine;
  plan.boundaries = grown_ring(layout->map(), added);
  if (auto measured = measure(layout->map(), plan); !measured) return measured.error();
  return plan;
}

engine::Result<RingPlan> Reshaper::plan_ring_shrinkage(ShardId removed) const {
  if (!store_.placement().is_ring()) return refused(kNoRing);
  const auto layout = store_.layout();
  const auto shard = layout->find(removed);
  if (!shard) return refused("No such shard ID");
  if (layout->shards().size() == 1) return refused("the last shard of a ring cannot be removed");
  RingPlan plan;
  plan.shard = removed;
  {
    const std::lock_guard lock{shard->mutex};
    plan.engine = shard->kind;
  }
  plan.boundaries = shrunk_ring(layout->map(), removed);
  if (auto measured = measure(layout->map(), plan); !measured) return measured.error();
  return plan;
}

// Of what a shard has as much moves as of its share.
engine::Status Reshaper::measure(const ShardMap& before, RingPlan& plan) const {
  const auto shares_before = share_map(before);
  const auto shares_after = share_map(ShardMap{0, plan.boundaries});
  plan.share = std::max(share_in(shares_before, plan.shard), share_in(shares_after, plan.shard));
  std::int64_t keys_of_removed = 0;
  for (const auto& shard : store_.shards()) {
    DataSize size;
    {
      const std::lock_guard lock{shard->mutex};
      if (!shard->engine) return refused("the layout has been changed meanwhile");
      size = size_of(*shard->engine);
    }
    plan.data.keys += size.keys;
    plan.data.bytes += size.bytes;
    RingPlan::Part part{shard->id, share_in(shares_before, shard->id), share_in(shares_after, shard->id), 0};
    const double left = part.share_before > part.share_after ? 1 - part.share_after / part.share_before : 0;
    part.keys_moved = part_of(size.keys, left);
    plan.moved.keys += part.keys_moved;
    plan.moved.bytes += part_of(size.bytes, left);
    if (shard->id == plan.shard) keys_of_removed = size.keys;
    if (part.share_before != part.share_after || shard->id == plan.shard) plan.keys_copied += size.keys;
    if (part.share_before != part.share_after && shard->id != plan.shard) plan.parts.push_back(part);
  }
  for (RingPlan::Part& part : plan.parts) {  // they gain, where a shard goes
    if (part.share_after > part.share_before)
      part.keys_moved = part_of(keys_of_removed, (part.share_after - part.share_before) / plan.share);
  }
  return {};
}

engine::Status Reshaper::grow_ring(ReshapeEvent& event) {
  if (!store_.placement().is_ring()) return refused(kNoRing);
  event.shard = store_.new_shard_id();
  event.from = event.to = store_.options().engine;
  const auto layout = store_.layout();
  return copy_ring(*layout, ShardMap{layout->map().version() + 1, grown_ring(layout->map(), event.shard)},
                   event);
}

engine::Status Reshaper::shrink_ring(const ReshapeRequest& request, ReshapeEvent& event) {
  auto plan = plan_ring_shrinkage(request.shard);
  if (!plan) return plan.error();
  event.from = event.to = plan->engine;
  const auto layout = store_.layout();
  return copy_ring(*layout, ShardMap{layout->map().version() + 1, std::move(plan->boundaries)}, event);
}

// A shard that keeps all it has, and gets nothing, keeps its tree.
engine::Status Reshaper::copy_ring(const Layout& before, ShardMap after, ReshapeEvent& event) {
  CopyPlan plan{{}, {}, std::move(after), event.shard, {}, {}};
  const auto stays = [&](ShardId shard) {
    const std::set<ShardId> itself{shard};
    return heirs_of(before.map(), plan.map, shard) == itself &&
           heirs_of(plan.map, before.map(), shard) == itself;
  };
  for (const auto& shard : before.shards()) {
    if (stays(shard->id)) {
      plan.shards.push_back(shard);
      continue;
    }
    plan.sources.push_back(shard);
    if (shard->id == event.shard) continue;  // it goes
    const std::lock_guard lock{shard->mutex};
    plan.targets.push_back({std::make_shared<Shard>(shard->id), shard->kind});
    plan.shards.push_back(plan.targets.back().shard);
  }
  const bool grows = !before.find(event.shard);
  if (grows) {  // with the highest id
    plan.targets.push_back({std::make_shared<Shard>(event.shard), event.to});
    plan.shards.push_back(plan.targets.back().shard);
  }
  {
    const std::lock_guard lock{mutex_};
    progress_->shard = event.shard;
  }
  plan.divide = [&plan](const ShardMap&) { return plan.map.boundaries(); };
  return copy(plan, event);
}

}  // namespace shale::cluster
