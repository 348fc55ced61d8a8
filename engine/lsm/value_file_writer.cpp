#include "engine/lsm/value_file_writer.h"

#include <cassert>
#include <cstring>
#include <utility>

#include "engine/lsm/value_file_format.h"

namespace shale::engine::lsm {
namespace {

constexpr std::size_t kWriteBytes = 256U << 10;
// Bytes at least this many are written from where they lie instead of through the buffer.
constexpr std::size_t kDirectWriteBytes = 128U << 10;

}  // namespace

ValueFileWriter::ValueFileWriter(std::unique_ptr<File> file, std::uint64_t file_number)
    : file_(std::move(file)), file_number_(file_number) {
  written_.reserve(kWriteBytes + kDirectWriteBytes);
  const auto header = ValueFileHeader{kValueFileFormatVersion, file_number}.encode();
  written_.append(header.data(), header.size());
}

Result<ValueReference> ValueFileWriter::add(BytesView key, BytesView value) {
  assert(!finished_);
  if (value_record_bytes(key.size(), value.size()) > UINT32_MAX) {
    return Error{ErrorKind::unsupported, "a record of 4 GiB or more"};
  }
  const std::uint64_t offset = file_bytes();
  char head[ValueRecordHead::kEncodedBytesMax];
  const char* const lengths = head + ValueRecordHead::kChecksumBytes;
  char* const end =
      write_varint(write_varint(head + ValueRecordHead::kChecksumBytes, key.size()), value.size());
  ValueRecordHash hash{file_number_, offset};
  hash.update({lengths, static_cast<std::size_t>(end - lengths)});
  hash.update(key);
  hash.update(value);
  const std::uint64_t checksum = hash.digest();
  std::memcpy(head, &checksum, sizeof checksum);
  for (const BytesView part : {BytesView{head, static_cast<std::size_t>(end - head)}, key, value}) {
    if (Status status = append(part); !status) return status.error();
  }
  ++record_count_;
  return ValueReference::to(value, file_number_, offset);
}

Status ValueFileWriter::append(BytesView bytes) {
  if (bytes.size() < kDirectWriteBytes) {
    written_.append(bytes);
    return written_.size() < kWriteBytes ? Status{} : flush();
  }
  if (Status status = flush(); !status) return status;
  if (Status status = file_->write_at(flushed_bytes_, bytes); !status) return status;
  flushed_bytes_ += bytes.size();
  return {};
}

Status ValueFileWriter::flush() {
  if (written_.empty()) return {};
  if (Status status = file_->write_at(flushed_bytes_, written_); !status) return status;
  flushed_bytes_ += written_.size();
  written_.clear();
  return {};
}

Status ValueFileWriter::finish() {
  assert(!finished_);
  finished_ = true;
  const std::uint64_t record_bytes = file_bytes() - ValueFileHeader::kEncodedBytes;
  const auto footer = ValueFileFooter{record_count_, record_bytes}.encode(file_number_);
  written_.append(footer.data(), footer.size());
  if (Status status = flush(); !status) return status;
  return file_->sync();
}

}  // namespace shale::engine::lsm
