// How busy each shard is, per second: what its counts have grown by, smoothed so that what happened longer
// ago weighs less.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "cluster/shard.h"

namespace shale::server {

// One count's growth per second: the average of the past, in which what is kMemory old weighs 1/e.
class DecayedRate {
 public:
  static constexpr std::chrono::seconds kMemory{10};

  // The count is `total` now, `elapsed` after the last call.
  void update(std::uint64_t total, std::chrono::duration<double> elapsed);
  double per_second() const { return per_second_; }

 private:
  std::uint64_t total_ = 0;
  double per_second_ = 0;
};

struct ShardRate {  // per second
  double reads = 0;
  double writes = 0;
  double read_units = 0;  // cluster::ShardStats
  double write_units = 0;
  double busy = 0;       // seconds that commands have executed: cluster::ShardStats::busy_ns
  double lock_wait = 0;  // seconds that they have waited for the lock
};

// Thread-safe.
class ShardRates {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  explicit ShardRates(TimePoint now) : sampled_at_(now) {}

  // To be called about once a second. Takes the shards' locks, one at a time, each for nanoseconds.
  void sample(const std::vector<std::shared_ptr<cluster::Shard>>& shards, TimePoint now);
  // Zero for a shard that has not been sampled yet.
  ShardRate of(cluster::ShardId shard) const;

 private:
  struct Rates {
    DecayedRate reads;
    DecayedRate writes;
    DecayedRate read_units;
    DecayedRate write_units;
    DecayedRate busy_ns;
    DecayedRate lock_wait_ns;
  };

  mutable std::mutex mutex_;  // guards everything below; never taken under a shard's lock
  std::map<cluster::ShardId, Rates> shards_;
  TimePoint sampled_at_;
};

}  // namespace shale::server
