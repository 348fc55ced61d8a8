#include "src/stats/reshape_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cluster/position.h"

namespace shale::server {
namespace {

using cluster::ReshapeKind;

bool has_other(ReshapeKind kind) { return kind == ReshapeKind::split || kind == ReshapeKind::merge; }

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

// Of nothing nothing is a share.
template <class Count>
double share_of(Count part, Count whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}
std::optional<double> part_of(std::optional<double> part, double whole) {
  return part ? std::optional{*part * whole} : std::nullopt;
}

// What a step of a rebalance leaves its shard of all keys and bytes.
void add_shares(const std::vector<cluster::ShardSize>& before, const cluster::RebalancePlan& plan,
                const cluster::RebalanceStep& step, Figures& row) {
  const auto shard = std::ranges::find(before, step.shard, &cluster::ShardSize::id);
  if (shard == before.end()) return;
  const double sign = step.kind == ReshapeKind::split ? -1 : 1;
  const double keys = share_of(shard->keys, plan.keys);
  const double bytes = share_of(shard->bytes, plan.bytes);
  const double keys_moved = share_of(step.keys_moved, plan.keys);
  const double bytes_moved = share_of(step.bytes_moved, plan.bytes);
  row.add("key_share_before_percent", percent(keys))
      .add("key_share_moved_percent", percent(keys_moved))
      .add("key_share_after_percent", percent(keys + sign * keys_moved))
      .add("byte_share_before_percent", percent(bytes))
      .add("byte_share_moved_percent", percent(bytes_moved))
      .add("byte_share_after_percent", percent(bytes + sign * bytes_moved));
}

std::string effect_of(const cluster::ReshapeEvent& event) {
  if (!event.effect.empty() || !event.error.empty()) return event.effect;
  const std::uint32_t shard = number_of(event.shard);
  switch (event.kind) {
    case ReshapeKind::split:
      return fmt::format("shard {} has what shard {} had from the cut on", number_of(event.other), shard);
    case ReshapeKind::merge:
      return fmt::format("shard {} has what shard {} had", shard, number_of(event.other));
    case ReshapeKind::move:
      return fmt::format("shard {} is a {} tree", shard,
                         event.to == cluster::EngineKind::btree ? "B+" : "LSM");
    case ReshapeKind::grow: return fmt::format("shard {} has its part of the ring", shard);
    case ReshapeKind::shrink: return fmt::format("the next shards clockwise have what shard {} had", shard);
    default: return {};
  }
}

}  // namespace

std::string_view kind_name(ReshapeKind kind) {
  switch (kind) {
    case ReshapeKind::split: return "split";
    case ReshapeKind::merge: return "merge";
    case ReshapeKind::move: return "move";
    case ReshapeKind::grow: return "ring add";
    case ReshapeKind::shrink: return "ring remove";
    case ReshapeKind::shape: return "lsm shape";
    case ReshapeKind::leaves: return "btree leaves";
  }
  return "";
}

const char* engine_name(cluster::EngineKind kind) {
  return kind == cluster::EngineKind::btree ? "btree" : "lsm";
}

// The same names whatever it was: rows of a table.
Figures describe_event(cluster::Placement placement, const cluster::ReshapeEvent& event) {
  Figures figures;
  figures.add("change", kind_name(event.kind))
      .add("by", event.automatic ? "itself" : "command")
      .add("unix_ms", event.unix_ms)
      .add("shard", number_of(event.shard))
      .add("other_shard", has_other(event.kind) ? Figure{number_of(event.other)} : Figure{NotKnown{}})
      .add("from", engine_name(event.from))
      .add("to", engine_name(event.to));
  add_cut(placement, event.cut, figures);
  return figures.add("cause", event.cause)
      .add("effect", effect_of(event))
      .add("keys", event.keys)
      .add("keys_moved", event.keys_moved)
      .add("duration_us", {event.duration.count(), Unit::microseconds})
      .add("pause_us", {event.pause.count(), Unit::microseconds})
      .add("result", event.error.empty() ? "ok" : event.error);
}

// Of the data beside the shares of the ring, since key ranges have only those.
Figures describe_plan(cluster::Placement placement, cluster::ShardId shard, const cluster::SplitPlan& plan) {
  Figures figures;
  figures.add("shard", number_of(shard));
  add_cut(placement, plan.cut, figures);
  const auto shares = plan.shares.value_or(cluster::SplitPlan::Shares{});
  const double moved = shares.before > 0 ? shares.high / shares.before : 0;
  figures.add("cause", plan.reason)
      .add("keys", plan.data.keys)
      .add("disk_bytes", {plan.data.bytes, Unit::bytes})
      .add("share_before_percent", percent(plan.shares, shares.before))
      .add("share_low_percent", percent(plan.shares, shares.low))
      .add("share_high_percent", percent(plan.shares, shares.high))
      .add("moved_of_shard_percent", percent(plan.shares, moved));
  const auto low = plan.part_low;
  const auto high = low ? std::optional{1 - *low} : std::nullopt;
  const double keys = share_of(plan.data.keys, plan.all.keys);
  const double bytes = share_of(plan.data.bytes, plan.all.bytes);
  return figures
      .add("keys_moved",
           high ? Figure{std::llround(*high * static_cast<double>(plan.data.keys))} : Figure{NotKnown{}})
      .add("keys_moved_percent", percent(high))
      .add("key_share_before_percent", percent(keys))
      .add("key_share_low_percent", percent(part_of(low, keys)))
      .add("key_share_high_percent", percent(part_of(high, keys)))
      .add("byte_share_before_percent", percent(bytes))
      .add("byte_share_low_percent", percent(part_of(low, bytes)))
      .add("byte_share_high_percent", percent(part_of(high, bytes)));
}

Figures describe_plan(const cluster::MergePlan& plan) {
  Figures figures;
  figures.add("shard", number_of(plan.into))
      .add("other_shard", number_of(plan.from))
      .add("way", plan.is_copied ? "copied" : "joined without a copy")
      .add("engine", engine_name(plan.engine))
      .add("keys", plan.data.keys)
      .add("keys_moved", plan.moved.keys)
      .add("disk_bytes", {plan.data.bytes, Unit::bytes})
      .add("disk_bytes_moved", {plan.moved.bytes, Unit::bytes})
      .add("keys_moved_percent", percent(share_of(plan.moved.keys, plan.data.keys)))
      .add("share_into_percent", percent(plan.share_into))
      .add("share_from_percent", percent(plan.share_from))
      .add("share_after_percent",
           plan.share_into ? percent(*plan.share_into + plan.share_from.value_or(0)) : percent({}))
      .add("key_share_into_percent", percent(share_of(plan.data.keys - plan.moved.keys, plan.all.keys)))
      .add("key_share_from_percent", percent(share_of(plan.moved.keys, plan.all.keys)))
      .add("key_share_after_percent", percent(share_of(plan.data.keys, plan.all.keys)))
      .add("byte_share_into_percent", percent(share_of(plan.data.bytes - plan.moved.bytes, plan.all.bytes)))
      .add("byte_share_from_percent", percent(share_of(plan.moved.bytes, plan.all.bytes)))
      .add("byte_share_after_percent", percent(share_of(plan.data.bytes, plan.all.bytes)));
  return figures;
}

// A ring plan has a row for each shard whose part of the ring changes.
Figures describe_plan(const cluster::RingPlan& plan) {
  Figure::Rows parts;
  for (const cluster::RingPlan::Part& part : plan.parts) {
    Figures row;
    row.add("shard", number_of(part.shard))
        .add("share_before_percent", {100 * part.share_before, Unit::percent})
        .add("share_after_percent", {100 * part.share_after, Unit::percent})
        .add("keys_moved", part.keys_moved);
    parts.push_back(std::move(row));
  }
  Figures figures;
  return figures.add("shard", number_of(plan.shard))
      .add("engine", engine_name(plan.engine))
      .add("share_percent", {100 * plan.share, Unit::percent})
      .add("keys", plan.data.keys)
      .add("keys_moved", plan.moved.keys)
      .add("keys_moved_percent", percent(share_of(plan.moved.keys, plan.data.keys)))
      .add("keys_copied", plan.keys_copied)
      .add("disk_bytes", {plan.data.bytes, Unit::bytes})
      .add("disk_bytes_moved", {plan.moved.bytes, Unit::bytes})
      .add("shards", std::move(parts));
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
        .add("shard", number_of(step.shard))
        .add("other_shard", merges ? Figure{number_of(step.other)} : Figure{NotKnown{}})
        .add("keys_moved", step.keys_moved)
        .add("bytes_moved", {step.bytes_moved, Unit::bytes});
    add_shares(before, plan, step, row);
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

bool concerns(const cluster::ReshapeEvent& event, cluster::ShardId shard) {
  return event.shard == shard || (has_other(event.kind) && event.other == shard);
}

// A ring's change may concern any.
bool concerns(const cluster::ReshapeProgress& progress, cluster::ShardId shard) {
  const bool is_rings = progress.kind == ReshapeKind::grow || progress.kind == ReshapeKind::shrink;
  return is_rings || progress.shard == shard ||
         (progress.kind == ReshapeKind::merge && progress.other == shard);
}

std::string describe_progress(const cluster::ReshapeProgress& progress) {
  const std::uint32_t shard = number_of(progress.shard);
  const std::string copied =
      progress.keys == 0 ? ""
                         : fmt::format(", {} of about {} keys copied", progress.keys_copied, progress.keys);
  switch (progress.kind) {
    case ReshapeKind::split: return fmt::format("shard {} is being split", shard);
    case ReshapeKind::merge:
      return fmt::format("shard {} is being merged with shard {}{}", shard, number_of(progress.other),
                         copied);
    case ReshapeKind::move:
      return fmt::format("shard {} is moving to {}{}", shard, engine_name(progress.to), copied);
    case ReshapeKind::grow: return fmt::format("shard {} is joining the ring{}", shard, copied);
    case ReshapeKind::shrink: return fmt::format("shard {} is leaving the ring{}", shard, copied);
    default: return {};
  }
}

}  // namespace shale::server
