#include "src/stats/shard_rates.h"

#include <cmath>

namespace shale::server {

void DecayedRate::update(std::uint64_t total, std::chrono::duration<double> elapsed) {
  const double kept = std::exp(-elapsed / std::chrono::duration<double>(kMemory));
  const double latest = static_cast<double>(total - total_) / elapsed.count();
  per_second_ = kept * per_second_ + (1 - kept) * latest;
  total_ = total;
}

void ShardRates::sample(const std::vector<std::unique_ptr<cluster::Shard>>& shards, TimePoint now) {
  const std::lock_guard lock{mutex_};
  const std::chrono::duration<double> elapsed = now - sampled_at_;
  if (elapsed.count() <= 0) return;
  sampled_at_ = now;
  shards_.resize(shards.size());
  for (std::size_t index = 0; index < shards.size(); ++index) {
    cluster::ShardStats counts;
    {
      const std::lock_guard shard_lock{shards[index]->mutex};
      counts = shards[index]->stats;
    }
    shards_[index].reads.update(counts.reads, elapsed);
    shards_[index].writes.update(counts.writes, elapsed);
  }
}

ShardRate ShardRates::of(cluster::ShardId shard) const {
  const std::lock_guard lock{mutex_};
  const auto index = static_cast<std::size_t>(shard);
  if (index >= shards_.size()) return {};
  return {shards_[index].reads.per_second(), shards_[index].writes.per_second()};
}

}  // namespace shale::server
