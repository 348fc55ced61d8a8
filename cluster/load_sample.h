// Where a shard's clients read and write of late: a few hundred of the positions that have been accessed, so
// that a split can be placed where it halves the load.
//
// Every kStride-th access is kept until kKept others have followed: what is asked is the last 8192 accesses,
// not all since start. (CockroachDB's and TiKV's load-based splits keep a sample for the same purpose.)
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
  void note(engine::BytesView position) {
    if (++accesses_ % kStride == 0) keep(position);
  }
  // The position that has half of the sample below it. Nothing if there were too few accesses, or if one key
  // has so many of them that no cut would leave a quarter on either side.
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
  void keep(engine::BytesView position) { positions_[kept_++ % kKept] = position.substr(0, kBytesKept); }

  bool moves_in_one_direction() const;

  std::uint64_t accesses_ = 0;
  std::size_t kept_ = 0;
  std::array<engine::Bytes, kKept> positions_;
};

}  // namespace shale::cluster
