// Where a shard's clients read and write of late: a few hundred of the positions that have been accessed, so
// that a split can be placed where it halves the load.
//
// An access is kept with a chance in proportion to what it costs: whenever another kStride units have come
// together, the access that brought them, until kKept others have followed. So what is asked is the last 8192
// units, not all since start, and a cut that halves the sample halves the cost. (CockroachDB's and TiKV's
// load-based splits keep a sample for the same purpose. A weighted reservoir, as Chao's of 1982, has the same
// chances, but over all time: a load that moves on would have to be made to count more, by weights that
// grow.)
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "engine/bytes.h"

namespace shale::cluster {

enum class LoadShape : std::uint8_t {
  too_little,    // too few accesses to tell
  halves,        // a cut leaves at least a quarter on either side
  one_key,       // one key has so much of it that no cut does
  one_direction  // every key is behind the one before (or before it): what is cut off gets all of the load
};

// Used under the shard's lock.
class LoadSample {
 public:
  // An access that has cost so many units, at least 1.
  void note(engine::BytesView position, std::uint64_t units) {
    units_ += units;
    if (units_ >= kStride) keep(position);
  }
  // The position that has half of the sample's cost below it. Nothing if there were too few accesses, or if
  // one key has so much of it that no cut would leave a quarter on either side.
  std::optional<engine::Bytes> middle() const;
  LoadShape shape() const;
  // Where a load in one direction has come to: the last position kept. Nothing if none is.
  std::optional<engine::Bytes> front() const;
  void forget() { kept_ = 0; }

 private:
  static constexpr std::uint64_t kStride = 64;
  static constexpr std::size_t kKept = 128;
  static constexpr std::size_t kKeptMin = 32;
  // Of every hundred steps from one position kept to the next, so many go the same way in one direction.
  static constexpr std::size_t kSameWayPercent = 90;
  static constexpr std::size_t kBytesKept =
      128;  // of a position: what a long key begins with is a cut as well
  // One access is no more than an eighth of a full sample, whatever it has cost.
  static constexpr std::uint64_t kStridesMax = kKept / 8;

  struct Access {
    engine::Bytes position;
    std::uint64_t strides = 0;  // of units that it has brought
  };
  void keep(engine::BytesView position);
  bool moves_in_one_direction() const;

  std::uint64_t units_ = 0;  // since the last access that was kept
  std::size_t kept_ = 0;
  std::array<Access, kKept> accesses_;
};

}  // namespace shale::cluster
