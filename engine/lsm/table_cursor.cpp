#include "engine/lsm/table_cursor.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace shale::engine::lsm {

TableCursor::TableCursor(const Table& table, CursorBounds bounds, ReadContext& context,
                         std::uint32_t read_ahead_bytes)
    : table_(table),
      bounds_(bounds),
      begin_head_(key_head(bounds.begin)),
      end_head_(bounds.end.empty() ? UINT64_MAX : key_head(bounds.end)),
      context_(context),
      read_ahead_bytes_max_(read_ahead_bytes) {}

TableCursor::~TableCursor() { table_.note_walk(followed_blocks_); }

Status TableCursor::enter(std::uint32_t block, Direction direction, Arrival arrival) {
  valid_ = false;
  // What a seek leads to is wanted as the block of a point read is: the blocks of young runs, which every
  // seek meets, stay. Those that a walk comes to go by.
  const auto access = arrival == Arrival::seek ? BlockCache::Access::point : BlockCache::Access::scan;
  Result<BlockHandle> known = table_.known_block(block, access);
  if (!known) return known.error();
  if (*known != nullptr) {
    block_ = *std::move(known);
    cursor_.reset(block_->view());
  } else {
    std::optional<Table::WalkedBlock> read = read_here(block, direction, arrival);
    if (!read) return request(block, direction, arrival);
    block_ = std::move(read->handle);
    cursor_.reset(read->view);
  }
  // A walk comes to the next block soon: the processor fetches its beginning meanwhile.
  if (direction == Direction::forward && arrival == Arrival::walk &&
      block + 1 != table_.index_.block_count()) {
    table_.slots_[block + 1].prefetch_block();
  }
  block_index_ = block;
  return {};
}

std::optional<Table::WalkedBlock> TableCursor::read_here(std::uint32_t block, Direction direction,
                                                         Arrival arrival) {
  if (!window_.covers(block)) {
    if (table_.index_.stored_bytes(block) > Table::kResidentReadBytesMax) return std::nullopt;
    const BlockRange range = arrival == Arrival::seek
                                 ? reach(block, direction, expected_blocks(), read_ahead_bytes_max_)
                                 : reach(block, direction, UINT32_MAX, read_ahead_bytes());
    window_.read(*table_.file_, table_.index_, range.first, range.end);
    // It alone may be there when not all are.
    if (!window_.covers(block) && range.end - range.first > 1) {
      window_.read(*table_.file_, table_.index_, block, block + 1);
    }
    if (!window_.covers(block)) return std::nullopt;
  }
  return table_.open_stored(block, window_.stored(table_.index_, block), arrival == Arrival::seek);
}

Error TableCursor::request(std::uint32_t block, Direction direction, Arrival arrival) {
  const BlockRange range =
      reach(block, direction, arrival == Arrival::seek ? 1 : UINT32_MAX, read_ahead_bytes());
  return table_.request(block, range.first, range.end, context_);
}

TableCursor::BlockRange TableCursor::reach(std::uint32_t block, Direction direction, std::uint32_t blocks_max,
                                           std::uint64_t bytes_max) const {
  const TableIndex& index = table_.index_;
  BlockRange range{block, block + 1};
  std::uint64_t bytes = index.stored_bytes(block);
  const auto takes = [&](std::uint32_t other) {
    bytes += index.stored_bytes(other);
    return bytes <= bytes_max && range.end - range.first < blocks_max && table_.slots_[other].is_empty();
  };
  if (direction == Direction::forward) {
    while (range.end != index.block_count() &&
           (bounds_.end.empty() || !index.begins_at_or_above(range.end, bounds_.end)) && takes(range.end)) {
      ++range.end;
    }
  } else {
    while (range.first != 0 && !index.begins_at_or_below(range.first, bounds_.begin) &&
           takes(range.first - 1)) {
      --range.first;
    }
  }
  return range;
}

// Rather a block too many: to copy it costs a fraction of the call that would fetch it later.
std::uint32_t TableCursor::expected_blocks() const {
  return 1 + static_cast<std::uint32_t>(1.25 * table_.expected_walk() + 0.75);
}

std::uint64_t TableCursor::read_ahead_bytes() const {
  const std::uint32_t doublings = std::min(std::max(followed_blocks_, 1U) - 1, 8U);
  return std::min<std::uint64_t>(std::uint64_t{kFirstReadAheadBytes} << doublings, read_ahead_bytes_max_);
}

Status TableCursor::enter_next_block() {
  valid_ = false;
  const std::uint32_t next = block_index_ + 1;
  if (next == table_.index_.block_count()) return {};
  if (!bounds_.end.empty() && table_.index_.begins_at_or_above(next, bounds_.end)) return {};
  ++followed_blocks_;
  if (Status status = enter(next, Direction::forward, Arrival::walk); !status) return status;
  cursor_.seek_first();
  return settle_forward();
}

Status TableCursor::enter_previous_block() {
  valid_ = false;
  if (block_index_ == 0 || table_.index_.begins_at_or_below(block_index_, bounds_.begin)) return {};
  ++followed_blocks_;
  if (Status status = enter(block_index_ - 1, Direction::backward, Arrival::walk); !status) return status;
  cursor_.seek_last();
  return settle_backward();
}

void TableCursor::look() {
  head_ = key_head(cursor_.entry().key);
  valid_ = true;
}

Status TableCursor::settle_forward() {
  if (!cursor_.valid()) return enter_next_block();
  look();
  if (head_ >= end_head_ && !bounds_.end.empty()) valid_ = cursor_.entry().key < bounds_.end;
  return {};
}

Status TableCursor::settle_backward() {
  if (!cursor_.valid()) return enter_previous_block();
  look();
  if (head_ <= begin_head_) valid_ = cursor_.entry().key >= bounds_.begin;
  return {};
}

BytesView TableCursor::at_or_behind_begin(BytesView key) const {
  const std::uint64_t head = key_head(key);
  if (head != begin_head_) return head < begin_head_ ? bounds_.begin : key;
  return std::max(key, bounds_.begin);
}

Status TableCursor::seek(BytesView key) {
  valid_ = false;
  if (table_.index_.block_count() == 0) return {};
  const BytesView from = at_or_behind_begin(key);
  if (key_head(from) >= end_head_ && !bounds_.end.empty() && from >= bounds_.end) return {};
  if (Status status = enter(table_.index_.find(from).value_or(0), Direction::forward, Arrival::seek);
      !status) {
    return status;
  }
  cursor_.seek(from);
  return settle_forward();
}

Status TableCursor::seek_before(BytesView key) {
  valid_ = false;
  const BytesView to = bounds_.end.empty() ? key : std::min(key, bounds_.end);
  if (to <= bounds_.begin) return {};
  const std::optional<std::uint32_t> block = table_.index_.find_before(to);
  if (!block) return {};
  if (Status status = enter(*block, Direction::backward, Arrival::seek); !status) return status;
  cursor_.seek_before(to);
  return settle_backward();
}

Status TableCursor::seek_last() {
  if (!bounds_.end.empty()) return seek_before(bounds_.end);
  valid_ = false;
  if (table_.index_.block_count() == 0) return {};
  if (Status status = enter(table_.index_.block_count() - 1, Direction::backward, Arrival::seek); !status) {
    return status;
  }
  cursor_.seek_last();
  return settle_backward();
}

Status TableCursor::next() {
  assert(valid());
  cursor_.next();
  return settle_forward();
}

Status TableCursor::previous() {
  assert(valid());
  cursor_.previous();
  return settle_backward();
}

}  // namespace shale::engine::lsm
