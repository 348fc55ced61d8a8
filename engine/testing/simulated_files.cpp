#include "engine/testing/simulated_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <utility>

namespace shale::engine {

SimulatedDisk::OpenFile::OpenFile(SimulatedDisk& disk, std::shared_ptr<SimulatedInode> inode,
                                  std::string path, bool writable)
    : disk_(disk),
      inode_(std::move(inode)),
      path_(std::move(path)),
      generation_(disk.generation_),
      writable_(writable) {}

Status SimulatedDisk::OpenFile::read_at(std::uint64_t offset, std::span<char> into) const {
  const std::lock_guard lock{disk_.mutex_};
  if (Status status = disk_.check_alive(generation_, path_); !status) return status;
  if (Status status = disk_.begin_call(DiskCall::read, false, path_); !status) return status;
  const SimulatedInode::Buffer& bytes = *inode_->current;
  if (offset > bytes.size() || into.size() > bytes.size() - offset) {
    return corruption(fmt::format("{} ends at offset {}, {} bytes early", path_, bytes.size(),
                                  offset + into.size() - bytes.size()));
  }
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), into.size(), into.begin());
  return {};
}

std::size_t SimulatedDisk::OpenFile::read_resident(std::uint64_t offset, std::span<char> into) const {
  const std::lock_guard lock{disk_.mutex_};
  if (!disk_.check_alive(generation_, path_)) return 0;
  const SimulatedInode::Buffer& bytes = *inode_->current;
  if (offset > bytes.size() || disk_.resident_percent_ == 0) return 0;
  std::size_t count = std::min<std::uint64_t>(into.size(), bytes.size() - offset);
  // All of it by that chance, otherwise some or nothing.
  if (disk_.random_() % 100 >= disk_.resident_percent_) count = disk_.random_() % (count + 1);
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), count, into.begin());
  return count;
}

Status SimulatedDisk::OpenFile::write_at(std::uint64_t offset, BytesView bytes) {
  const std::lock_guard lock{disk_.mutex_};
  if (Status status = disk_.check_alive(generation_, path_); !status) return status;
  if (Status status = disk_.begin_call(DiskCall::write, true, path_); !status) return status;
  if (!writable_) return Error{ErrorKind::io, fmt::format("write {}: Bad file descriptor", path_)};
  const std::uint64_t size_bytes = inode_->current->size();
  const std::uint64_t end = offset + bytes.size();
  if (Status status = disk_.check_room(end > size_bytes ? end - size_bytes : 0, path_); !status)
    return status;
  inode_->write(offset, bytes, disk_.random_);
  return {};
}

Status SimulatedDisk::OpenFile::sync() {
  const std::lock_guard lock{disk_.mutex_};
  if (Status status = disk_.check_alive(generation_, path_); !status) return status;
  const std::uint64_t size_bytes = inode_->current->size();
  if (Status status = disk_.begin_call(DiskCall::sync, true, path_); !status) {
    inode_->abandon(0, size_bytes);
    return status;
  }
  inode_->sync_size();
  inode_->sync(0, size_bytes);
  return {};
}

Result<std::uint64_t> SimulatedDisk::OpenFile::size() const {
  const std::lock_guard lock{disk_.mutex_};
  if (Status status = disk_.check_alive(generation_, path_); !status) return status.error();
  return inode_->current->size();
}

Status SimulatedDisk::OpenFile::truncate(std::uint64_t size_bytes) {
  const std::lock_guard lock{disk_.mutex_};
  if (Status status = disk_.check_alive(generation_, path_); !status) return status;
  if (Status status = disk_.begin_call(DiskCall::write, true, path_); !status) return status;
  if (!writable_) return Error{ErrorKind::io, fmt::format("truncate {}: Bad file descriptor", path_)};
  if (size_bytes < inode_->current->size()) inode_->current->resize(size_bytes);
  return {};
}

SimulatedDisk::OpenMap::OpenMap(SimulatedDisk& disk, std::shared_ptr<SimulatedInode> inode, std::string path)
    : disk_(disk),
      inode_(std::move(inode)),
      bytes_(inode_->current),
      path_(std::move(path)),
      generation_(disk.generation_) {}

Status SimulatedDisk::OpenMap::sync(std::uint64_t offset, std::uint64_t length) {
  const std::lock_guard lock{disk_.mutex_};
  assert(offset + length <= bytes_->size());
  if (Status status = disk_.check_alive(generation_, path_); !status) return status;
  if (Status status = disk_.begin_call(DiskCall::sync, true, path_); !status) {
    inode_->abandon(offset, length);
    return status;
  }
  inode_->sync_size();
  inode_->sync(offset, length);
  return {};
}

void SimulatedDisk::OpenMap::mark_written(std::uint64_t offset, std::uint64_t length) {
  const std::lock_guard lock{disk_.mutex_};
  if (generation_ == disk_.generation_) inode_->mark_written(offset, length);
}

SimulatedDisk::OpenLock::OpenLock(SimulatedDisk& disk, std::string path)
    : disk_(disk), path_(std::move(path)), generation_(disk.generation_) {}

SimulatedDisk::OpenLock::~OpenLock() {
  const std::lock_guard lock{disk_.mutex_};
  if (generation_ == disk_.generation_) disk_.locked_.erase(path_);
}

}  // namespace shale::engine
