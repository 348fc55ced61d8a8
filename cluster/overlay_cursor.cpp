#include "cluster/overlay_cursor.h"

#include <algorithm>
#include <utility>

namespace shale::cluster {

OverlayCursor::OverlayCursor(std::unique_ptr<engine::Cursor> stored, std::vector<OverlaidWrite> writes)
    : stored_(std::move(stored)), writes_(std::move(writes)) {
  std::ranges::sort(writes_, {}, &OverlaidWrite::key);
}

// Whether the key that the engine's cursor stands at has been written since.
bool OverlayCursor::stored_is_overlaid() const {
  return std::ranges::binary_search(writes_, stored_->key(), {}, &OverlaidWrite::key);
}

// To the smaller of both, past what has been overlaid or erased.
engine::Status OverlayCursor::settle_forward(engine::Status moved) {
  at_ = At::nowhere;
  while (moved && stored_->valid() && stored_is_overlaid()) moved = stored_->next();
  if (!moved) return moved;
  for (; write_ < writes_.size(); ++write_) {
    if (stored_->valid() && stored_->key() < writes_[write_].key) break;
    if (!writes_[write_].value) continue;
    at_ = At::write;
    return {};
  }
  if (stored_->valid()) at_ = At::stored;
  return {};
}

engine::Status OverlayCursor::settle_backward(engine::Status moved) {
  at_ = At::nowhere;
  while (moved && stored_->valid() && stored_is_overlaid()) moved = stored_->previous();
  if (!moved) return moved;
  for (; write_ > 0; --write_) {
    if (stored_->valid() && stored_->key() > writes_[write_ - 1].key) break;
    if (!writes_[write_ - 1].value) continue;
    at_ = At::write;
    return {};
  }
  if (stored_->valid()) at_ = At::stored;
  return {};
}

engine::Status OverlayCursor::seek(BytesView key) {
  backward_ = false;
  const auto first = std::ranges::lower_bound(writes_, key, {}, &OverlaidWrite::key);
  write_ = static_cast<std::size_t>(first - writes_.begin());
  return settle_forward(stored_->seek(key));
}

engine::Status OverlayCursor::seek_before(BytesView key) {
  backward_ = true;
  const auto first = std::ranges::lower_bound(writes_, key, {}, &OverlaidWrite::key);
  write_ = static_cast<std::size_t>(first - writes_.begin());
  return settle_backward(stored_->seek_before(key));
}

engine::Status OverlayCursor::seek_last() {
  backward_ = true;
  write_ = writes_.size();
  return settle_backward(stored_->seek_last());
}

engine::Status OverlayCursor::next() {
  if (backward_) return seek(Bytes{key()} + '\0');
  if (at_ == At::stored) return settle_forward(stored_->next());
  ++write_;
  return settle_forward({});
}

engine::Status OverlayCursor::previous() {
  if (!backward_) return seek_before(Bytes{key()});
  if (at_ == At::stored) return settle_backward(stored_->previous());
  --write_;
  return settle_backward({});
}

BytesView OverlayCursor::key() const {
  if (at_ == At::stored) return stored_->key();
  return writes_[backward_ ? write_ - 1 : write_].key;
}

BytesView OverlayCursor::head() const {
  if (at_ == At::stored) return stored_->head();
  return *writes_[backward_ ? write_ - 1 : write_].value;
}

engine::Result<BytesView> OverlayCursor::value() {
  if (at_ == At::stored) return stored_->value();
  return head();
}

}  // namespace shale::cluster
