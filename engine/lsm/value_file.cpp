#include "engine/lsm/value_file.h"

#include <fmt/format.h>

#include <array>
#include <cassert>
#include <new>
#include <utility>

#include "engine/lsm/value_load.h"

namespace shale::engine::lsm {

ValueFile::ValueFile(std::string path, std::uint64_t file_number, BlockCache& cache)
    : path_(std::move(path)),
      number_(file_number),
      cache_(cache),
      cache_id_(cache.new_table()),
      loads_(std::make_unique<ValueLoadRegistry>()) {}

ValueFile::~ValueFile() = default;

Result<std::shared_ptr<ValueFile>> ValueFile::open(FileSystem& files, const std::string& path,
                                                   std::uint64_t file_number, BlockCache& cache) {
  Result<std::unique_ptr<File>> file = files.open(path);
  if (!file) return file.error();
  const std::shared_ptr<ValueFile> opened{new ValueFile{path, file_number, cache}};
  opened->file_ = std::move(*file);
  if (Status status = opened->read_ends(); !status) return status.error();
  return opened;
}

std::shared_ptr<ValueFile> ValueFile::unreadable(const std::string& path, std::uint64_t file_number,
                                                 BlockCache& cache, Error reason) {
  std::shared_ptr<ValueFile> file{new ValueFile{path, file_number, cache}};
  file->unreadable_reason_ = std::move(reason);
  return file;
}

Error ValueFile::damaged(std::uint64_t offset, std::string_view what) const {
  return corruption(fmt::format("{}: offset {}: {}", path_, offset, what));
}

Error ValueFile::refused(ValueFileState state, std::uint64_t offset, std::string_view part) const {
  switch (state) {
    case ValueFileState::not_a_value_file: return damaged(offset, fmt::format("no {} of a value file", part));
    case ValueFileState::newer_version:
      return {ErrorKind::unsupported, fmt::format("{}: a value file of a later format; this build knows {}",
                                                  path_, kValueFileFormatVersion)};
    case ValueFileState::damaged:
    case ValueFileState::sound: break;
  }
  return damaged(offset, fmt::format("damaged {}", part));
}

Status ValueFile::read_ends() {
  const Result<std::uint64_t> size = file_->size();
  if (!size) return size.error();
  if (*size < ValueFileHeader::kEncodedBytes + ValueFileFooter::kEncodedBytes) {
    return damaged(0, "too short for a value file");
  }
  std::array<char, ValueFileHeader::kEncodedBytes> encoded_header;
  if (Status status = file_->read_at(0, encoded_header); !status) return status;
  ValueFileHeader header;
  const ValueFileState header_state = ValueFileHeader::decode(encoded_header, header);
  if (header_state != ValueFileState::sound) return refused(header_state, 0, "header");
  if (header.file_number != number_) {
    return damaged(0, fmt::format("is value file {}, not {}", header.file_number, number_));
  }
  const std::uint64_t footer_offset = *size - ValueFileFooter::kEncodedBytes;
  std::array<char, ValueFileFooter::kEncodedBytes> encoded_footer;
  if (Status status = file_->read_at(footer_offset, encoded_footer); !status) return status;
  ValueFileFooter footer;
  const ValueFileState footer_state = ValueFileFooter::decode(encoded_footer, number_, footer);
  if (footer_state != ValueFileState::sound) return refused(footer_state, footer_offset, "footer");
  if (footer.record_bytes != footer_offset - ValueFileHeader::kEncodedBytes) {
    return damaged(footer_offset, "is not as long as its footer says");
  }
  footer_ = footer;
  file_bytes_ = *size;
  return {};
}

Result<BlockHandle> ValueFile::read_record(std::uint64_t offset, std::uint64_t record_bytes) const {
  if (unreadable_reason_) return *unreadable_reason_;
  if (offset < ValueFileHeader::kEncodedBytes || offset > records_end() ||
      record_bytes > records_end() - offset || record_bytes > UINT32_MAX) {
    return damaged(offset,
                   fmt::format("no room for a record of {} bytes that a table refers to", record_bytes));
  }
  boost::intrusive_ptr<Block> record;
  try {
    record = Block::allocate(static_cast<std::uint32_t>(record_bytes));
  } catch (const std::bad_alloc&) {
    return Error{ErrorKind::io, fmt::format("{}: no memory for {} bytes", path_, record_bytes)};
  }
  if (Status status = file_->read_at(offset, record->bytes()); !status) return status.error();
  const BytesView stored = record->stored();
  ValueRecordHash hash{number_, offset};
  hash.update(stored.substr(ValueRecordHead::kChecksumBytes));
  if (hash.digest() != load_u64(stored.data())) return damaged(offset, "checksum does not match");
  return BlockHandle{std::move(record)};
}

Result<LoadedValue> ValueFile::value_in(BlockHandle record, BytesView key,
                                        const ValueReference& reference) const {
  const BytesView stored = record->stored();
  const std::optional<ValueRecordHead> head = ValueRecordHead::decode(stored);
  const bool fits = head && head->key_bytes == key.size() && head->value_bytes == reference.value_bytes &&
                    stored.size() == head->encoded_bytes + head->key_bytes + head->value_bytes;
  if (!fits || stored.substr(head->encoded_bytes, key.size()) != key) {
    return damaged(reference.offset, "a record of another key or length than the table's reference");
  }
  const BytesView value = stored.substr(head->encoded_bytes + key.size());
  return LoadedValue{std::move(record), value};
}

Result<BlockHandle> ValueFile::resident_record(std::uint64_t offset, BlockCache::Access access) const {
  BlockHandle record = cache_.find(block_id(offset), access);
  if (record != nullptr) return record;
  const std::shared_ptr<ValueLoad> load = loads_->find(offset);
  if (load == nullptr) return BlockHandle{};
  return load->outcome().value_or(BlockHandle{});
}

Result<BytesView> ValueFile::find(BytesView key, const ValueReference& reference, ReadContext& context,
                                  BlockCache::Access access) const {
  assert(reference.file == number_);
  if (unreadable_reason_) return *unreadable_reason_;
  Result<BlockHandle> record = resident_record(reference.offset, access);
  if (!record) return record.error();
  if (*record == nullptr) {
    const std::uint64_t record_bytes = value_record_bytes(key.size(), reference.value_bytes);
    context.missing.push_back(loads_->find_or_make(*this, reference.offset, record_bytes));
    return Error{ErrorKind::not_resident, {}};
  }
  Result<LoadedValue> loaded = value_in(*std::move(record), key, reference);
  if (!loaded) return loaded.error();
  context.pins.push_back(std::move(loaded->record));
  return loaded->value;
}

Result<LoadedValue> ValueFile::read(BytesView key, const ValueReference& reference) const {
  assert(reference.file == number_);
  Result<BlockHandle> record =
      read_record(reference.offset, value_record_bytes(key.size(), reference.value_bytes));
  if (!record) return record.error();
  return value_in(*std::move(record), key, reference);
}

void ValueFile::drop_page_cache(BytesView key, const ValueReference& reference) const {
  if (file_ == nullptr) return;
  file_->drop_cache(reference.offset, value_record_bytes(key.size(), reference.value_bytes));
}

}  // namespace shale::engine::lsm
