#include "src/stats/reshape_figures.h"

#include <fmt/format.h>

#include <algorithm>

#include "cluster/position.h"

namespace shale::server {
namespace {

using cluster::ReshapeKind;

std::string_view kind_name(ReshapeKind kind) {
  switch (kind) {
    case ReshapeKind::split: return "split";
    case ReshapeKind::merge: return "merge";
    case ReshapeKind::move: return "move";
  }
  return "";
}

std::uint32_t number(cluster::ShardId id) { return static_cast<std::uint32_t>(id); }

// Where a cut is: the place on the ring or the database, and the key, if one begins there.
void add_cut(cluster::Placement placement, engine::BytesView position, Figures& figures) {
  const bool has_key = position.size() >= placement.prefix_bytes();
  if (placement.is_ring()) {
    std::string token;
    for (const char byte : position.substr(0, cluster::kTokenBytes))
      token += fmt::format("{:02x}", static_cast<unsigned char>(byte));
    figures.add("cut_token", token);
  } else {
    figures.add("cut_database", has_key
                                    ? Figure{cluster::Placement::number_of(placement.database_of(position))}
                                    : Figure{NotKnown{}});
  }
  figures.add("cut_key", std::string(has_key ? placement.key_of(position) : engine::BytesView{}));
}

Figure percent(std::optional<double> part) {
  return part ? Figure{100 * *part, Unit::percent} : Figure{NotKnown{}, Unit::percent};
}
// A share of the ring, or not known.
Figure percent(const std::optional<cluster::SplitPlan::Shares>& shares, double part) {
  return shares ? Figure{100 * part, Unit::percent} : Figure{NotKnown{}, Unit::percent};
}

}  // namespace

const char* engine_name(cluster::EngineKind kind) {
  return kind == cluster::EngineKind::btree ? "btree" : "lsm";
}

// The same names whatever it was: rows of a table.
Figures describe_event(cluster::Placement placement, const cluster::ReshapeEvent& event) {
  const bool is_move = event.kind == ReshapeKind::move;
  Figures figures;
  figures.add("change", kind_name(event.kind))
      .add("by", event.automatic ? "itself" : "command")
      .add("unix_ms", event.unix_ms)
      .add("shard", number(event.shard))
      .add("other_shard", is_move ? Figure{NotKnown{}} : Figure{number(event.other)})
      .add("from", engine_name(event.from))
      .add("to", engine_name(event.to));
  add_cut(placement, event.cut, figures);
  return figures.add("cause", event.cause)
      .add("keys", event.keys)
      .add("keys_moved", event.keys_moved)
      .add("duration_us", {event.duration.count(), Unit::microseconds})
      .add("pause_us", {event.pause.count(), Unit::microseconds})
      .add("result", event.error.empty() ? "ok" : event.error);
}

Figures describe_plan(cluster::Placement placement, cluster::ShardId shard, const cluster::SplitPlan& plan) {
  Figures figures;
  figures.add("shard", number(shard));
  add_cut(placement, plan.cut, figures);
  const auto shares = plan.shares.value_or(cluster::SplitPlan::Shares{});
  const double moved = shares.before > 0 ? shares.high / shares.before : 0;
  return figures.add("cause", plan.reason)
      .add("keys", plan.keys)
      .add("disk_bytes", {plan.bytes, Unit::bytes})
      .add("share_before_percent", percent(plan.shares, shares.before))
      .add("share_low_percent", percent(plan.shares, shares.low))
      .add("share_high_percent", percent(plan.shares, shares.high))
      .add("moved_of_shard_percent", percent(plan.shares, moved));
}

Figures describe_plan(const cluster::MergePlan& plan) {
  Figures figures;
  figures.add("shard", number(plan.into))
      .add("other_shard", number(plan.from))
      .add("way", plan.is_copied ? "copied" : "joined without a copy")
      .add("engine", engine_name(plan.engine))
      .add("keys", plan.keys)
      .add("keys_moved", plan.keys_moved)
      .add("disk_bytes", {plan.bytes, Unit::bytes})
      .add("disk_bytes_moved", {plan.bytes_moved, Unit::bytes})
      .add("keys_moved_percent",
           percentage(static_cast<std::uint64_t>(std::max<std::int64_t>(plan.keys_moved, 0)),
                      static_cast<std::uint64_t>(std::max<std::int64_t>(plan.keys, 0))))
      .add("share_into_percent", percent(plan.share_into))
      .add("share_from_percent", percent(plan.share_from))
      .add("share_after_percent",
           plan.share_into ? percent(*plan.share_into + plan.share_from.value_or(0)) : percent({}));
  return figures;
}

Figures describe_rebalance(const std::vector<cluster::ShardSize>& before,
                           const cluster::RebalancePlan& plan) {
  std::int64_t keys_moved = 0;
  std::uint64_t bytes_moved = 0;
  Figure::Rows steps;
  for (const cluster::RebalanceStep& step : plan.steps) {
    keys_moved += step.keys_moved;
    bytes_moved += step.bytes_moved;
    Figures row;
    const bool merges = step.kind == ReshapeKind::merge;
    row.add("change", kind_name(step.kind))
        .add("shard", number(step.shard))
        .add("other_shard", merges ? Figure{number(step.other)} : Figure{NotKnown{}})
        .add("keys_moved", step.keys_moved)
        .add("bytes_moved", {step.bytes_moved, Unit::bytes});
    steps.push_back(std::move(row));
  }
  const cluster::Evenness now = cluster::evenness(before);
  const cluster::Evenness then = cluster::evenness(plan.after);
  Figures figures;
  figures.add("keys", plan.keys)
      .add("bytes", {plan.bytes, Unit::bytes})
      .add("keys_moved", keys_moved)
      .add("bytes_moved", {bytes_moved, Unit::bytes})
      .add("keys_moved_percent", percentage(static_cast<std::uint64_t>(std::max<std::int64_t>(keys_moved, 0)),
                                            static_cast<std::uint64_t>(std::max<std::int64_t>(plan.keys, 0))))
      .add("shards_before", before.size())
      .add("shards_after", plan.after.size())
      .add("largest_share_before_percent", {100 * now.largest, Unit::percent})
      .add("largest_share_after_percent", {100 * then.largest, Unit::percent})
      .add("mean_share_after_percent", {100 * then.mean, Unit::percent})
      .add("steps", std::move(steps));
  return figures;
}

std::string describe_progress(const cluster::ReshapeProgress& progress) {
  switch (progress.kind) {
    case ReshapeKind::split: return fmt::format("being split, {} keys copied", progress.keys_copied);
    case ReshapeKind::merge: return fmt::format("being merged with shard {}", number(progress.other));
    case ReshapeKind::move:
      return fmt::format("moving to {}, {} of about {} keys copied", engine_name(progress.to),
                         progress.keys_copied, progress.keys);
  }
  return {};
}

}  // namespace shale::server
