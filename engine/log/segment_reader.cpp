#include "engine/log/segment_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace shale::engine {
namespace {

constexpr std::uint64_t kWindowBytes = 1u << 18;

}  // namespace

Result<SegmentReader> SegmentReader::open(FileSystem& files, const std::string& path, std::uint64_t number) {
  auto file = files.open(path);
  if (!file) return file.error();
  const auto size_bytes = (*file)->size();
  if (!size_bytes) return size_bytes.error();

  SegmentReader reader{std::move(*file), path};
  reader.header_.size_bytes = *size_bytes;  // the bound of view(), until the header has been read
  const auto bytes = reader.view(0, std::min<std::uint64_t>(*size_bytes, SegmentHeader::kEncodedBytes));
  if (!bytes) return bytes.error();
  const auto header = SegmentHeader::decode(*bytes, path);
  if (!header) return header.error();
  if (header->number != number) {
    return corruption(fmt::format("{} at offset 0: the header is that of segment {}", path, header->number));
  }
  if (header->size_bytes != *size_bytes) {
    return corruption(
        fmt::format("{} is {} bytes long, its header says {}", path, *size_bytes, header->size_bytes));
  }
  reader.header_ = *header;
  return reader;
}

Result<BytesView> SegmentReader::view(std::uint64_t offset, std::uint64_t length) {
  if (offset < window_offset_ || offset + length > window_offset_ + window_.size()) {
    const std::uint64_t left = header_.size_bytes - offset;
    window_.resize(std::min(std::max(length, kWindowBytes), left));
    window_offset_ = offset;
    if (Status status = file_->read_at(offset, window_); !status) return status.error();
  }
  return BytesView{window_}.substr(offset - window_offset_, length);
}

Result<std::optional<RecordHeader>> SegmentReader::header_at(std::uint64_t offset) {
  if (offset + RecordHeader::kEncodedBytes > header_.size_bytes) return std::optional<RecordHeader>{};
  const auto bytes = view(offset, RecordHeader::kEncodedBytes);
  if (!bytes) return bytes.error();
  return std::optional{RecordHeader::decode(bytes->data())};
}

Result<std::optional<std::uint64_t>> SegmentReader::find_lsn(std::uint64_t offset, Lsn lowest, Lsn highest) {
  constexpr std::uint64_t kHeaderBytes = RecordHeader::kEncodedBytes;
  while (offset + kHeaderBytes <= header_.size_bytes) {
    const auto bytes = view(offset, std::min(kWindowBytes, header_.size_bytes - offset));
    if (!bytes) return bytes.error();
    std::uint64_t at = 0;
    for (; at + kHeaderBytes <= bytes->size(); at += 8) {
      const Lsn lsn = RecordHeader::decode(bytes->data() + at).lsn;
      if (lsn >= lowest && lsn <= highest) return std::optional{offset + at};
    }
    offset += at;
  }
  return std::optional<std::uint64_t>{};
}

Result<std::optional<SegmentReader::Record>> SegmentReader::record_at(std::uint64_t offset) {
  const auto header = header_at(offset);
  if (!header) return header.error();
  if (!*header || (*header)->lsn == 0) return std::optional<Record>{};
  const std::uint64_t payload_offset = offset + RecordHeader::kEncodedBytes;
  const std::uint64_t payload_bytes = (*header)->payload_bytes;
  if (payload_bytes > header_.size_bytes - payload_offset) return std::optional<Record>{};
  const auto payload = view(payload_offset, payload_bytes);
  if (!payload) return payload.error();
  if (!(*header)->matches(header_.identity, hash_bytes(*payload))) return std::optional<Record>{};
  return std::optional{Record{**header, *payload, offset + record_span(payload_bytes)}};
}

}  // namespace shale::engine
