// The one seam between the engines and the machine's files. Everything in engine/ that opens, reads, writes,
// maps, syncs, renames, links or removes a file does it here, so that a simulated disk can lose, tear and
// refuse (simulated_disk.h).
//
// All calls but File::read_resident may wait for a disk: none of them belongs on an I/O thread or under a
// shard's lock.
// Paths are UTF-8 byte strings. An Error's message names the call, the file and the system's reason.
// Objects may be used by several threads at once unless a class says otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/bytes.h"
#include "engine/result.h"

namespace shale::engine {

// An open file, read and written at explicit offsets.
class File {
 public:
  virtual ~File() = default;
  // Fills `into` from `offset`. A file that ends before `into` is full is an Error of kind corruption.
  virtual Status read_at(std::uint64_t offset, std::span<char> into) const = 0;
  // Reads from `offset` on what is in memory already, and says how much of `into` that filled; waits for no
  // disk, and so is the one call that may be made under a shard's lock. An error counts as nothing read:
  // read_at meets it again and says what it is.
  virtual std::size_t read_resident(std::uint64_t offset, std::span<char> into) const = 0;
  // Tells the kernel that read_at of this range follows soon, so that several reads can overlap. A hint.
  virtual void announce_read(std::uint64_t offset, std::uint64_t length) const = 0;
  // Writes all of `bytes`, extending the file if need be. Not durable before sync().
  virtual Status write_at(std::uint64_t offset, BytesView bytes) = 0;
  // fdatasync: contents and size are durable when this returns success. After a failure, what was written
  // since the last success is lost for all one knows; do not retry (docs/log.md).
  virtual Status sync() = 0;
  virtual Result<std::uint64_t> size() const = 0;
  // Cuts the file off. Durable after the next sync().
  virtual Status truncate(std::uint64_t size_bytes) = 0;
  // Tells the kernel that the range will not be read again soon (after a compaction has read or written it
  // once).
  virtual void drop_cache(std::uint64_t offset, std::uint64_t length) = 0;
};

// A preallocated file mapped into memory for reading and writing; writing to bytes() is writing the file. The
// page cache keeps what was written if the process dies; sync() makes it survive the machine.
class MappedFile {
 public:
  virtual ~MappedFile() = default;  // unmaps
  virtual std::span<char> bytes() = 0;
  // Makes [offset, offset + length) durable. May run while another thread writes to other bytes.
  // After a failure do not retry: see File::sync.
  virtual Status sync(std::uint64_t offset, std::uint64_t length) = 0;
  // Makes the range's pages present and writable now, so that the first write to each does not wait for the
  // kernel. Contents stay as they are; other threads may write meanwhile. A hint: failure is not reported.
  virtual void prefault(std::uint64_t offset, std::uint64_t length) = 0;
  // Counts the range as written just now, so that the next sync writes it whatever the kernel believes. After
  // a sync that failed in an earlier process, pages may be in memory, be clean, and not be on the disk. No
  // other thread may write to the range meanwhile.
  virtual void mark_written(std::uint64_t offset, std::uint64_t length) = 0;
};

// Held for as long as the folder is ours; the kernel releases it if the process dies.
class FolderLock {
 public:
  virtual ~FolderLock() = default;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Creates or truncates.
  virtual Result<std::unique_ptr<File>> create(const std::string& path) = 0;
  virtual Result<std::unique_ptr<File>> open(const std::string& path) = 0;           // existing, for reading
  virtual Result<std::unique_ptr<File>> open_writable(const std::string& path) = 0;  // existing, for both
  // Creates a file of `size_bytes` zeros with its blocks allocated (so that writing through the map cannot
  // run out of space), and maps it.
  virtual Result<std::unique_ptr<MappedFile>> create_mapped(const std::string& path,
                                                            std::uint64_t size_bytes) = 0;
  virtual Result<std::unique_ptr<MappedFile>> open_mapped(
      const std::string& path) = 0;  // existing, as long as it is

  virtual Result<bool> exists(const std::string& path) = 0;
  virtual Result<std::vector<std::string>> list(const std::string& folder) = 0;  // names of files, sorted
  virtual Result<std::vector<std::string>> list_folders(const std::string& folder) = 0;  // likewise
  virtual Status create_folder(const std::string& path) = 0;  // and parents; fine if it exists
  // Atomic. Durable only after sync_folder on the folder(s). A folder takes along what is in it.
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  // Gives the file `from` a second name; what is written under one is read under the other. Durable only
  // after sync_folder. Error{unsupported} if the file system makes no such links, or not between these two.
  virtual Status link(const std::string& from, const std::string& to) = 0;
  virtual Status remove(const std::string& path) = 0;
  virtual Status remove_folder(const std::string& path) = 0;  // an empty one
  virtual Status sync_folder(const std::string& path) = 0;
  // Takes the exclusive lock on `path` (created if missing), or Error{locked}.
  virtual Result<std::unique_ptr<FolderLock>> lock(const std::string& path) = 0;
  virtual Result<std::uint64_t> free_bytes(const std::string& folder) = 0;  // available to this user
};

// The machine's own file system (posix_file_system.cpp).
std::unique_ptr<FileSystem> make_posix_file_system();

// Writes `contents` to a temporary name, syncs, renames over `path`, syncs the folder: after a crash `path`
// holds the old contents or the new, never a mixture.
Status replace_file(FileSystem& files, const std::string& path, BytesView contents);
// The path without its last part; "." if it has no other.
std::string parent_folder(const std::string& path);
// The whole of a small file.
Result<Bytes> read_file(FileSystem& files, const std::string& path);

}  // namespace shale::engine
