// What a SimulatedDisk gives out: files, maps and locks, which die with a crash of it. The disk outlives
// them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "engine/testing/simulated_disk.h"
#include "engine/testing/simulated_inode.h"

namespace shale::engine {

// Made with the disk's mutex held; calls on them take it.
class SimulatedDisk::OpenFile final : public File {
 public:
  OpenFile(SimulatedDisk& disk, std::shared_ptr<SimulatedInode> inode, std::string path, bool writable);

  Status read_at(std::uint64_t offset, std::span<char> into) const override;
  std::size_t read_resident(std::uint64_t offset, std::span<char> into) const override;
  void announce_read(std::uint64_t, std::uint64_t) const override {}
  Status write_at(std::uint64_t offset, BytesView bytes) override;
  Status sync() override;
  Result<std::uint64_t> size() const override;
  Status truncate(std::uint64_t size_bytes) override;
  void drop_cache(std::uint64_t, std::uint64_t) override {}

 private:
  SimulatedDisk& disk_;
  const std::shared_ptr<SimulatedInode> inode_;
  const std::string path_;
  const std::uint64_t generation_;
  const bool writable_;
};

class SimulatedDisk::OpenMap final : public MappedFile {
 public:
  OpenMap(SimulatedDisk& disk, std::shared_ptr<SimulatedInode> inode, std::string path);

  std::span<char> bytes() override { return *bytes_; }
  Status sync(std::uint64_t offset, std::uint64_t length) override;
  void prefault(std::uint64_t, std::uint64_t) override {}
  void mark_written(std::uint64_t offset, std::uint64_t length) override;

 private:
  SimulatedDisk& disk_;
  const std::shared_ptr<SimulatedInode> inode_;
  const std::shared_ptr<SimulatedInode::Buffer> bytes_;
  const std::string path_;
  const std::uint64_t generation_;
};

class SimulatedDisk::OpenLock final : public FolderLock {
 public:
  OpenLock(SimulatedDisk& disk, std::string path);
  ~OpenLock() override;

 private:
  SimulatedDisk& disk_;
  const std::string path_;
  const std::uint64_t generation_;
};

}  // namespace shale::engine
