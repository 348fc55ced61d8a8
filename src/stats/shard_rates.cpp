#include "src/stats/shard_rates.h"

#include <cmath>

namespace shale::server {

void DecayedRate::update(std::uint64_t total, std::chrono::duration<double> elapsed) {
  const double kept = std::exp(-elapsed / std::chrono::duration<double>(kMemory));
  const double latest = static_cast<double>(total - total_) / elapsed.count();
  per_second_ = kept * per_second_ + (1 - kept) * latest;
  total_ = total;
}

void ShardRates::sample(const std::vector<std::shared_ptr<cluster::Shard>>& shards, TimePoint now) {
  const std::lock_guard lock{mutex_};
  const std::chrono::duration<double> elapsed = now - sampled_at_;
  if (elapsed.count() <= 0) return;
  sampled_at_ = now;
  std::map<cluster::ShardId, Rates> sampled;  // without those that are gone
  for (const auto& shard : shards) {
    cluster::ShardStats counts;
    {
      const std::lock_guard shard_lock{shard->mutex};
      counts = shard->stats;
    }
    Rates& rates = sampled[shard->id] = shards_[shard->id];
    rates.reads.update(counts.reads, elapsed);
    rates.writes.update(counts.writes, elapsed);
    rates.read_units.update(counts.read_units, elapsed);
    rates.write_units.update(counts.write_units, elapsed);
    rates.busy_ns.update(counts.busy_ns, elapsed);
    rates.lock_wait_ns.update(counts.lock_wait_ns, elapsed);
  }
  shards_ = std::move(sampled);
}

ShardRate ShardRates::of(cluster::ShardId shard) const {
  const std::lock_guard lock{mutex_};
  const auto known = shards_.find(shard);
  if (known == shards_.end()) return {};
  const Rates& rates = known->second;
  return {.reads = rates.reads.per_second(),
          .writes = rates.writes.per_second(),
          .read_units = rates.read_units.per_second(),
          .write_units = rates.write_units.per_second(),
          .busy = rates.busy_ns.per_second() / 1e9,
          .lock_wait = rates.lock_wait_ns.per_second() / 1e9};
}

}  // namespace shale::server
