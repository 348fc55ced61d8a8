#include "cluster/split_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace shale::cluster {
namespace {

constexpr unsigned kWindows = 10;
constexpr unsigned kWindowsAbove = 8;
// Threads that are at work so much of their time have nothing to gain from a split, unless they wait for the
// shard's lock so much of it.
constexpr double kSaturated = 0.95;
constexpr double kWaitsForLock = 0.05;
// A pair is cold below this part of every limit, and small below that part of the largest size.
constexpr double kColdPart = 0.1;
constexpr double kSmallPart = 0.5;
// One that grows at its end is cut there before it is too large, so that what stays need not be cut again.
constexpr double kFrontPart = 0.9;
// A pair that is split within that time after it was merged waits twice as long for the next merge, up to
// kFlapsMax times.
constexpr std::chrono::hours kFlapWithin{1};
constexpr unsigned kFlapsMax = 5;

double part_of(double value, double limit) { return limit > 0 ? value / limit : 0; }

}  // namespace

unsigned SplitPolicy::Streak::count() const {
  return static_cast<unsigned>(std::popcount(bits & ((1u << kWindows) - 1)));
}

SplitPolicy::Decision SplitPolicy::decide(const SplitLimits& limits, const Window& window) {
  observe(limits, window);
  if (!limits.enabled) return {};
  Decision decision = decide_split(limits, window);
  // Merges follow only when nothing wants to be split: both want the machine's attention.
  if (decision.action == Action::none) decision = decide_merge(limits, window);
  return decision;
}

void SplitPolicy::observe(const SplitLimits& limits, const Window& window) {
  std::map<ShardId, State> states;  // without those that are gone
  for (const ShardWindow& shard : window.shards) {
    State& state = states[shard.id] = std::move(states_[shard.id]);
    const ShardLoad& load = shard.load;
    state.above.reads.push(part_of(load.read_units, limits.read_units_max) > 1);
    state.above.writes.push(part_of(load.write_units, limits.write_units_max) > 1);
    state.above.heat.push(part_of(load.heat, limits.heat_max) > 1);
    state.above.saturated.push(window.busy >= kSaturated && load.lock_wait < kWaitsForLock);
  }
  states_ = std::move(states);
}

SplitPolicy::Excess SplitPolicy::excess_of(const SplitLimits& limits, const ShardWindow& shard,
                                           const State& state) const {
  const double size = part_of(static_cast<double>(shard.bytes), static_cast<double>(limits.shard_bytes_max));
  if (size > (shard.shape == LoadShape::one_direction ? kFrontPart : 1)) {
    return {fmt::format("size: {} MiB of at most {}", shard.bytes >> 20, limits.shard_bytes_max >> 20), size,
            true};
  }
  const ShardLoad& load = shard.load;
  if (state.above.reads.count() >= kWindowsAbove) {
    return {fmt::format("reads: {:.0f} units/s of at most {:.0f}, in {} of the last {} seconds above",
                        load.read_units, limits.read_units_max, state.above.reads.count(), kWindows),
            part_of(load.read_units, limits.read_units_max), false};
  }
  if (state.above.writes.count() >= kWindowsAbove) {
    return {fmt::format("writes: {:.0f} units/s of at most {:.0f}, in {} of the last {} seconds above",
                        load.write_units, limits.write_units_max, state.above.writes.count(), kWindows),
            part_of(load.write_units, limits.write_units_max), false};
  }
  if (state.above.heat.count() >= kWindowsAbove) {
    return {fmt::format("heat: {:.0f} % of a core of at most {:.0f} %, in {} of the last {} seconds above",
                        100 * load.heat, 100 * limits.heat_max, state.above.heat.count(), kWindows),
            part_of(load.heat, limits.heat_max), false};
  }
  return {};
}

// Why a split would not help, or has to wait; empty: it may be.
std::string SplitPolicy::refusal(const SplitLimits& limits, const Window& window, const ShardWindow& shard,
                                 const Excess& excess) const {
  const State& state = states_.at(shard.id);
  if (window.shards.size() >= limits.shards_max)
    return fmt::format("there are {} shards, as many as may be", window.shards.size());
  if (window.end - state.changed_at < limits.cool_down)
    return fmt::format("it was changed less than {} s ago", limits.cool_down.count());
  if (excess.by_size) return {};
  if (state.above.saturated.count() >= kWindowsAbove)
    return "the threads are at work all the time and do not wait for this shard: a split would not help";
  switch (shard.shape) {
    case LoadShape::halves: return {};
    case LoadShape::too_little: return "too few accesses to keys that are there";
    case LoadShape::one_key: return "one key has so much of the load that no cut halves it";
    case LoadShape::one_direction:
      return "the load moves in one direction: what is cut off would get all of it";
  }
  return {};
}

