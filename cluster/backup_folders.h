// Where backups lie: a folder with one folder for each, named by when it was made, in UTC, so that the last
// in the order of names is the newest.
//
//   2026-01-31T03-00-00.000Z       a whole backup: durable before it has this name
//   2026-01-31T03-00-00.000Z.tmp   one that is being made, or removed; what a crash leaves of it goes at the
//                                  next start
//
// A backup that a server has been started on (it has made the file LOCK) is a data folder like any other, and
// is neither counted nor removed. What has any other name is not ours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/io/file_system.h"
#include "engine/result.h"

namespace shale::cluster {

// Used by one thread at a time. All calls wait for the disk. Errors: io, no_space.
class BackupFolders {
 public:
  struct Backup {
    std::int64_t unix_ms = 0;  // when it was made
    std::string path;
  };

  BackupFolders(engine::FileSystem& files, std::string folder) : files_(files), folder_(std::move(folder)) {}

  const std::string& folder() const { return folder_; }
  // Those that are whole, oldest first.
  engine::Result<std::vector<Backup>> list() const;
  // Makes an empty folder for a backup of now, or later if there are newer ones; returns what the backup will
  // be. What is put into its temporary_path() must be durable before finish().
  engine::Result<Backup> begin(std::int64_t now_ms);
  static std::string temporary_path(const Backup& backup);
  engine::Status finish(const Backup& backup);  // durable when it returns
  engine::Status give_up(const Backup& backup);

  // Removes the oldest until `count` are left.
  engine::Status keep_newest(std::size_t count);
  engine::Status remove_unfinished();

 private:
  std::string path_of(const std::string& name) const { return folder_ + "/" + name; }

  engine::FileSystem& files_;
  const std::string folder_;
};

}  // namespace shale::cluster
