#include "engine/lsm/filter.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>

#include "engine/encoding.h"

namespace shale::engine::lsm {
namespace {

constexpr std::uint32_t kProbesMax = 24;

// Each key's bits fall into one block, so fuller blocks than average cost more than emptier ones gain, and
// the best number of probes is a little below the unblocked filter's bits * ln 2.
std::uint32_t probes_for(double bits_per_key) {
  const double best = std::floor(bits_per_key * 0.65 + 0.1);
  return std::clamp(static_cast<std::uint32_t>(best), 1U, kProbesMax);
}

}  // namespace

void Filter::FreeAligned::operator()(std::uint64_t* words) const {
  ::operator delete[](words, std::align_val_t{kBlockBytes});
}

Filter::Filter(std::uint32_t block_count, std::uint32_t probe_count)
    : block_count_(block_count),
      probe_count_(probe_count),
      words_(static_cast<std::uint64_t*>(
          ::operator new[](std::size_t{block_count} * kBlockBytes, std::align_val_t{kBlockBytes}))) {}

Filter Filter::build(std::span<const std::uint64_t> hashes, double bits_per_key) {
  if (hashes.empty() || !(bits_per_key > 0)) return {};
  const double blocks = std::ceil(static_cast<double>(hashes.size()) * bits_per_key / kBlockBits);
  constexpr double kBlocksMax = std::numeric_limits<std::uint32_t>::max();
  Filter filter{static_cast<std::uint32_t>(std::min(blocks, kBlocksMax)), probes_for(bits_per_key)};
  std::memset(filter.words_.get(), 0, filter.memory_bytes());
  // Keys come in order, so their filter blocks do not: fetch ahead.
  constexpr std::size_t kAhead = 16;
  for (std::size_t i = 0; i != hashes.size(); ++i) {
    if (i + kAhead < hashes.size()) __builtin_prefetch(filter.block_of(hashes[i + kAhead]), 1);
    filter.add(hashes[i]);
  }
  return filter;
}

void Filter::add(std::uint64_t hash) {
  std::uint64_t* const words = block_of(hash);
  auto bits = static_cast<std::uint32_t>(hash);
  for (std::uint32_t probe = 0; probe != probe_count_; ++probe, bits *= kNextProbe) {
    const std::uint32_t bit = bits >> kBitShift;
    words[bit / 64] |= std::uint64_t{1} << (bit % 64);
  }
}

void Filter::encode(Bytes& into) const {
  append_u32(into, block_count_);
  append_u32(into, probe_count_);
  if (block_count_ != 0) into.append(reinterpret_cast<const char*>(words_.get()), memory_bytes());
}

std::optional<Filter> Filter::decode(BytesView stored) {
  ByteReader reader{stored};
  const std::uint32_t block_count = reader.u32();
  const std::uint32_t probe_count = reader.u32();
  if (reader.failed() || reader.rest().size() != std::uint64_t{block_count} * kBlockBytes)
    return std::nullopt;
  if (block_count == 0) return probe_count == 0 ? std::optional<Filter>{Filter{}} : std::nullopt;
  if (probe_count == 0 || probe_count > kProbesMax) return std::nullopt;
  Filter filter{block_count, probe_count};
  std::memcpy(filter.words_.get(), reader.rest().data(), reader.rest().size());
  return filter;
}

}  // namespace shale::engine::lsm
