// Does the sketch of hot keys (cluster/hot_keys.h) find them, how right are its rates, and what does it cost?
//
//   hot_keys_bench [keys] [seconds]     defaults: 10000000 keys, 60 seconds, simulated
//
// Clients access keys with Zipf's distribution (0.99), a tenth of the time writing, in pipelined runs, of
// which accesses are drawn as cluster::ShardLocks draws them. Every second, from the twentieth on, the true
// ten hottest are looked for among the ten that the shards together tell. The processor time is that of the
// sketch alone, by access of the clients.
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "cluster/access_draw.h"
#include "cluster/hot_keys.h"
#include "cluster/position.h"

namespace {

using namespace shale;
using cluster::HotKeys;

constexpr double kTheta = 0.99;
constexpr std::size_t kTop = 10;
constexpr unsigned kWritesOneIn = 10;

// The key of rank r is accessed with a probability in proportion to 1 / (r + 1)^kTheta.
class Zipf {
 public:
  explicit Zipf(std::size_t keys) : below_(keys) {
    double sum = 0;
    for (std::size_t rank = 0; rank < keys; ++rank)
      below_[rank] = sum += std::pow(static_cast<double>(rank + 1), -kTheta);
  }
  std::size_t rank(std::mt19937_64& random) const {
    const double drawn = std::uniform_real_distribution<>{0, below_.back()}(random);
    return static_cast<std::size_t>(std::ranges::upper_bound(below_, drawn) - below_.begin());
  }
  double share(std::size_t rank) const {
    return std::pow(static_cast<double>(rank + 1), -kTheta) / below_.back();
  }

 private:
  std::vector<double> below_;
};

struct Load {
  std::size_t shards;
  std::size_t runs_per_second;
  std::size_t pipeline;  // accesses of a run

  std::size_t per_second() const { return runs_per_second * pipeline; }
};

struct Found {
  double recall = 0;      // mean
  double recall_min = 1;  // the worst second
  double rate_error = 0;  // mean, relative, of the true ten, as far as they were found
  double ns_per_access = 0;
};

engine::Bytes position_of(std::size_t rank) {
  engine::Bytes position;
  cluster::Placement{cluster::Sharding::ring}.append(0, "user:" + std::to_string(rank) + ":profile",
                                                     position);
  return position;
}

double processor_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

class Simulation {
 public:
  Simulation(const Zipf& zipf, Load load, std::size_t seconds)
      : zipf_(zipf), load_(load), seconds_(seconds), shards_(load.shards) {
    for (std::size_t rank = 0; rank < kTop; ++rank) {
      top_.push_back(position_of(rank));
    }
  }

  Found run() {
    constexpr std::size_t kWarmUpSeconds = 20;
    std::size_t checks = 0;
    for (std::size_t second = 0; second < seconds_; ++second) {
      pass_a_second();
      if (second < kWarmUpSeconds) continue;
      ++checks;
      check();
    }
    found_.recall /= static_cast<double>(checks);
    found_.rate_error /= static_cast<double>(checks);
    found_.ns_per_access = spent_ns_ / static_cast<double>(seconds_ * load_.per_second());
    return found_;
  }

 private:
  struct Noted {
    engine::Bytes position;
    std::uint64_t hash;
    std::size_t shard;
    cluster::Access access;
    unsigned weight;
  };

  void pass_a_second() {
    std::vector<Noted> noted;
    for (std::size_t run = 0; run < load_.runs_per_second; ++run) {
      draw_.begin(load_.pipeline);
      for (std::size_t i = 0; i < load_.pipeline; ++i) {
        const std::size_t rank = zipf_.rank(random_);
        if (const unsigned weight = draw_.weight(i)) noted.push_back(note_of(rank, weight));
      }
    }
    const double begin = processor_ns();
    for (const Noted& one : noted) {
      shards_[one.shard].note({one.position, one.hash}, one.access, one.weight);
    }
    now_ += std::chrono::seconds{1};
    for (HotKeys& shard : shards_) shard.advance(now_);
    spent_ns_ += processor_ns() - begin;
  }

  Noted note_of(std::size_t rank, unsigned weight) {
    Noted noted{.position = position_of(rank),
                .hash = 0,
                .shard = 0,
                .access = cluster::Access::read,
                .weight = weight};
    noted.hash = engine::hash_bytes(noted.position);
    noted.shard = engine::key_head(noted.position) % load_.shards;
    if (random_() % kWritesOneIn == 0) noted.access = cluster::Access::write;
    return noted;
  }

  void check() {
    std::vector<cluster::HotKey> told;
    for (const HotKeys& shard : shards_) {
      for (auto& key : shard.hottest(kTop, now_, [](engine::BytesView) { return true; }))
        told.push_back(std::move(key));
    }
    std::ranges::sort(told, std::greater{}, &cluster::HotKey::per_second);
    told.resize(std::min(told.size(), kTop));
    double hits = 0;
    double error = 0;
    for (std::size_t rank = 0; rank < kTop; ++rank) {
      const auto hit = std::ranges::find(told, top_[rank], &cluster::HotKey::position);
      if (hit == told.end()) continue;
      ++hits;
      const double true_rate = zipf_.share(rank) * static_cast<double>(load_.per_second());
      error += std::abs(hit->per_second() - true_rate) / true_rate;
    }
    found_.recall += hits / kTop;
    found_.recall_min = std::min(found_.recall_min, hits / kTop);
    found_.rate_error += hits == 0 ? 1 : error / hits;
  }

  const Zipf& zipf_;
  const Load load_;
  const std::size_t seconds_;
  std::vector<HotKeys> shards_;
  std::vector<engine::Bytes> top_;
  cluster::AccessDraw draw_;
  std::mt19937_64 random_{1};
  HotKeys::TimePoint now_{};
  double spent_ns_ = 0;
  Found found_;
};

}  // namespace

int main(int argc, char** argv) {
  const std::size_t keys = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 10'000'000;
  const std::size_t seconds = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 60;
  const Zipf zipf(keys);
  std::printf("%zu keys, Zipf %.2f, %zu bytes a shard, seed 1\n", keys, kTheta, HotKeys::kBytes);
  std::printf("shards  accesses/s  pipeline  recall  worst second  rate error  ns an access\n");
  double worst = 1;
  for (const Load load : {Load{1, 12'500, 16}, Load{8, 12'500, 16}, Load{64, 12'500, 16}, Load{8, 15'625, 32},
                          Load{8, 100'000, 1}, Load{8, 10'000, 1}, Load{8, 625, 16}}) {
    const Found found = Simulation(zipf, load, seconds).run();
    std::printf("%6zu  %10zu  %8zu  %6.3f  %12.1f  %8.1f %%  %12.1f\n", load.shards, load.per_second(),
                load.pipeline, found.recall, found.recall_min, 100 * found.rate_error, found.ns_per_access);
    worst = std::min(worst, found.recall);
  }
  return worst >= 0.95 ? 0 : 1;
}
