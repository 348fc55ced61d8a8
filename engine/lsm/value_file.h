// An open value file: large values outside the tree, so that compaction moves references and not the values.
// Immutable, shared, read by any number of threads at once. Why and when: docs/lsm.md, "Large values".
//
//   I1  Nothing here waits for a disk except open(), read(), the Loads, and ValueFileScanner.
//   I2  Every record is checked when it is read: checksum, key, length.
//   I3  A value lives in the BlockCache as its whole record, under the record's offset. A read that lacks it
//       shares the Load of whoever asked for it first. While anyone keeps that Load, the file finds the value
//       through it, also if the cache has evicted or refused it.
//   I4  An error met by a Load is returned by every read of the value while the Load is kept. After that the
//       record is read again: a disk may recover.
//   I5  A file that is missing or damaged at its ends fails the reads of its values and nothing else.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/bytes.h"
#include "engine/engine.h"
#include "engine/io/file_system.h"
#include "engine/lsm/block_cache.h"
#include "engine/lsm/value_file_format.h"
#include "engine/lsm/value_reference.h"
#include "engine/result.h"

namespace shale::engine::lsm {

class ValueLoadRegistry;

// A record of a value file in memory.
struct LoadedValue {
  BlockHandle record;  // keeps the bytes
  BytesView value;     // a view of them
};

class ValueFile : public std::enable_shared_from_this<ValueFile> {
 public:
  // Waits for the disk. `cache` must outlive the file and every Load made by it. A file that is not a whole
  // value file with this number is Error{corruption}, one of a later format Error{unsupported}.
  static Result<std::shared_ptr<ValueFile>> open(FileSystem& files, const std::string& path,
                                                 std::uint64_t file_number, BlockCache& cache);
  // In place of a file that cannot be opened: all its reads return `reason`.
  static std::shared_ptr<ValueFile> unreadable(const std::string& path, std::uint64_t file_number,
                                               BlockCache& cache, Error reason);
  ~ValueFile();
  ValueFile(const ValueFile&) = delete;
  ValueFile& operator=(const ValueFile&) = delete;

  std::uint64_t number() const { return number_; }
  const std::string& path() const { return path_; }
  const std::optional<Error>& unreadable_reason() const { return unreadable_reason_; }
  std::uint64_t record_count() const { return footer_.record_count; }  // 0 if unreadable, as the next two
  std::uint64_t record_bytes() const { return footer_.record_bytes; }  // what references can add up to
  std::uint64_t file_bytes() const { return file_bytes_; }

  // The value that `reference`, found under `key`, stands for; pinned by context.pins. Does not wait.
  // Errors: not_resident with a Load added to context.missing; io and corruption from a Load run before.
  Result<BytesView> find(BytesView key, const ValueReference& reference, ReadContext& context,
                         BlockCache::Access access = BlockCache::Access::point) const;

  // The same from the disk, for compaction: waits, past the block cache. Errors: io, corruption.
  Result<LoadedValue> read(BytesView key, const ValueReference& reference) const;

  // Tells the kernel that a record which read() has returned will not be read again soon.
  void drop_page_cache(BytesView key, const ValueReference& reference) const;
  // Takes this file's values out of the block cache, for when it is deleted. Takes time in proportion to the
  // cache, in short steps; call it from a background thread.
  void drop_cached_values() const { cache_.erase_table(cache_id_); }

 private:
  friend class ValueLoad;
  friend class ValueFileScanner;

  ValueFile(std::string path, std::uint64_t file_number, BlockCache& cache);

  Status read_ends();
  Error refused(ValueFileState state, std::uint64_t offset, std::string_view part) const;
  Error damaged(std::uint64_t offset, std::string_view what) const;
  std::uint64_t records_end() const { return ValueFileHeader::kEncodedBytes + footer_.record_bytes; }
  BlockId block_id(std::uint64_t offset) const { return {cache_id_, offset}; }

  // Waits for the disk; checks that what is at `offset` was written there, not yet whose it is.
  Result<BlockHandle> read_record(std::uint64_t offset, std::uint64_t record_bytes) const;
  // The value in a checked record, if the record is of this key and length.
  Result<LoadedValue> value_in(BlockHandle record, BytesView key, const ValueReference& reference) const;
  // The record if it is in memory, else null. Errors: what its Load met.
  Result<BlockHandle> resident_record(std::uint64_t offset, BlockCache::Access access) const;

  const std::string path_;
  const std::uint64_t number_;
  BlockCache& cache_;
  const std::uint64_t cache_id_;  // names this file's values in the cache
  std::unique_ptr<File> file_;    // null if unreadable
  std::optional<Error> unreadable_reason_;
  ValueFileFooter footer_;
  std::uint64_t file_bytes_ = 0;
  const std::unique_ptr<ValueLoadRegistry> loads_;  // has a lock of its own
};

}  // namespace shale::engine::lsm
