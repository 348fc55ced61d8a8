// What splits, merges and moves have done, as Figures.
#pragma once

#include "cluster/position.h"
#include "cluster/rebalance.h"
#include "cluster/reshaper.h"
#include "src/stats/figures.h"

namespace shale::server {

Figures describe_event(cluster::Placement placement, const cluster::ReshapeEvent& event);
Figures describe_plan(cluster::Placement placement, cluster::ShardId shard, const cluster::SplitPlan& plan);
Figures describe_plan(const cluster::MergePlan& plan);
Figures describe_plan(const cluster::RingPlan& plan);
// `before`: all shards, as the plan was made for.
Figures describe_rebalance(const std::vector<cluster::ShardSize>& before, const cluster::RebalancePlan& plan);
// Whether the shard is, or was, one of those that change.
bool concerns(const cluster::ReshapeEvent& event, cluster::ShardId shard);
bool concerns(const cluster::ReshapeProgress& progress, cluster::ShardId shard);
// "shard 3 is moving to btree, 1200 of about 5000 keys copied"
std::string describe_progress(const cluster::ReshapeProgress& progress);
// "split"
std::string_view kind_name(cluster::ReshapeKind kind);
const char* engine_name(cluster::EngineKind kind);

}  // namespace shale::server
