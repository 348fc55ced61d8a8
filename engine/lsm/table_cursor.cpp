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
      read_ahead_bytes_(read_ahead_bytes) {}

Status TableCursor::enter(std::uint32_t block, Direction read_ahead) {
  valid_ = false;
  // What a seek leads to is wanted as the block of a point read is: the blocks of young runs, which every
  // seek meets, stay. Those that a walk comes to go by.
  const auto access = read_ahead == Direction::none ? BlockCache::Access::point : BlockCache::Access::scan;
  Result<BlockHandle> resident = table_.resident_block(block, access, Table::Admission::by_lot);
  if (!resident) return resident.error();
  if (*resident == nullptr) return request(block, read_ahead);
  // A walk comes to the next block soon: the processor fetches its beginning meanwhile.
  if (read_ahead == Direction::forward && block + 1 != table_.index_.block_count()) {
    table_.slots_[block + 1].prefetch_block();
  }
  block_index_ = block;
  block_ = *std::move(resident);
  cursor_.reset(block_->view());
  return {};
}

Error TableCursor::request(std::uint32_t block, Direction read_ahead) {
  const TableIndex& index = table_.index_;
  std::uint32_t first = block;
  std::uint32_t end = block + 1;
  if (read_ahead != Direction::none) {
    const std::uint64_t wanted = std::uint64_t{kFirstReadAheadBytes} << std::min(followed_blocks_ - 1, 8U);
    const std::uint64_t bytes_max = std::min<std::uint64_t>(wanted, read_ahead_bytes_);
    std::uint64_t bytes = index.stored_bytes(block);
    const auto takes = [&](std::uint32_t other) {
      bytes += index.stored_bytes(other);
      return bytes <= bytes_max && table_.slots_[other].is_empty();
    };
    if (read_ahead == Direction::forward) {
      while (end != index.block_count() &&
             (bounds_.end.empty() || !index.begins_at_or_above(end, bounds_.end)) && takes(end)) {
        ++end;
      }
    } else {
      while (first != 0 && !index.begins_at_or_below(first, bounds_.begin) && takes(first - 1)) --first;
    }
  }
  return table_.request(block, first, end, context_);
}

Status TableCursor::enter_next_block() {
  valid_ = false;
  const std::uint32_t next = block_index_ + 1;
  if (next == table_.index_.block_count()) return {};
  if (!bounds_.end.empty() && table_.index_.begins_at_or_above(next, bounds_.end)) return {};
  ++followed_blocks_;
  if (Status status = enter(next, Direction::forward); !status) return status;
  cursor_.seek_first();
  return settle_forward();
}

Status TableCursor::enter_previous_block() {
  valid_ = false;
  if (block_index_ == 0 || table_.index_.begins_at_or_below(block_index_, bounds_.begin)) return {};
  ++followed_blocks_;
  if (Status status = enter(block_index_ - 1, Direction::backward); !status) return status;
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
  if (Status status = enter(table_.index_.find(from).value_or(0), Direction::none); !status) return status;
  cursor_.seek(from);
  return settle_forward();
}

Status TableCursor::seek_before(BytesView key) {
  valid_ = false;
  const BytesView to = bounds_.end.empty() ? key : std::min(key, bounds_.end);
  if (to <= bounds_.begin) return {};
  const std::optional<std::uint32_t> block = table_.index_.find_before(to);
  if (!block) return {};
  if (Status status = enter(*block, Direction::none); !status) return status;
  cursor_.seek_before(to);
  return settle_backward();
}

Status TableCursor::seek_last() {
  if (!bounds_.end.empty()) return seek_before(bounds_.end);
  valid_ = false;
  if (table_.index_.block_count() == 0) return {};
  if (Status status = enter(table_.index_.block_count() - 1, Direction::none); !status) return status;
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
