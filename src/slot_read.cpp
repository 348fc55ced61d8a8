#include "src/slot_read.h"

#include <utility>

#include "cluster/position.h"
#include "src/keyspace_walk.h"

namespace shale::server {
namespace {

// In between, others get their turn on the background's thread.
constexpr int kSlotPiecesPerRun = 64;
constexpr unsigned kTokenBitsBelowSlot = 64 - cluster::kSlotBits;

std::uint64_t first_token(std::uint32_t slot) { return std::uint64_t{slot} << kTokenBitsBelowSlot; }

}  // namespace

SlotRead::SlotRead(cluster::Store& store, std::uint32_t slot, std::int64_t now_ms, std::uint64_t keys_max,
                   std::size_t name_bytes_max)
    : store_(store),
      token_end_(slot + 1 == cluster::kSlotCount ? 0 : first_token(slot + 1)),
      now_ms_(now_ms),
      keys_max_(keys_max),
      name_bytes_max_(name_bytes_max) {
  if (keys_max != 0) left_ = ScanPlace{first_token(slot), {}};
}

void SlotRead::begin(std::size_t pieces_max) {
  for (std::size_t pieces = 0; pieces < pieces_max && left_; ++pieces) {
    if (auto read = read_piece(); !read) {
      if (read.error().kind != engine::ErrorKind::not_resident) finish(read);
      return;
    }
  }
  if (!left_) finish({});
}

void SlotRead::run() {
  load_missing();
  for (int pieces = 0; pieces < kSlotPiecesPerRun && left_; ++pieces) {
    auto read = read_piece();
    if (!read && read.error().kind != engine::ErrorKind::not_resident) return finish(read);
    load_missing();
  }
  if (!left_) finish({});
}

engine::Status SlotRead::read_piece() {
  WalkLimits limits{.keys = 256, .records = 1000, .ranges = 300};
  if (token_end_ != 0) limits.token_end = token_end_;
  reads_.clear();
  const auto walked = walk_keys(store_, reads_, 0, now_ms_, *left_, std::nullopt, limits,
                                [this](BytesView key, const Value&) {
                                  ++count_;
                                  if (name_bytes_max_ != 0) {
                                    names_.emplace_back(key);
                                    name_bytes_ += key.size() + sizeof(std::string);
                                  }
                                  return !is_full();
                                });
  reads_.pins.clear();
  if (!walked) return walked.error();
  loads_.clear();
  left_ = is_full() ? std::nullopt : walked->next;
  return {};
}

void SlotRead::load_missing() {
  for (auto& load : std::exchange(reads_.missing, {})) {
    do {
      load->run();
    } while (!load->done());
    loads_.push_back(std::move(load));
  }
}

void SlotRead::finish(engine::Status status) {
  status_ = std::move(status);
  loads_.clear();
  reads_.clear();
  done_.store(true, std::memory_order_release);
}

}  // namespace shale::server
