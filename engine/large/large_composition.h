// Writes a new large value that is made of pieces: of other large values, of bytes, of zeros. APPEND,
// SETRANGE and the like of what does not fit into memory.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/engine.h"
#include "engine/large/large_piece.h"
#include "engine/large/staged_large_value.h"

namespace shale::engine {

// Run by one thread at a time, a part with each run().
class LargeComposition final : public Load {
 public:
  // `into` has as many bytes as the pieces together, and is finished for `key`.
  LargeComposition(std::vector<LargePiece> pieces, std::shared_ptr<StagedLargeValue> into, BytesView key)
      : pieces_(std::move(pieces)), into_(std::move(into)), key_(key) {}

  void run() override;
  bool done() const override { return done_.load(std::memory_order_acquire); }

  // Whether it is the one that makes these pieces into a value of `key`.
  bool makes(const std::vector<LargePiece>& pieces, BytesView key) const {
    return key_ == key && pieces_ == pieces;
  }
  // The value, once done: finished, or with a status() that says what went wrong.
  const std::shared_ptr<StagedLargeValue>& result() const { return into_; }
  // What went wrong with a piece.
  const Status& status() const { return status_; }

 private:
  Status copy_some(std::uint64_t bytes_max);

  const std::vector<LargePiece> pieces_;
  const std::shared_ptr<StagedLargeValue> into_;
  const Bytes key_;
  std::size_t piece_ = 0;           // being copied
  std::uint64_t piece_copied_ = 0;  // bytes of it
  LargePieceReader reader_;
  Status status_;
  std::atomic<bool> done_ = false;
};

}  // namespace shale::engine
