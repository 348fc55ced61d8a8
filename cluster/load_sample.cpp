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

}  // namespace shale::cluster
