#include "engine/lsm/value_file_scanner.h"

#include <algorithm>
#include <cassert>
#include <span>
#include <utility>

namespace shale::engine::lsm {
namespace {

constexpr std::size_t kReadBytes = 512U << 10;

}  // namespace

ValueFileScanner::ValueFileScanner(std::shared_ptr<const ValueFile> file)
    : file_(std::move(file)), buffer_(kReadBytes, '\0') {}

Result<BytesView> ValueFileScanner::fetch(std::uint64_t offset, std::size_t bytes) {
  const bool is_buffered =
      offset >= buffer_offset_ && offset + bytes <= buffer_offset_ + buffer_bytes_ && buffer_bytes_ != 0;
  if (!is_buffered) {
    const auto filled =
        static_cast<std::size_t>(std::min<std::uint64_t>(buffer_.size(), file_->records_end() - offset));
    assert(bytes <= filled);
    drop_buffer();
    if (Status status = file_->file_->read_at(offset, std::span{buffer_.data(), filled}); !status) {
      return status.error();
    }
    buffer_offset_ = offset;
    buffer_bytes_ = filled;
  }
  return BytesView{buffer_.data(), buffer_bytes_}.substr(offset - buffer_offset_);
}

void ValueFileScanner::drop_buffer() {
  if (buffer_bytes_ != 0) file_->file_->drop_cache(buffer_offset_, buffer_bytes_);
  buffer_bytes_ = 0;
}

Status ValueFileScanner::seek_first() {
  valid_ = false;
  records_seen_ = 0;
  if (file_->unreadable_reason()) return *file_->unreadable_reason();
  return enter(ValueFileHeader::kEncodedBytes);
}

Status ValueFileScanner::next() {
  assert(valid_);
  return enter(offset_ + value_record_bytes(key_.size(), value_bytes_));
}

Status ValueFileScanner::enter(std::uint64_t offset) {
  valid_ = false;
  const std::uint64_t left = file_->records_end() - offset;
  if (left == 0) {
    if (records_seen_ == file_->record_count()) return {};
    return file_->damaged(file_->records_end(), "footer with a wrong record count");
  }
  const auto head_bytes =
      static_cast<std::size_t>(std::min<std::uint64_t>(left, ValueRecordHead::kEncodedBytesMax));
  const Result<BytesView> begin = fetch(offset, head_bytes);
  if (!begin) return begin.error();
  const std::optional<ValueRecordHead> head = ValueRecordHead::decode(begin->substr(0, head_bytes));
  if (!head || head->key_bytes > left - head->encoded_bytes ||
      head->value_bytes > left - head->encoded_bytes - head->key_bytes) {
    return file_->damaged(offset, "damaged record");
  }
  ValueRecordHash hash{file_->number(), offset};
  hash.update(begin->substr(0, head->encoded_bytes).substr(ValueRecordHead::kChecksumBytes));
  const std::uint64_t key_offset = offset + head->encoded_bytes;
  const std::uint64_t value_offset = key_offset + head->key_bytes;
  key_.clear();
  if (Status read = read_through(key_offset, head->key_bytes, hash, &key_); !read) return read;
  if (Status read = read_through(value_offset, head->value_bytes, hash, nullptr); !read) return read;
  if (hash.digest() != head->checksum) return file_->damaged(offset, "checksum does not match");
  offset_ = offset;
  value_bytes_ = head->value_bytes;
  ++records_seen_;
  valid_ = true;
  return {};
}

Status ValueFileScanner::read_through(std::uint64_t offset, std::uint64_t bytes, ValueRecordHash& hash,
                                      Bytes* kept) {
  while (bytes != 0) {
    const Result<BytesView> fetched = fetch(offset, 1);
    if (!fetched) return fetched.error();
    const BytesView part = fetched->substr(0, bytes);
    hash.update(part);
    if (kept != nullptr) kept->append(part);
    offset += part.size();
    bytes -= part.size();
  }
  return {};
}

Status verify_value_file(std::shared_ptr<const ValueFile> file) {
  ValueFileScanner scanner{std::move(file)};
  Status status = scanner.seek_first();
  while (status && scanner.valid()) status = scanner.next();
  return status;
}

}  // namespace shale::engine::lsm
