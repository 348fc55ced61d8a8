#include "cluster/load_sample.h"

#include <algorithm>
#include <vector>

namespace shale::cluster {

std::optional<engine::Bytes> LoadSample::middle() const {
  const std::size_t count = std::min(kept_, kKept);
  if (count < kKeptMin) return {};
  std::vector<engine::BytesView> sorted(positions_.begin(),
                                        positions_.begin() + static_cast<std::ptrdiff_t>(count));
  std::ranges::sort(sorted);
  // A cut leaves what is below it on one side; the middle key itself goes to the other.
  engine::BytesView cut = sorted[count / 2];
  auto below = std::ranges::lower_bound(sorted, cut) - sorted.begin();
  const auto quarter = static_cast<std::ptrdiff_t>(count / 4);
  if (below < quarter) {  // the middle key has many of the accesses: cut behind it
    const auto behind = std::ranges::upper_bound(sorted, cut);
    if (behind == sorted.end()) return {};
    cut = *behind;
    below = behind - sorted.begin();
  }
  if (below < quarter || static_cast<std::ptrdiff_t>(count) - below < quarter) return {};
  return engine::Bytes{cut};
}

bool LoadSample::moves_in_one_direction() const {
  const std::size_t count = std::min(kept_, kKept);
  std::size_t up = 0;
  std::size_t down = 0;
  for (std::size_t i = kept_ - count + 1; i < kept_; ++i) {
    const auto step = positions_[i % kKept] <=> positions_[(i - 1) % kKept];
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
  return positions_[(kept_ - 1) % kKept];
}

}  // namespace shale::cluster
