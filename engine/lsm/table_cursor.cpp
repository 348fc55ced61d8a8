#include "engine/lsm/table_cursor.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace shale::engine::lsm {

TableCursor::TableCursor(std::shared_ptr<const Table> table, ReadContext& context,
                         std::uint32_t read_ahead_bytes)
    : table_(std::move(table)), context_(context), read_ahead_bytes_(read_ahead_bytes) {}

Status TableCursor::enter(std::uint32_t block_index, std::uint32_t read_ahead_bytes) {
  block_ = nullptr;
  Result<BlockHandle> block = table_->resident_block(block_index, BlockCache::Access::scan);
  if (!block) return block.error();
  if (*block == nullptr) return table_->request(block_index, read_ahead_bytes, context_);
  block_index_ = block_index;
  block_ = *std::move(block);
  cursor_.reset(block_->view());
  return {};
}

Status TableCursor::enter_next_block() {
  if (block_index_ + 1 == table_->index_.block_count()) {
    block_ = nullptr;
    return {};
  }
  const std::uint64_t ahead = std::uint64_t{kFirstReadAheadBytes} << std::min(followed_blocks_++, 8U);
  const auto bounded = static_cast<std::uint32_t>(std::min<std::uint64_t>(ahead, read_ahead_bytes_));
  if (Status status = enter(block_index_ + 1, bounded); !status) return status;
  cursor_.seek_first();
  return {};
}

Status TableCursor::enter_previous_block() {
  if (block_index_ == 0) {
    block_ = nullptr;
    return {};
  }
  if (Status status = enter(block_index_ - 1, 0); !status) return status;
  cursor_.seek_last();
  return {};
}

Status TableCursor::seek(BytesView key) {
  block_ = nullptr;
  if (table_->index_.block_count() == 0) return {};
  if (Status status = enter(table_->index_.find(key).value_or(0), 0); !status) return status;
  cursor_.seek(key);
  return cursor_.valid() ? Status{} : enter_next_block();
}

Status TableCursor::seek_back(BytesView key) {
  block_ = nullptr;
  const std::optional<std::uint32_t> block_index = table_->index_.find(key);
  if (!block_index) return {};
  if (Status status = enter(*block_index, 0); !status) return status;
  cursor_.seek(key);
  if (!cursor_.valid()) {
    cursor_.seek_last();
    return {};
  }
  return cursor_.entry().key == key ? Status{} : prev();
}

Status TableCursor::seek_first() {
  block_ = nullptr;
  if (table_->index_.block_count() == 0) return {};
  if (Status status = enter(0, 0); !status) return status;
  cursor_.seek_first();
  return {};
}

Status TableCursor::seek_last() {
  block_ = nullptr;
  if (table_->index_.block_count() == 0) return {};
  if (Status status = enter(table_->index_.block_count() - 1, 0); !status) return status;
  cursor_.seek_last();
  return {};
}

Status TableCursor::next() {
  assert(valid());
  cursor_.next();
  return cursor_.valid() ? Status{} : enter_next_block();
}

Status TableCursor::prev() {
  assert(valid());
  cursor_.prev();
  return cursor_.valid() ? Status{} : enter_previous_block();
}

}  // namespace shale::engine::lsm
