// Decisions of the splitter over simulated time: what is split and merged, what is not, and that nothing
// flaps.
#include "cluster/split_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "engine/testing/test_seed.h"

namespace shale::cluster {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;
using Action = SplitPolicy::Action;
using TimePoint = SplitPolicy::TimePoint;

// Shards that share a load by weight; a split halves a shard's weight and size.
class Simulation {
 public:
  struct Piece {
    ShardId id{};
    double weight = 1;
    std::uint64_t bytes = 1 << 20;
    LoadShape shape = LoadShape::halves;
  };

  explicit Simulation(std::uint32_t shards) {
    for (std::uint32_t id = 0; id < shards; ++id) add({.id = ShardId{id}});
  }

  // Runs for `duration`; load(second, piece) is what the piece would have if it were whole.
  void run(seconds duration, const std::function<ShardLoad(seconds, const Piece&)>& load) {
    for (seconds end = elapsed_ + duration; elapsed_ < end; elapsed_ += seconds{1}) step(load);
  }
  void step(const std::function<ShardLoad(seconds, const Piece&)>& load) {
    SplitPolicy::Window window;
    window.end = now();
    window.busy = busy;
    for (const Piece& piece : pieces) {
      ShardLoad part = load(elapsed_, piece);
      part.read_units *= piece.weight;
      part.write_units *= piece.weight;
      part.heat *= piece.weight;
      window.shards.push_back({piece.id, part, piece.bytes, piece.shape});
    }
    window.mergeable = mergeable_;
    make(policy.decide(limits, window));
  }
  TimePoint now() const { return TimePoint{} + hours{100} + elapsed_; }
  seconds elapsed() const { return elapsed_; }
  const Piece& piece(std::uint32_t id) const { return *std::ranges::find(pieces, ShardId{id}, &Piece::id); }

  SplitLimits limits;
  SplitPolicy policy;
  double busy = 0.3;
  std::vector<Piece> pieces;
  std::vector<std::pair<seconds, SplitPolicy::Decision>> changes;

 private:
  void add(Piece piece) {
    next_id_ = static_cast<std::uint32_t>(piece.id) + 1;
    pieces.push_back(piece);
  }
  void make(const SplitPolicy::Decision& decision) {
    if (decision.action == Action::none) return;
    changes.emplace_back(elapsed_, decision);
    const auto shard = std::ranges::find(pieces, decision.shard, &Piece::id);
    if (decision.action == Action::split) {
      shard->weight /= 2;
      shard->bytes /= 2;
      Piece high = *shard;
      high.id = ShardId{next_id_};
      mergeable_.emplace_back(shard->id, high.id);
      policy.note_split(shard->id, high.id, now());
      add(high);
      return;
    }
    const auto other = std::ranges::find(pieces, decision.other, &Piece::id);
    shard->weight += other->weight;
    shard->bytes += other->bytes;
    policy.note_merge(decision.shard, decision.other, now());
    std::erase_if(mergeable_, [&](const auto& pair) { return pair.second == decision.other; });
    for (auto& [low, high] : mergeable_) low = low == decision.other ? decision.shard : low;
    pieces.erase(other);
  }

