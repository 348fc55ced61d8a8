// Makes, recycles and removes the files of log segments, so that a crash between any two steps leaves a
// folder that recovery understands:
//
//   F1  A file named as a segment has a durable, valid header. It is prepared under a spare's name, synced,
//       and only then renamed.
//   F2  A segment that is used again first takes a spare's name, durably: its new header is never found under
//       its old name.
//
// All calls wait for disks. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "engine/io/file_system.h"
#include "engine/log/closing_note.h"
#include "engine/log/segment_format.h"
#include "engine/result.h"

namespace shale::engine {

struct Segment {
  SegmentHeader header;
  std::string path;
  // Shared with whoever syncs or prefaults just now. Null once the segment is full and synced.
  std::shared_ptr<MappedFile> map;
  Lsn first_lsn = 0;                  // of its first record, or of the next record while there is none
  std::uint64_t end = kRecordsBegin;  // where the next record goes
  std::uint64_t synced_end = kRecordsBegin;
  std::uint64_t prefaulted_end = 0;

  std::uint64_t records_end() const { return records_end_max(header.size_bytes); }
};

class SegmentFiles {
 public:
  // `next_number` must be greater than any number in the folder.
  SegmentFiles(FileSystem& files, std::string folder, std::uint64_t next_number)
      : files_(files), folder_(std::move(folder)), next_number_(next_number) {}

  // A durable, empty, mapped segment; made of the spare at `reuse` (which has `size_bytes`) if there is one.
  // Error{stopped} if a sync failed: the folder is not to be trusted any more. Other errors leave no trace
  // that matters; try again later, without `reuse`.
  Result<std::unique_ptr<Segment>> prepare(std::uint64_t size_bytes, const std::optional<std::string>& reuse);
  // Takes the file out of the log, to be used again by prepare(); returns the spare's path. Not durable
  // before sync_folder().
  Result<std::string> make_spare(const std::string& path);
  Status remove(const std::string& path) { return files_.remove(path); }
  Status sync_folder() { return files_.sync_folder(folder_); }
  // Records up to `lsn` are durable, and the log is being closed.
  Status note_closed(Lsn lsn) { return write_closing_note(files_, folder_, lsn); }

 private:
  Result<std::unique_ptr<Segment>> make_segment(const SegmentHeader& header, const std::string& spare,
                                                bool reuse);

  FileSystem& files_;
  const std::string folder_;
  std::atomic<std::uint64_t> next_number_;
};

}  // namespace shale::engine
