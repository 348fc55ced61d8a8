#include "bench/engine_bench/key_space.h"

#include <algorithm>
#include <cmath>

namespace shale::bench {
namespace {

constexpr std::size_t kNoiseBytes = std::size_t{256} << 10;  // more than any block that might be compressed
constexpr double kTheta = 0.99;
constexpr double kAlpha = 1 / (1 - kTheta);

}  // namespace

ValueMaker::ValueMaker(std::size_t value_bytes, std::uint64_t seed)
    : random_(seed), noisy_bytes_((value_bytes - 2 * kCheckBytes) / 2), value_(value_bytes, '\0') {
  noise_.resize(std::max(kNoiseBytes, 4 * value_bytes));
  for (char& byte : noise_) byte = static_cast<char>(random_.next());
}

ZipfRanks::ZipfRanks(std::uint64_t count) : count_(count), zeta_(0) {
  for (std::uint64_t rank = 1; rank <= count; ++rank) zeta_ += std::pow(static_cast<double>(rank), -kTheta);
  const double zeta_of_2 = 1 + std::pow(2.0, -kTheta);
  eta_ = (1 - std::pow(2.0 / static_cast<double>(count), 1 - kTheta)) / (1 - zeta_of_2 / zeta_);
}

std::uint64_t ZipfRanks::next(Random& random) const {
  const double unit = random.unit();
  const double scaled = unit * zeta_;
  if (scaled < 1) return 0;
  if (scaled < 1 + std::pow(0.5, kTheta)) return 1;
  const double rank = static_cast<double>(count_) * std::pow(eta_ * unit - eta_ + 1, kAlpha);
  return std::min(static_cast<std::uint64_t>(rank), count_ - 1);
}

}  // namespace shale::bench
