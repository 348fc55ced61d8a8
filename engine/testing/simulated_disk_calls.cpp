// The file system's side of the simulated disk; the tests' side is in simulated_disk.cpp.
#include <fmt/format.h>

#include <utility>

#include "engine/testing/simulated_disk.h"
#include "engine/testing/simulated_files.h"

namespace shale::engine {
namespace {

Error missing(std::string_view call, const std::string& path) {
  return {ErrorKind::io, fmt::format("{} {}: No such file or directory", call, path)};
}

}  // namespace

Result<std::unique_ptr<File>> SimulatedDisk::create(const std::string& path) {
  const std::lock_guard lock{mutex_};
  if (Status status = begin_call(DiskCall::create, true, path); !status) return status.error();
  if (!names_.has_folder_of(path)) return missing("create", path);
  auto inode = names_.find(path);
  if (inode) {
    inode->current = std::make_shared<SimulatedInode::Buffer>();
  } else {
    inode = std::make_shared<SimulatedInode>();
    names_.add(path, inode);
  }
  return std::make_unique<OpenFile>(*this, std::move(inode), path, true);
}

Result<std::unique_ptr<File>> SimulatedDisk::open(const std::string& path) {
  const std::lock_guard lock{mutex_};
  if (Status status = begin_call(DiskCall::open, false, path); !status) return status.error();
  auto inode = names_.find(path);
  if (!inode) return missing("open", path);
  return std::make_unique<OpenFile>(*this, std::move(inode), path, false);
}

Result<std::unique_ptr<File>> SimulatedDisk::open_writable(const std::string& path) {
  const std::lock_guard lock{mutex_};
  if (Status status = begin_call(DiskCall::open, false, path); !status) return status.error();
  auto inode = names_.find(path);
  if (!inode) return missing("open", path);
  return std::make_unique<OpenFile>(*this, std::move(inode), path, true);
}

Result<std::unique_ptr<MappedFile>> SimulatedDisk::create_mapped(const std::string& path,
                                                                 std::uint64_t size_bytes) {
  const std::lock_guard lock{mutex_};
  if (Status status = begin_call(DiskCall::map, true, path); !status) return status.error();
  if (!names_.has_folder_of(path)) return missing("create", path);
  auto inode = names_.find(path);
  const std::uint64_t bytes_before = inode ? inode->current->size() : 0;
  if (size_bytes > bytes_before) {
    if (Status status = check_room(size_bytes - bytes_before, path); !status) return status.error();
  }
  if (!inode) {
    inode = std::make_shared<SimulatedInode>();
    names_.add(path, inode);
  }
  inode->current = std::make_shared<SimulatedInode::Buffer>(size_bytes);
  return std::make_unique<OpenMap>(*this, std::move(inode), path);
}

Result<std::unique_ptr<MappedFile>> SimulatedDisk::open_mapped(const std::string& path) {
  const std::lock_guard lock{mutex_};
  if (Status status = begin_call(DiskCall::map, false, path); !status) return status.error();
  auto inode = names_.find(path);
  if (!inode) return missing("open", path);
  return std::make_unique<OpenMap>(*this, std::move(inode), path);
}

Result<bool> SimulatedDisk::exists(const std::string& path) {
  const std::lock_guard lock{mutex_};
  if (off_) return Error{ErrorKind::io, fmt::format("stat {}: the machine is off", path)};
  return names_.find(path) != nullptr || names_.has_folder(path);
}

Result<std::vector<std::string>> SimulatedDisk::list(const std::string& folder) {
  const std::lock_guard lock{mutex_};
  if (off_) return Error{ErrorKind::io, fmt::format("list {}: the machine is off", folder)};
  if (!names_.has_folder(folder)) return missing("list", folder);
  return names_.files_in(folder);
}

Result<std::vector<std::string>> SimulatedDisk::list_folders(const std::string& folder) {
  const std::lock_guard lock{mutex_};
  if (off_) return Error{ErrorKind::io, fmt::format("list {}: the machine is off", folder)};
  if (!names_.has_folder(folder)) return missing("list", folder);
  return names_.folders_in(folder);
}

Status SimulatedDisk::create_folder(const std::string& path) {
  const std::lock_guard lock{mutex_};
  if (Status status = begin_call(DiskCall::create, true, path); !status) return status;
  names_.create_folder(path);
  return {};
}

Status SimulatedDisk::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock{mutex_};
  if (Status status = begin_call(DiskCall::rename, true, from); !status) return status;
  if (names_.has_folder(from)) return rename_folder(from, to);
  const auto inode = names_.find(from);
  if (!inode || !names_.has_folder_of(to)) return missing("rename", from + " to " + to);
  if (from == to) return {};
  names_.rename(from, to);
  return {};
}

Status SimulatedDisk::rename_folder(const std::string& from, const std::string& to) {
  if (names_.has_folder(to) || names_.find(to)) {
    return Error{ErrorKind::io, fmt::format("rename {} to {}: File exists", from, to)};
  }
  names_.rename_folder(from, to);
  return {};
}

Status SimulatedDisk::link(const std::string& from, const std::string& to) {
  const std::lock_guard lock{mutex_};
  if (Status status = begin_call(DiskCall::link, true, from); !status) return status;
  const auto inode = names_.find(from);
  if (!inode || !names_.has_folder_of(to)) return missing("link", from + " to " + to);
  if (names_.find(to)) return Error{ErrorKind::io, fmt::format("link {} to {}: File exists", from, to)};
  names_.add(to, inode);
  return {};
}

Status SimulatedDisk::remove(const std::string& path) {
  const std::lock_guard lock{mutex_};
  if (Status status = begin_call(DiskCall::remove, true, path); !status) return status;
  if (!names_.find(path)) return missing("remove", path);
  names_.remove(path);
  return {};
}

Status SimulatedDisk::remove_folder(const std::string& path) {
  const std::lock_guard lock{mutex_};
  if (Status status = begin_call(DiskCall::remove, true, path); !status) return status;
  if (!names_.has_folder(path)) return missing("rmdir", path);
  if (!names_.is_empty(path)) {
    return Error{ErrorKind::io, fmt::format("rmdir {}: Directory not empty", path)};
  }
  names_.remove_folder(path);
  return {};
}

Status SimulatedDisk::sync_folder(const std::string& path) {
  const std::lock_guard lock{mutex_};
  if (Status status = begin_call(DiskCall::sync_folder, true, path); !status) return status;
  if (!names_.has_folder(path)) return missing("sync_folder", path);
  names_.sync_folder(path);
  return {};
}

Result<std::unique_ptr<FolderLock>> SimulatedDisk::lock(const std::string& path) {
  const std::lock_guard lock{mutex_};
  if (Status status = begin_call(DiskCall::create, true, path); !status) return status.error();
  if (!names_.has_folder_of(path)) return missing("lock", path);
  if (!locked_.insert(path).second) {
    return Error{ErrorKind::locked, fmt::format("lock {}: another process holds the lock", path)};
  }
  if (!names_.find(path)) names_.add(path, std::make_shared<SimulatedInode>());
  return std::make_unique<OpenLock>(*this, path);
}

Result<std::uint64_t> SimulatedDisk::free_bytes(const std::string&) {
  const std::lock_guard lock{mutex_};
  if (off_) return Error{ErrorKind::io, "statvfs: the machine is off"};
  const std::uint64_t used = names_.bytes_used();
  return used >= capacity_bytes_ ? 0 : capacity_bytes_ - used;
}

}  // namespace shale::engine
