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

// Used under the shard's lock.
class LoadSample {
 public:
  void note(engine::BytesView position) {
    if (++accesses_ % kStride == 0) keep(position);
  }
  // The position that has half of the sample below it. Nothing if there were too few accesses, or if one key
  // has so many of them that no cut would leave a quarter on either side.
  std::optional<engine::Bytes> middle() const;
  void forget() { kept_ = 0; }

 private:
  static constexpr std::uint64_t kStride = 64;
  static constexpr std::size_t kKept = 128;
  static constexpr std::size_t kKeptMin = 32;
  static constexpr std::size_t kBytesKept =
      128;  // of a position: what a long key begins with is a cut as well
  void keep(engine::BytesView position) { positions_[kept_++ % kKept] = position.substr(0, kBytesKept); }

  std::uint64_t accesses_ = 0;
  std::size_t kept_ = 0;
  std::array<engine::Bytes, kKept> positions_;
};

}  // namespace shale::cluster