  seconds elapsed_{0};
  std::uint32_t next_id_ = 0;
  std::vector<std::pair<ShardId, ShardId>> mergeable_;
};

ShardLoad reads(double units) { return {.read_units = units}; }
ShardLoad heat(double cores) { return {.heat = cores}; }

TEST(SplitPolicy, AnHourOfUniformLoadSplitsNothing) {
  std::mt19937_64 random{engine::test_seed()};
  std::lognormal_distribution<double> noise{0, 0.3};
  Simulation simulation{8};
  // Each at six tenths of every limit, now and then above it for a second.
  simulation.run(hours{1}, [&](seconds, const auto&) {
    return ShardLoad{60000 * noise(random), 30000 * noise(random), 0.15 * noise(random), 0};
  });
  EXPECT_TRUE(simulation.changes.empty());
  EXPECT_EQ(simulation.policy.verdict(ShardId{0}).text, "");
}

TEST(SplitPolicy, AHotShardIsSplitWithinTenSeconds) {
  for (const ShardLoad& hot : {reads(150000), ShardLoad{.write_units = 80000}, heat(0.4)}) {
    Simulation simulation{8};
    simulation.run(minutes{5}, [&](seconds, const auto&) { return reads(1000); });
    simulation.run(seconds{10}, [&](seconds, const auto& piece) {
      return piece.id == ShardId{3} || piece.id == ShardId{8} ? hot : reads(1000);
    });
    ASSERT_EQ(simulation.changes.size(), 1u);
    EXPECT_EQ(simulation.changes.front().second.shard, ShardId{3});
    EXPECT_THAT(simulation.changes.front().second.cause, HasSubstr("8 of the last 10 seconds"));
    // Each half is within the limit.
    simulation.run(minutes{9}, [&](seconds, const auto& piece) {
      return piece.id == ShardId{3} || piece.id == ShardId{8} ? hot : reads(1000);
    });
    EXPECT_EQ(simulation.changes.size(), 1u);
  }
}

TEST(SplitPolicy, WhatIsStillTooHotIsSplitAgainAfterACoolDown) {
  Simulation simulation{1};
  simulation.run(minutes{3}, [](seconds, const auto&) { return heat(0.9); });
  ASSERT_EQ(simulation.changes.size(), 3u);  // four of 0.225
  EXPECT_GE(simulation.changes[1].first - simulation.changes[0].first, simulation.limits.cool_down);
}

// The square wave of the issue, with several periods.
TEST(SplitPolicy, ASquareWaveDoesNotFlap) {
  for (const seconds half :
       {seconds{5}, seconds{15}, seconds{60}, seconds{300}, seconds{900}, seconds{1800}}) {
    Simulation simulation{4};
    simulation.run(hours{1}, [&](seconds at, const auto& piece) {
      const bool on = (at / half) % 2 == 0;
      return piece.id == ShardId{0} || piece.id >= ShardId{4} ? heat(on ? 0.4 : 0.001) : heat(0.001);
    });
    EXPECT_LE(simulation.changes.size(), 4u) << "half a period of " << half.count() << " s";
  }
}

TEST(SplitPolicy, APairThatFlapsWaitsLongerEachTime) {
  Simulation simulation{1};
  const seconds half = minutes{20};
  simulation.run(hours{6}, [&](seconds at, const auto&) { return heat((at / half) % 2 == 0 ? 0.4 : 0.001); });
  std::vector<seconds> merges;
  for (const auto& [at, decision] : simulation.changes) {
    if (decision.action == Action::merge) merges.push_back(at);
  }
  // The first pause is long enough for a merge; then the wait is 20 minutes, as long as the pauses.
  EXPECT_EQ(merges.size(), 1u);
}

TEST(SplitPolicy, ColdPiecesAreMerged) {
  Simulation simulation{2};
  simulation.run(minutes{2}, [](seconds, const auto& piece) {
    return piece.id == ShardId{0} || piece.id >= ShardId{2} ? heat(0.9) : heat(0.01);
  });
  ASSERT_EQ(simulation.pieces.size(), 5u);
  simulation.run(minutes{9}, [](seconds, const auto&) { return heat(0.001); });
  EXPECT_EQ(simulation.pieces.size(), 5u);  // not yet
  simulation.run(hours{1}, [](seconds, const auto&) { return heat(0.001); });
  // Each merge begins a new wait for the shard that stays. The two that the folder began with stay apart.
  EXPECT_EQ(simulation.pieces.size(), 2u);
}

TEST(SplitPolicy, NothingIsMergedThatWouldBeSplitAgain) {
  Simulation simulation{1};
  simulation.run(seconds{10}, [](seconds, const auto&) { return heat(0.4); });
  ASSERT_EQ(simulation.pieces.size(), 2u);
  simulation.run(hours{2}, [](seconds, const auto&) { return heat(0.05); });  // a fifth of the limit
  EXPECT_EQ(simulation.pieces.size(), 2u);
  for (auto& piece : simulation.pieces) piece.bytes = simulation.limits.shard_bytes_max / 3;
  simulation.run(hours{2}, [](seconds, const auto&) { return heat(0); });
  EXPECT_EQ(simulation.pieces.size(), 2u);
}

TEST(SplitPolicy, SaysWhyASplitWouldNotHelp) {
  const auto verdict_of = [](LoadShape shape, double busy, double lock_wait) {
    Simulation simulation{2};
    simulation.pieces[0].shape = shape;
    simulation.busy = busy;
    simulation.run(minutes{1}, [&](seconds, const auto& piece) {
      return ShardLoad{.heat = piece.id == ShardId{0} || piece.id == ShardId{2} ? 0.4 : 0,
                       .lock_wait = lock_wait};
    });
    return std::to_string(simulation.changes.size()) + ", " + simulation.policy.verdict(ShardId{0}).text;
  };
  EXPECT_THAT(verdict_of(LoadShape::halves, 0.3, 0), HasSubstr("1, split for heat: 40 % of a core"));
  EXPECT_THAT(verdict_of(LoadShape::one_key, 0.3, 0), HasSubstr("0, not split for heat"));
  EXPECT_THAT(verdict_of(LoadShape::one_key, 0.3, 0), HasSubstr("one key"));
  EXPECT_THAT(verdict_of(LoadShape::one_direction, 0.3, 0), HasSubstr("one direction"));
  EXPECT_THAT(verdict_of(LoadShape::too_little, 0.3, 0), HasSubstr("keys that are there"));
  EXPECT_THAT(verdict_of(LoadShape::halves, 0.99, 0), HasSubstr("0, not split for heat"));
  EXPECT_THAT(verdict_of(LoadShape::halves, 0.99, 0), HasSubstr("at work all the time"));
  EXPECT_THAT(verdict_of(LoadShape::halves, 0.99, 0.2), HasSubstr("1, split for heat"));
}

TEST(SplitPolicy, SplitsBySizeWithoutWaiting) {
  Simulation simulation{1};
  simulation.pieces[0].bytes = simulation.limits.shard_bytes_max + 1;
  simulation.pieces[0].shape = LoadShape::one_key;
  simulation.busy = 1;
  simulation.run(seconds{1}, [](seconds, const auto&) { return heat(0.01); });
  ASSERT_EQ(simulation.changes.size(), 1u);
  EXPECT_TRUE(simulation.changes[0].second.by_size);
  EXPECT_FALSE(simulation.changes[0].second.at_front);
  EXPECT_THAT(simulation.changes[0].second.cause, HasSubstr("size"));
}

TEST(SplitPolicy, AShardThatGrowsAtItsEndIsCutThere) {
  Simulation simulation{1};
  simulation.pieces[0].bytes = simulation.limits.shard_bytes_max / 100 * 95;
  simulation.pieces[0].shape = LoadShape::one_direction;
  simulation.run(seconds{1}, [](seconds, const auto&) { return heat(0.01); });
  ASSERT_EQ(simulation.changes.size(), 1u);
  EXPECT_TRUE(simulation.changes[0].second.at_front);
}

TEST(SplitPolicy, NeverMakesMoreShardsThanMayBe) {
  Simulation simulation{1};
  simulation.limits.shards_max = 5;
  simulation.run(hours{1}, [](seconds, const auto&) { return heat(100); });
  EXPECT_EQ(simulation.pieces.size(), 5u);
  EXPECT_THAT(simulation.policy.verdict(ShardId{0}).text, HasSubstr("as many as may be"));
}

TEST(SplitPolicy, ALimitOfZeroIsNone) {
  Simulation simulation{1};
  simulation.limits.heat_max = 0;
  simulation.limits.shard_bytes_max = 0;
  simulation.pieces[0].bytes = 1ull << 50;
  simulation.run(minutes{5}, [](seconds, const auto&) { return heat(10); });
  EXPECT_TRUE(simulation.changes.empty());
}

TEST(SplitPolicy, DoesNothingIfItIsNotTo) {
  Simulation simulation{1};
  simulation.limits.enabled = false;
  simulation.run(minutes{5}, [](seconds, const auto&) { return heat(10); });
  EXPECT_TRUE(simulation.changes.empty());
  // Once it may, it need not gather windows anew.
  simulation.limits.enabled = true;
  simulation.run(seconds{1}, [](seconds, const auto&) { return heat(10); });
  EXPECT_EQ(simulation.changes.size(), 1u);
}

}  // namespace
}  // namespace shale::cluster
