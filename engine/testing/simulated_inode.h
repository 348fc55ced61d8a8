// A file's contents on a simulated disk, whatever the file is called.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "engine/bytes.h"

namespace shale::engine {

// What a crash makes of what was not synced.
enum class Unsynced : std::uint8_t {
  lost,  // nothing of it reached the disk
  kept,  // all of it did
  torn,  // each grain and each name by chance; of a grain written several times any of its versions
};

// `current` is what the page cache holds, `synced_` what is sure to be on the disk; the difference between
// the two is what a crash plays with, so writes through a map need no reporting. Not thread-safe.
class SimulatedInode {
 public:
  using Buffer = std::vector<char>;
  using Random = std::mt19937_64;

  // Shared with maps, which go on writing to it after a crash has given the inode a new one.
  std::shared_ptr<Buffer> current = std::make_shared<Buffer>();

  void write(std::uint64_t offset, BytesView bytes, Random& random);
  // Bytes were written through a map, be they other than before or not.
  void mark_written(std::uint64_t offset, std::uint64_t length);
  void sync_size() { synced_.resize(current->size()); }
  // Exactly these bytes: the real disk may take more of their pages, but nobody may rely on it.
  void sync(std::uint64_t offset, std::uint64_t length);
  // What a failed sync does: the kernel takes the pages for clean.
  void abandon(std::uint64_t offset, std::uint64_t length);

  // Decides what the disk holds, and starts a new life with it.
  void crash(Unsynced unsynced, Random& random);
  // Maps of before write to it no more.
  void process_kill() { current = std::make_shared<Buffer>(*current); }
  std::shared_ptr<SimulatedInode> copy() const;

  // Calls `change` on what is sure and on what is not.
  template <class Change>
  void damage(Change change) {
    change(synced_);
    change(*current);
  }

 private:
  // What is about to be overwritten without having been synced may have reached the disk meanwhile.
  void keep_versions(std::uint64_t offset, std::uint64_t length, Random& random);
  void use_older_versions(std::uint64_t offset, std::uint64_t length, Random& random);
  // The part of a page that lies within [offset, end): others may be writing to the rest of it just now.
  std::pair<std::uint64_t, Bytes> page_bytes(std::uint64_t page, std::uint64_t offset,
                                             std::uint64_t end) const;
  // Whether the kernel still takes the page for clean, as far as the bytes in [begin, end) tell: a byte that
  // has changed since the failed sync has made the whole page dirty again.
  bool is_abandoned(std::uint64_t page, std::uint64_t begin, std::uint64_t end) const;

  Buffer synced_;
  std::map<std::uint64_t, Bytes> versions_;  // by sector: an earlier unsynced state
  // By page: what a failed sync found there, and where it begins.
  std::map<std::uint64_t, std::pair<std::uint64_t, Bytes>> abandoned_;
};

}  // namespace shale::engine
