// Reads a value file from its beginning to its end and checks every record, also those that nobody refers to
// any more: for verification and repair. Sequentially, in pieces of bounded size however large the values
// are, past the block cache and leaving nothing in the kernel's. Waits for the disk.
#pragma once

#include <cstdint>
#include <memory>

#include "engine/lsm/value_file.h"
#include "engine/result.h"

namespace shale::engine::lsm {

// Used by one thread. After an error it is of no further use: where the next record begins is not known.
class ValueFileScanner {
 public:
  explicit ValueFileScanner(std::shared_ptr<const ValueFile> file);
  ~ValueFileScanner() { drop_buffer(); }
  ValueFileScanner(const ValueFileScanner&) = delete;
  ValueFileScanner& operator=(const ValueFileScanner&) = delete;

  Status seek_first();
  // To the next record; past the last one, checks the record count that the footer states.
  Status next();  // requires valid()

  bool valid() const { return valid_; }
  // Of the current record, which has been checked. The value itself is not kept.
  std::uint64_t offset() const { return offset_; }
  BytesView key() const { return key_; }
  std::uint64_t value_bytes() const { return value_bytes_; }

 private:
  Status enter(std::uint64_t offset);
  // Feeds [offset, offset + bytes) to `hash`, and appends it to `kept` if that is not null.
  Status read_through(std::uint64_t offset, std::uint64_t bytes, ValueRecordHash& hash, Bytes* kept);
  // At least `bytes` from `offset` on, which the buffer must be able to hold. The view ends with the buffer
  // or with the records.
  Result<BytesView> fetch(std::uint64_t offset, std::size_t bytes);
  void drop_buffer();

  const std::shared_ptr<const ValueFile> file_;
  Bytes buffer_;
  std::uint64_t buffer_offset_ = 0;  // of its first byte in the file
  std::size_t buffer_bytes_ = 0;     // how much of it is filled
  bool valid_ = false;
  std::uint64_t records_seen_ = 0;
  std::uint64_t offset_ = 0;
  Bytes key_;
  std::uint64_t value_bytes_ = 0;
};

// Whether every record of the file is sound. Errors: what is wrong with the first that is not.
Status verify_value_file(std::shared_ptr<const ValueFile> file);

}  // namespace shale::engine::lsm
