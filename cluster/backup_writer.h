// Puts a store, as it is at one moment, into a folder: docs/backup.md.
//
// What never changes is linked: tables, value files, large values. What is written to in place, or used
// again, is copied: the end of the log, the used part of the page file. Catalog and manifest are written
// anew.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

#include "cluster/store.h"
#include "cluster/store_cut.h"
#include "engine/io/file_system.h"
#include "engine/io/paced_copy.h"
#include "engine/result.h"

namespace shale::cluster {

struct BackupSize {
  std::uint64_t files = 0;
  std::uint64_t linked_bytes = 0;  // shared with the store's folder
  std::uint64_t copied_bytes = 0;
};

// For one backup. Used by one thread.
class BackupWriter {
 public:
  BackupWriter(Store& store, engine::FileSystem& files, std::stop_token stop)
      : store_(store), files_(files), copy_(files, std::move(stop)) {}

  // Fills `folder`, which is there and empty; all but its own entries is durable when it returns. Returns the
  // last log record of the backup. Waits for disks; without any lock. Errors: io, no_space, corruption,
  // stopped.
  engine::Result<engine::Lsn> write(const std::string& folder);
  BackupSize size() const { return size_; }

 private:
  engine::Status copy_log(StoreCut& cut, const std::string& folder);
  engine::Status place_lsm(const StoreCut& cut, const std::string& folder);
  engine::Status place_large_values(const std::string& folder);
  engine::Status copy_pages(const StoreCut& cut, const std::string& folder);
  engine::Status write_rest(const StoreCut& cut, const std::string& folder);
  // Links a file that never changes; copies it where that cannot be.
  engine::Status place(const std::string& from, const std::string& to);
  engine::Status copy_as_it_is(const std::string& name, const std::string& folder);
  // Whether the disk has room for a copy, and some more: others write to it.
  engine::Status check_room(std::uint64_t bytes, const std::string& folder) const;

  Store& store_;
  engine::FileSystem& files_;
  engine::PacedCopy copy_;
  bool links_ = true;  // as far as is known
  BackupSize size_;
};

}  // namespace shale::cluster
