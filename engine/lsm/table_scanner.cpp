#include "engine/lsm/table_scanner.h"

#include <fmt/format.h>

#include <cassert>
#include <new>
#include <span>
#include <utility>

namespace shale::engine::lsm {

TableScanner::TableScanner(std::shared_ptr<const Table> table, std::uint32_t read_bytes)
    : table_(std::move(table)), read_bytes_(read_bytes), end_block_(table_->index_.block_count()) {}

TableScanner::~TableScanner() { drop_buffer(); }

void TableScanner::drop_buffer() {
  if (buffer_bytes_ != 0) table_->file_->drop_cache(buffer_offset_, buffer_bytes_);
  buffer_bytes_ = 0;
}

Status TableScanner::read_from(std::uint32_t block_index) {
  drop_buffer();
  const TableIndex& index = table_->index_;
  std::uint64_t bytes = index.stored_bytes(block_index);
  for (std::uint32_t block = block_index + 1; block < end_block_; ++block) {
    if (bytes + index.stored_bytes(block) > read_bytes_) break;
    bytes += index.stored_bytes(block);
  }
  if (buffer_.size() < bytes) buffer_.resize(bytes);
  const std::uint64_t offset = index.offset(block_index);
  if (Status status = table_->file_->read_at(offset, std::span{buffer_.data(), bytes}); !status)
    return status;
  buffer_offset_ = offset;
  buffer_bytes_ = bytes;
  bytes_read_ += bytes;
  return {};
}

Status TableScanner::enter(std::uint32_t block_index) {
  cursor_.reset({});
  const std::uint64_t offset = table_->index_.offset(block_index);
  const std::uint64_t stored_bytes = table_->index_.stored_bytes(block_index);
  try {
    if (offset < buffer_offset_ || offset + stored_bytes > buffer_offset_ + buffer_bytes_) {
      if (Status status = read_from(block_index); !status) return status;
    }
    BlockTrailer trailer;
    const BytesView stored{buffer_.data() + (offset - buffer_offset_), stored_bytes};
    Result<BytesView> payload = table_->check_stored(offset, stored, trailer);
    if (!payload) return payload.error();
    if (trailer.compression != Compression::none) {
      if (raw_.size() < trailer.raw_bytes) raw_.resize(trailer.raw_bytes);
      if (!decompress(trailer.compression, *payload, raw_.data(), trailer.raw_bytes)) {
        return table_->damaged(offset, "cannot be decompressed");
      }
      payload = BytesView{raw_.data(), trailer.raw_bytes};
    }
    const std::optional<BlockView> view = BlockView::parse(*payload);
    if (!view) return table_->damaged(offset, "damaged block");
    block_index_ = block_index;
    cursor_.reset(*view);
    return {};
  } catch (const std::bad_alloc&) {
    return Error{ErrorKind::io,
                 fmt::format("{}: offset {}: no memory for this block", table_->path(), offset)};
  }
}

Status TableScanner::enter_following_blocks() {
  while (!cursor_.valid() && block_index_ + 1 < table_->index_.block_count()) {
    if (Status status = enter(block_index_ + 1); !status) return status;
    cursor_.seek_first();
  }
  return {};
}

void TableScanner::set_end(BytesView key) {
  const std::optional<std::uint32_t> holding = table_->index_.find(key);
  end_block_ = holding ? *holding + 1 : 1;
}

Status TableScanner::seek_first() {
  cursor_.reset({});
  if (table_->index_.block_count() == 0) return {};
  if (Status status = enter(0); !status) return status;
  cursor_.seek_first();
  return {};
}

Status TableScanner::seek(BytesView key) {
  cursor_.reset({});
  if (table_->index_.block_count() == 0) return {};
  if (Status status = enter(table_->index_.find(key).value_or(0)); !status) return status;
  cursor_.seek(key);
  return enter_following_blocks();
}

Status TableScanner::seek_block(std::uint32_t block_index) {
  if (Status status = enter(block_index); !status) return status;
  cursor_.seek_first();
  return {};
}

Status TableScanner::next() {
  assert(valid());
  cursor_.next();
  return cursor_.valid() ? Status{} : enter_following_blocks();
}

}  // namespace shale::engine::lsm
