// Copies files in the background: a part at a time, synced as it goes, and at rest for as long as each part
// has taken, so that those who wait for the same disk get their turn.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

#include "engine/bytes.h"
#include "engine/io/file_system.h"
#include "engine/result.h"

namespace shale::engine {

// Used by one thread. All calls wait for the disk. Errors: io, no_space, corruption (a file is shorter than
// was asked for), stopped (it has been asked to).
class PacedCopy {
 public:
  PacedCopy(FileSystem& files, std::stop_token stop) : files_(files), stop_(std::move(stop)) {}

  // The bytes from `offset` on, to the same place. Durable after the next sync of `to`.
  Status range(const File& from, File& to, std::uint64_t offset, std::uint64_t length);
  // A file that nobody writes to, whole and durably, but for the name.
  Status file(const std::string& from, const std::string& to);

  Status check_stop() const;
  FileSystem& files() { return files_; }
  std::uint64_t bytes() const { return bytes_; }  // that have been copied

 private:
  FileSystem& files_;
  const std::stop_token stop_;
  std::uint64_t bytes_ = 0;
  Bytes buffer_;
};

}  // namespace shale::engine
