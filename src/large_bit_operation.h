// BITOP of what does not fit into memory: writes the result as a new large value, a chunk at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "engine/large/large_piece.h"
#include "engine/large/staged_large_value.h"
#include "src/bits/bit_string.h"

namespace shale::server {

// Run by one background thread at a time, a part with each run(), and waits for the disk there.
class LargeBitOperation final : public engine::Load {
 public:
  // `into` has as many bytes as the longest of `sources`, and is finished for the key at `position`.
  LargeBitOperation(bits::Operation operation, std::vector<engine::LargePiece> sources,
                    std::shared_ptr<engine::StagedLargeValue> into, engine::BytesView position)
      : operation_(operation),
        sources_(std::move(sources)),
        readers_(sources_.size()),
        into_(std::move(into)),
        position_(position) {}

  void run() override;
  bool done() const override { return done_.load(std::memory_order_acquire); }

  bool makes(bits::Operation operation, const std::vector<engine::LargePiece>& sources,
             engine::BytesView position) const {
    return operation_ == operation && position_ == position && sources_ == sources;
  }
  // Once done: the value, and what went wrong with it or a source.
  const std::shared_ptr<engine::StagedLargeValue>& result() const { return into_; }
  const engine::Status& status() const { return status_; }

 private:
  engine::Status combine_some(std::uint64_t bytes_max);

  const bits::Operation operation_;
  const std::vector<engine::LargePiece> sources_;
  std::vector<engine::LargePieceReader> readers_;  // one for each
  const std::shared_ptr<engine::StagedLargeValue> into_;
  const engine::Bytes position_;
  std::uint64_t written_ = 0;
  engine::Status status_;
  std::atomic<bool> done_ = false;
};

}  // namespace shale::server
