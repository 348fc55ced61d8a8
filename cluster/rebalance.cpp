#include "cluster/rebalance.h"

#include <algorithm>
#include <set>

namespace shale::cluster {
namespace {

constexpr double kSplitAbove = 2.0;  // times the mean
constexpr double kMergeBelow = 0.5;

// What is made even: bytes, or keys while there are none.
class Weights {
 public:
  explicit Weights(const std::vector<ShardSize>& shards)
      : by_keys_(std::ranges::all_of(shards, [](const ShardSize& shard) { return shard.bytes == 0; })) {
    for (const ShardSize& shard : shards) sum_ += of(shard);
    mean_ = shards.empty() ? 0 : sum_ / static_cast<double>(shards.size());
  }
  double of(const ShardSize& shard) const {
    return by_keys_ ? static_cast<double>(shard.keys) : static_cast<double>(shard.bytes);
  }
  double sum() const { return sum_; }
  double mean() const { return mean_; }

 private:
  const bool by_keys_;
  double sum_ = 0;
  double mean_ = 0;
};

void plan_split(ShardSize& shard, RebalancePlan& plan) {
  const ShardSize high{shard.id, shard.keys / 2, shard.bytes / 2};
  plan.steps.push_back({ReshapeKind::split, shard.id, {}, high.keys, high.bytes});
  shard.keys -= high.keys;
  shard.bytes -= high.bytes;
  plan.after.push_back(high);
}

}  // namespace

RebalancePlan plan_rebalance(const std::vector<ShardSize>& shards,
                             const std::vector<std::pair<ShardId, ShardId>>& mergeable,
                             std::size_t shards_max) {
  RebalancePlan plan;
  plan.after = shards;
  for (const ShardSize& shard : shards) {
    plan.keys += shard.keys;
    plan.bytes += shard.bytes;
  }
  const Weights weights{shards};
  if (weights.sum() <= 0) return plan;
  std::set<ShardId> touched;
  for (const auto& [low, high] : mergeable) {
    const auto into = std::ranges::find(plan.after, low, &ShardSize::id);
    const auto from = std::ranges::find(plan.after, high, &ShardSize::id);
    if (into == plan.after.end() || from == plan.after.end() || touched.contains(low) ||
        touched.contains(high))
      continue;
    if (weights.of(*into) + weights.of(*from) >= kMergeBelow * weights.mean()) continue;
    plan.steps.push_back({ReshapeKind::merge, low, high, from->keys, from->bytes});
    into->keys += from->keys;
    into->bytes += from->bytes;
    touched.insert({low, high});
    plan.after.erase(from);
  }
  for (std::size_t i = 0, count = plan.after.size(); i < count && plan.after.size() < shards_max; ++i) {
    if (weights.of(plan.after[i]) <= kSplitAbove * weights.mean()) continue;
    ShardSize shard = plan.after[i];
    plan_split(shard, plan);
    plan.after[i] = shard;
  }
  return plan;
}

std::vector<ReshapeRequest> requests_of(const RebalancePlan& plan, const std::string& cause) {
  std::vector<ReshapeRequest> requests;
  for (const RebalanceStep& step : plan.steps) {
    ReshapeRequest request;
    request.kind = step.kind;
    request.shard = step.shard;
    request.other = step.other;
    request.cause = cause;
    requests.push_back(std::move(request));
  }
  return requests;
}

Evenness evenness(const std::vector<ShardSize>& shards) {
  const Weights weights{shards};
  if (weights.sum() <= 0) return {};
  double largest = 0;
  for (const ShardSize& shard : shards) largest = std::max(largest, weights.of(shard));
  return {largest / weights.sum(), weights.mean() / weights.sum()};
}

}  // namespace shale::cluster
