// The manifest: which tables exist, in which tree and level, and up to which log record each tree is
// persisted.
//
// A file of edits, each applied whole or not at all. An edit is durable when append() returns, and only then
// may what it removes be deleted or what it persists be trimmed from the log. At every start the edits are
// folded into one snapshot at the head of a new file, which replaces the old one by its higher number. Bytes
// on disk: docs/formats.md.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/io/file_system.h"
#include "engine/lsm/version.h"
#include "engine/result.h"

namespace shale::engine::lsm {

class Manifest {
 public:
  struct TreeState {
    Lsn persisted_lsn = 0;
    std::map<std::uint64_t, std::vector<SliceDescriptor>> tables;  // by number; at least one slice each

    void apply(const VersionEdit& edit);
  };
  using Trees = std::map<std::uint32_t, TreeState>;

  // What the newest manifest in a folder says.
  struct Contents {
    std::uint64_t number = 0;  // of the file; 0: there is none
    Trees trees;
    std::uint64_t edits = 0;
    std::uint64_t bytes = 0;       // of the file
    std::uint64_t torn_bytes = 0;  // at its end, of an edit cut short
  };
  // Reads only. Waits for the disk. Errors: io, corruption (with file and offset), unsupported.
  static Result<Contents> read(FileSystem& files, const std::string& folder);

  // Reads the newest manifest in `folder` (or begins an empty one), and starts a new file from it. Errors:
  // io, no_space, corruption (with file and offset), unsupported. An edit cut short at the end of the file
  // was never relied upon and is dropped; one of the snapshot, which was whole before the file got its name,
  // is damage.
  static Result<std::unique_ptr<Manifest>> open(FileSystem& files, const std::string& folder);

  // Begins a manifest in a folder that has none, of these trees. Durable when it returns.
  static Status create(FileSystem& files, const std::string& folder, Trees trees);

  // As read by open(); later edits are not shown here.
  const Trees& opened_trees() const { return opened_trees_; }
  // Adds an edit, durably. Thread-safe; waits for the disk. After Error{io} every further edit is refused:
  // what the file ends with is unknown until the next start reads it. After no_space it may be tried again.
  // A file that has grown to several times what a snapshot takes is replaced by one.
  Status append(const VersionEdit& edit);
  // Whether the file may hold an edit whose append has failed: then no table that any edit has named may be
  // removed before the next start has read the file. Thread-safe.
  bool in_doubt() const { return in_doubt_.load(std::memory_order_acquire); }

  static std::string file_name(std::uint64_t number);

 private:
  Manifest(FileSystem& files, std::string folder) : files_(files), folder_(std::move(folder)) {}

  Status start_file(std::uint64_t number);
  void replace_long_file();
  void refuse_from_now_on(const char* what, const Error& cause);

  FileSystem& files_;
  const std::string folder_;
  Trees opened_trees_;

  std::mutex mutex_;  // guards what follows
  Trees trees_;
  std::uint64_t number_ = 0;  // of the file
  std::unique_ptr<File> file_;
  std::uint64_t snapshot_bytes_ = 0;  // with which the file began
  std::uint64_t end_ = 0;             // where the next edit goes
  std::optional<Error> broken_;
  std::atomic<bool> in_doubt_ = false;  // once broken_ is set
};

}  // namespace shale::engine::lsm
