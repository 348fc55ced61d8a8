#include "cluster/shape_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace shale::cluster {

std::optional<ReshapeEvent> ShapeWatch::observe(ShardId shard, std::uint32_t tree,
                                                const engine::EngineStats& stats) {
  Seen now{tree, stats.shape_changes, stats.shape, {}, 0};
  for (const engine::LevelStats& level : stats.levels) now.runs_max.push_back(level.runs_max);
  if (stats.btree) now.node_bytes = stats.btree->node_bytes;
  const auto [place, is_new] = seen_.try_emplace(shard, now);
  const Seen before = std::exchange(place->second, std::move(now));
  if (is_new || before.tree != tree || before.changes == stats.shape_changes) return {};
  ReshapeEvent event;
  event.kind = stats.btree ? ReshapeKind::leaves : ReshapeKind::shape;
  event.automatic = true;
  event.shard = shard;
  event.from = event.to = stats.btree ? EngineKind::btree : EngineKind::lsm;
  event.cause = stats.shape_reason;
  event.effect = effect(before, place->second);
  return event;
}

std::string ShapeWatch::effect(const Seen& before, const Seen& now) {
  if (now.node_bytes != 0)
    return fmt::format("leaves aim at {} bytes instead of {}", now.node_bytes, before.node_bytes);
  std::string text =
      before.shape == now.shape ? now.shape : fmt::format("{} instead of {}", now.shape, before.shape);
  for (std::size_t level = 0; level < std::min(before.runs_max.size(), now.runs_max.size()); ++level) {
    if (before.runs_max[level] == now.runs_max[level]) continue;
    text += fmt::format("; up to {} runs in level {} instead of {}", now.runs_max[level], level,
                        before.runs_max[level]);
  }
  return text;
}

}  // namespace shale::cluster
