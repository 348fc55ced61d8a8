#include "src/key_walk.h"

#include <utility>

namespace shale::server {
namespace {

constexpr WalkLimits kPiece{.keys = 1000, .records = 2000, .ranges = 1000};
// In between, others get their turn on the background's thread.
constexpr int kWalkedPerRun = 16;

}  // namespace

void KeyWalk::begin(std::size_t pieces_max) {
  for (std::size_t pieces = 0; pieces < pieces_max && next_; ++pieces) {
    if (auto walked = walk_piece(); !walked) {
      if (walked.error().kind != engine::ErrorKind::not_resident) finish(walked);
      return;
    }
  }
  if (!next_) finish({});
}

void KeyWalk::run() {
  load_missing();
  for (int pieces = 0; pieces < kWalkedPerRun && next_; ++pieces) {
    auto walked = walk_piece();
    if (!walked && walked.error().kind != engine::ErrorKind::not_resident) return finish(walked);
    load_missing();
  }
  if (!next_) finish({});
}

engine::Status KeyWalk::walk_piece() {
  bool wanted = true;
  const auto visit_key = [&](BytesView key, const Value& value) { return wanted = visit(key, value); };
  reads_.clear();
  auto walked = walk_keys(store_, reads_, database_, now_ms_, *next_, only_, kPiece, visit_key, within_);
  reads_.pins.clear();
  if (!walked) return walked.error();
  loads_.clear();
  next_ = wanted ? std::move(walked->next) : std::nullopt;
  return {};
}

void KeyWalk::load_missing() {
  for (auto& load : std::exchange(reads_.missing, {})) {
    do {
      load->run();
    } while (!load->done());
    loads_.push_back(std::move(load));
  }
}

void KeyWalk::finish(engine::Status status) {
  status_ = std::move(status);
  loads_.clear();
  reads_.clear();
  done_.store(true, std::memory_order_release);
}

}  // namespace shale::server
