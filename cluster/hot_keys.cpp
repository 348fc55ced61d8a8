#include "cluster/hot_keys.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

namespace shale::cluster {
namespace {

// The hash as it is kept: not 0.
std::uint64_t mark_of(std::uint64_t hash) { return hash | 1; }

}  // namespace

void HotKeys::note(const engine::HashedKey& position, Access access, unsigned weight) {
  if (!table_) table_ = std::make_unique<Table>();
  (access == Access::read ? reads_ : writes_) += weight;
  const std::uint64_t mark = mark_of(position.hash);
  Set& set = table_->sets[position.hash >> 32 & (kSets - 1)];
  for (std::size_t way = 0; way < kWays; ++way) {
    if (set.hashes[way] != mark) continue;
    (access == Access::read ? set.reads : set.writes)[way] += static_cast<float>(weight);
    return;
  }
  admit(position, access, static_cast<float>(weight));
}

void HotKeys::admit(const engine::HashedKey& position, Access access, float weight) {
  const std::size_t set_index = position.hash >> 32 & (kSets - 1);
  Set& set = table_->sets[set_index];
  std::size_t least = 0;
  for (std::size_t way = 1; way < kWays; ++way) {
    if (set.count(way) < set.count(least)) least = way;
  }
  // Knuth's linear congruential generator; its high bits are good enough for a draw.
  random_ = random_ * 6364136223846793005 + 1442695040888963407;
  const float drawn = static_cast<float>(random_ >> 40) * 0x1p-24F;
  const float count = set.count(least);
  if (drawn * (count + weight) >= weight) return;
  set.hashes[least] = mark_of(position.hash);
  set.reads[least] = access == Access::read ? weight : 0;
  set.writes[least] = access == Access::write ? weight : 0;
  set.inherited[least] = count;
  set.position_bytes[least] = static_cast<std::uint32_t>(position.bytes.size());
  auto& kept = table_->positions[set_index * kWays + least];
  std::memcpy(kept.data(), position.bytes.data(), std::min(position.bytes.size(), kBytesKept));
}

void HotKeys::advance(TimePoint now) {
  constexpr std::chrono::seconds kStep{1};
  constexpr float kForgotten = 0.01F;
  if (advanced_at_ == TimePoint{}) advanced_at_ = now;
  const std::chrono::duration<double> elapsed = now - advanced_at_;
  if (elapsed < kStep) return;
  advanced_at_ = now;
  const double kept = std::exp(-elapsed / std::chrono::duration<double>(kMemory));
  seconds_ = (seconds_ + elapsed.count()) * kept;
  if (!table_) return;
  reads_ *= kept;
  writes_ *= kept;
  bool any = false;
  for (Set& set : table_->sets) {
    for (std::size_t way = 0; way < kWays; ++way) {
      for (auto* const counts : {&set.reads, &set.writes, &set.inherited}) {
        (*counts)[way] *= static_cast<float>(kept);
      }
      if (set.count(way) < kForgotten) {
        set.hashes[way] = 0;
        set.reads[way] = set.writes[way] = set.inherited[way] = 0;
      }
      any |= set.hashes[way] != 0;
    }
  }
  if (!any) table_.reset();
}

void HotKeys::forget(TimePoint now) {
  table_.reset();
  reads_ = 0;
  writes_ = 0;
  seconds_ = 0;
  advanced_at_ = now;
}

engine::BytesView HotKeys::Table::position(std::size_t place) const {
  const std::size_t bytes = sets[place / kWays].position_bytes[place % kWays];
  return {positions[place].data(), std::min(bytes, kBytesKept)};
}

// Of less than a tenth of a second no rate can be told.
double HotKeys::seconds_until(TimePoint now) const {
  return std::max(0.1, seconds_ + std::chrono::duration<double>(now - advanced_at_).count());
}

double HotKeys::accesses_per_second(const engine::HashedKey& position, TimePoint now) const {
  if (!table_) return 0;
  const Set& set = table_->sets[position.hash >> 32 & (kSets - 1)];
  for (std::size_t way = 0; way < kWays; ++way) {
    if (set.hashes[way] == mark_of(position.hash)) return set.own(way) / seconds_until(now);
  }
  return 0;
}

std::vector<HotKey> HotKeys::hottest(std::size_t count, TimePoint now,
                                     const std::function<bool(engine::BytesView)>& wanted) const {
  const double seconds = seconds_until(now);
  std::vector<HotKey> keys;
  if (!table_) return keys;
  std::vector<std::pair<float, std::size_t>> seen;  // counts, and the places of the keys that they are of
  for (std::size_t place = 0; place < kKeys; ++place) {
    const Set& set = table_->sets[place / kWays];
    const std::size_t way = place % kWays;
    if (set.own(way) > set.inherited[way] && wanted(table_->position(place))) {
      seen.emplace_back(set.own(way), place);
    }
  }
  count = std::min(count, seen.size());
  std::ranges::partial_sort(seen, seen.begin() + static_cast<std::ptrdiff_t>(count), std::greater{});
  for (std::size_t i = 0; i < count; ++i) keys.push_back(describe(seen[i].second, seconds));
  return keys;
}

HotKey HotKeys::describe(std::size_t place, double seconds) const {
  const Set& set = table_->sets[place / kWays];
  const std::size_t way = place % kWays;
  return {.position = engine::Bytes{table_->position(place)},
          .position_bytes = set.position_bytes[way],
          .reads_per_second = set.reads[way] / seconds,
          .writes_per_second = set.writes[way] / seconds,
          .share = set.own(way) / (reads_ + writes_)};
}

}  // namespace shale::cluster
