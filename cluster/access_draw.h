// Which accesses of a run of commands are looked at, so that what looking costs is spread over the run.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace shale::cluster {

// Of a run with up to kStrideMax keys, one is drawn; of a longer one, every kStrideMax-th. So a run costs as
// much as a single access, and a client that does not pipeline has every access looked at. Each key has the
// same chance, one in its weight or so.
class AccessDraw {
 public:
  static constexpr std::size_t kStrideMax = 16;

  void begin(std::size_t key_count) {
    stride_ = std::bit_floor(std::clamp<std::size_t>(key_count, 1, kStrideMax));
    random_ = random_ * 6364136223846793005 + 1442695040888963407;  // Knuth's; the high bits are good
    drawn_ = random_ >> 32 & (stride_ - 1);
  }
  // For how many accesses that of this key stands; 0: it has not been drawn.
  unsigned weight(std::size_t index) const {
    return (index & (stride_ - 1)) == drawn_ ? static_cast<unsigned>(stride_) : 0;
  }

 private:
  std::size_t stride_ = 1;
  std::size_t drawn_ = 0;
  std::uint64_t random_ = 0;
};

}  // namespace shale::cluster
