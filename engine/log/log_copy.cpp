#include "engine/log/log_copy.h"

#include "engine/log/segment_format.h"

namespace shale::engine {
namespace {

// `next_lsn`: of the record that comes next, in another segment.
Status copy_part(PacedCopy& copy, const LogCut::Part& part, Lsn next_lsn, const std::string& path) {
  const auto from = copy.files().open(part.path);
  if (!from) return from.error();
  auto to = copy.files().create(path);
  if (!to) return to.error();
  // No longer than its records and the seal. The identity stays, since the records' checksums cover it.
  const SegmentHeader header{part.number, part.identity, part.end + RecordHeader::kEncodedBytes};
  Bytes head(SegmentHeader::kEncodedBytes, '\0');
  header.encode(head.data());
  if (Status written = (*to)->write_at(0, head); !written) return written;
  if (Status copied = copy.range(**from, **to, kRecordsBegin, part.end - kRecordsBegin); !copied)
    return copied;
  RecordHeader seal;
  seal.lsn = next_lsn;
  seal.kind = kSealKind;
  seal.unsynced = 0;
  seal.seal_with(part.identity, hash_bytes({}));
  Bytes tail(RecordHeader::kEncodedBytes, '\0');
  seal.encode(tail.data());
  if (Status written = (*to)->write_at(part.end, tail); !written) return written;
  return (*to)->sync();
}

}  // namespace

std::uint64_t bytes_of(const LogCut& cut) {
  std::uint64_t bytes = 0;
  for (const LogCut::Part& part : cut.parts) bytes += part.end;
  return bytes;
}

Status copy_log(PacedCopy& copy, const LogCut& cut, const std::string& folder) {
  for (std::size_t i = 0; i < cut.parts.size(); ++i) {
    const LogCut::Part& part = cut.parts[i];
    const Lsn next_lsn = i + 1 < cut.parts.size() ? cut.parts[i + 1].first_lsn : cut.lsn + 1;
    Status copied = copy_part(copy, part, next_lsn, segment_path(folder, part.number));
    if (!copied) return copied;
  }
  return copy.files().sync_folder(folder);
}

}  // namespace shale::engine
