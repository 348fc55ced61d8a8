// Writes a value file (value_file.h). Bytes on disk: docs/formats.md, "Value files".
#pragma once

#include <cstdint>
#include <memory>

#include "engine/bytes.h"
#include "engine/io/file_system.h"
#include "engine/lsm/value_reference.h"
#include "engine/result.h"

namespace shale::engine::lsm {

// Used by one thread. The caller creates the file under a temporary name and renames it after finish().
// After an error, and if it is destroyed before finish(), the file is of no use.
class ValueFileWriter {
 public:
  ValueFileWriter(std::unique_ptr<File> file, std::uint64_t file_number);
  ValueFileWriter(const ValueFileWriter&) = delete;
  ValueFileWriter& operator=(const ValueFileWriter&) = delete;

  // Appends a record and says where it is; the reference's head is a view of `value`. Keys may come in any
  // order. A large value is written from where it lies, without a copy. Errors: io, no_space; unsupported for
  // a record beyond 4 GiB.
  Result<ValueReference> add(BytesView key, BytesView value);

  std::uint64_t file_number() const { return file_number_; }
  std::uint64_t record_count() const { return record_count_; }
  std::uint64_t file_bytes() const { return flushed_bytes_ + written_.size(); }  // so far

  // Writes the footer and syncs the file. Call once; then only destroy.
  Status finish();

 private:
  Status append(BytesView bytes);
  Status flush();

  const std::unique_ptr<File> file_;
  const std::uint64_t file_number_;
  std::uint64_t record_count_ = 0;
  bool finished_ = false;
  Bytes written_;  // not yet in the file
  std::uint64_t flushed_bytes_ = 0;
};

}  // namespace shale::engine::lsm
