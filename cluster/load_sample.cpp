#include "cluster/load_sample.h"

#include <algorithm>
#include <map>
#include <vector>

namespace shale::cluster {

namespace {

struct Step {
  engine::BytesView position;
  std::uint64_t below = 0;  // of the sample's cost
  std::uint64_t cost = 0;   // at the position itself
};

}  // namespace

void LoadSample::keep(engine::BytesView position) {
  Access& access = accesses_[kept_++ % kKept];
  access.position.assign(position.substr(0, kBytesKept));
  access.strides = std::min(units_ / kStride, kStridesMax);
  units_ %= kStride;
}

std::optional<engine::Bytes> LoadSample::middle() const {
  const std::size_t count = std::min(kept_, kKept);
  if (count < kKeptMin) return {};
  std::map<engine::BytesView, std::uint64_t> costs;
  for (std::size_t i = 0; i < count; ++i) costs[accesses_[i].position] += accesses_[i].strides;
  std::vector<Step> steps;
  std::uint64_t total = 0;
  for (const auto& [position, cost] : costs) {
    steps.push_back({position, total, cost});
    total += cost;
  }
  // A cut leaves what is below it on one side; the middle key itself goes to the other.
  const auto is_up_to_half = [&](const Step& step) { return step.below + step.cost <= total / 2; };
  auto cut = std::ranges::partition_point(steps, is_up_to_half);
  const std::uint64_t quarter = total / 4;
  if (cut->below < quarter && ++cut == steps.end()) return {};  // the middle key has much: cut behind it
  if (cut->below < quarter || total - cut->below < quarter) return {};
  return engine::Bytes{cut->position};
}

bool LoadSample::moves_in_one_direction() const {
  const std::size_t count = std::min(kept_, kKept);
  std::size_t up = 0;
  std::size_t down = 0;
  for (std::size_t i = kept_ - count + 1; i < kept_; ++i) {
    const auto step = accesses_[i % kKept].position <=> accesses_[(i - 1) % kKept].position;
    up += step > 0;
    down += step < 0;
  }
  return 100 * std::max(up, down) >= kSameWayPercent * (count - 1);
}

LoadShape LoadSample::shape() const {
  if (std::min(kept_, kKept) < kKeptMin) return LoadShape::too_little;
  if (moves_in_one_direction()) return LoadShape::one_direction;
  return middle() ? LoadShape::halves : LoadShape::one_key;
}

std::optional<engine::Bytes> LoadSample::front() const {
  if (kept_ == 0) return {};
  return accesses_[(kept_ - 1) % kKept].position;
}

}  // namespace shale::cluster