// The one that is above its limits most.
SplitPolicy::Decision SplitPolicy::decide_split(const SplitLimits& limits, const Window& window) {
  const ShardWindow* chosen = nullptr;
  Excess reason;
  for (const ShardWindow& shard : window.shards) {
    State& state = states_.at(shard.id);
    Excess excess = excess_of(limits, shard, state);
    if (excess.cause.empty()) continue;
    const std::string why_not = refusal(limits, window, shard, excess);
    if (!why_not.empty()) {
      state.verdict = {"not split for " + excess.cause + ": " + why_not, window.end};
    } else if (chosen == nullptr || excess.times > reason.times) {
      chosen = &shard;
      reason = std::move(excess);
    }
  }
  if (chosen == nullptr) return {};
  states_.at(chosen->id).verdict = {"split for " + reason.cause, window.end};
  return {.action = Action::split,
          .shard = chosen->id,
          .at_front = reason.by_size && chosen->shape == LoadShape::one_direction,
          .by_size = reason.by_size,
          .cause = reason.cause};
}

bool SplitPolicy::is_cold(const SplitLimits& limits, const ShardWindow& low, const ShardWindow& high) {
  const ShardLoad& a = low.load;
  const ShardLoad& b = high.load;
  return part_of(a.read_units + b.read_units, limits.read_units_max) < kColdPart &&
         part_of(a.write_units + b.write_units, limits.write_units_max) < kColdPart &&
         part_of(a.heat + b.heat, limits.heat_max) < kColdPart &&
         part_of(static_cast<double>(low.bytes) + static_cast<double>(high.bytes),
                 static_cast<double>(limits.shard_bytes_max)) < kSmallPart;
}

SplitPolicy::Decision SplitPolicy::decide_merge(const SplitLimits& limits, const Window& window) {
  std::map<std::pair<ShardId, ShardId>, TimePoint> cold_since;
  Decision decision;
  for (const auto& pair : window.mergeable) {
    const auto low = std::ranges::find(window.shards, pair.first, &ShardWindow::id);
    const auto high = std::ranges::find(window.shards, pair.second, &ShardWindow::id);
    if (low == window.shards.end() || high == window.shards.end() || !is_cold(limits, *low, *high)) continue;
    const State& low_state = states_.at(low->id);
    const State& high_state = states_.at(high->id);
    const auto known = cold_since_.find(pair);
    TimePoint since = known == cold_since_.end() ? window.end : known->second;
    since = std::max({since, low_state.changed_at, high_state.changed_at});
    cold_since.emplace(pair, since);
    const auto wait = merge_wait(limits, std::max(low_state.flaps, high_state.flaps));
    if (limits.merge_after.count() == 0 || window.end - since < wait) continue;
    if (decision.action != Action::none) continue;
    decision = {.action = Action::merge,
                .shard = low->id,
                .other = high->id,
                .cause = fmt::format("cold: both together below {:.0f} % of every limit for {} s",
                                     100 * kColdPart, wait.count())};
  }
  cold_since_ = std::move(cold_since);
  return decision;
}

std::chrono::seconds SplitPolicy::merge_wait(const SplitLimits& limits, unsigned flaps) {
  return limits.merge_after * (1u << std::min(flaps, kFlapsMax));
}

// Split again soon after a merge: the merge was a mistake.
void SplitPolicy::note_split(ShardId low, ShardId high, TimePoint at) {
  State& state = states_[low];
  const bool flaps = state.merged_at != TimePoint{} && at - state.merged_at < kFlapWithin;
  state.flaps = flaps ? state.flaps + 1 : 0;
  state.merged_at = {};
  note_change(low, at);
  note_change(high, at);
  states_[high].flaps = states_[low].flaps;
}

void SplitPolicy::note_merge(ShardId into, ShardId from, TimePoint at) {
  State& state = states_[into];
  state.flaps = std::max(state.flaps, states_[from].flaps);
  state.merged_at = at;
  state.verdict = {fmt::format("shard {} was merged into it", number_of(from)), at};
  states_.erase(from);
  note_change(into, at);
}

void SplitPolicy::note_change(ShardId shard, TimePoint at) {
  State& state = states_[shard];
  state.above = {};
  state.changed_at = at;
}

SplitPolicy::Verdict SplitPolicy::verdict(ShardId shard) const {
  const auto known = states_.find(shard);
  return known == states_.end() ? Verdict{} : known->second.verdict;
}

}  // namespace shale::cluster
