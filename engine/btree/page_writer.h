// Writes pages back to back into free space, some hundred KiB with each call on the file.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/btree/memory_use.h"
#include "engine/btree/page_file.h"

namespace shale::engine::btree {

// For one thread. Pages that no sync() has covered when it dies are given back to free space.
class PageWriter {
 public:
  static constexpr std::uint64_t kRunBytesMax = 512u << 10;
  // `run_bytes`: with each call on the file, and kept in memory until then, if pages are not larger.
  PageWriter(PageFile& file, std::uint32_t tree, std::uint64_t run_bytes = kRunBytesMax)
      : file_(file), tree_(tree), run_bytes_(run_bytes) {}
  ~PageWriter();
  PageWriter(const PageWriter&) = delete;
  PageWriter& operator=(const PageWriter&) = delete;

  // Where the page will stand. May write; nothing is durable before sync().
  Result<PageAddress> add(const PageImage& image, PageType type);
  Status sync();

  std::uint64_t unsynced_bytes() const { return unsynced_bytes_; }
  std::uint64_t bytes_added() const { return bytes_added_; }

 private:
  void note_memory();
  Status close_run();

  PageFile& file_;
  const std::uint32_t tree_;
  const std::uint64_t run_bytes_;
  BlockRun run_;  // space being filled
  Bytes buffer_;  // what is in it so far
  MemoryCharge charge_{MemoryKind::background};
  std::vector<PageAddress> unsynced_;
  std::uint64_t unsynced_bytes_ = 0;
  std::uint64_t bytes_added_ = 0;
};

}  // namespace shale::engine::btree
