// Reads the records of one segment file, a window at a time: a segment is read, not mapped, when the log is
// opened, so that an unreadable disk block is an Error and not a SIGBUS.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "engine/io/file_system.h"
#include "engine/log/segment_format.h"
#include "engine/result.h"

namespace shale::engine {

class SegmentReader {
 public:
  struct Record {
    RecordHeader header;
    BytesView payload;  // valid until the next call
    std::uint64_t end = 0;
  };

  // Checks the segment's header against its checksum, its name and the file's size.
  static Result<SegmentReader> open(FileSystem& files, const std::string& path, std::uint64_t number);

  const SegmentHeader& header() const { return header_; }
  const std::string& path() const { return path_; }

  // The record that starts at `offset`, if it is whole.
  Result<std::optional<Record>> record_at(std::uint64_t offset);
  // What stands at `offset` if it is taken for a record's header; nothing past the end.
  Result<std::optional<RecordHeader>> header_at(std::uint64_t offset);
  // The first place from `offset` on, in steps of a record's alignment, where a header would have an lsn
  // within [lowest, highest]. Whether a whole record is there is for record_at to say.
  Result<std::optional<std::uint64_t>> find_lsn(std::uint64_t offset, Lsn lowest, Lsn highest);

 private:
  SegmentReader(std::unique_ptr<File> file, std::string path)
      : file_(std::move(file)), path_(std::move(path)) {}

  Result<BytesView> view(std::uint64_t offset, std::uint64_t length);

  std::unique_ptr<File> file_;
  std::string path_;
  SegmentHeader header_;
  Bytes window_;
  std::uint64_t window_offset_ = 0;
};

}  // namespace shale::engine
