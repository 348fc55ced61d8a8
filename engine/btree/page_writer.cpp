#include "engine/btree/page_writer.h"

#include <algorithm>
#include <utility>

namespace shale::engine::btree {

PageWriter::~PageWriter() {
  file_.release(run_.offset + buffer_.size(), run_.bytes - buffer_.size());
  for (const PageAddress& page : unsynced_) file_.release(page.offset, page.bytes);
}

Result<PageAddress> PageWriter::add(const PageImage& image, PageType type) {
  if (image.bytes() > run_.bytes - buffer_.size()) {
    if (auto closed = close_run(); !closed) return closed.error();
    run_ = file_.allocate(image.bytes(), std::max<std::uint64_t>(image.bytes(), run_bytes_));
    buffer_.reserve(run_.bytes);
    note_memory();
  }
  const std::uint64_t offset = run_.offset + buffer_.size();
  const std::size_t begin = buffer_.size();
  buffer_.append(image.data(), image.bytes());
  const PageAddress address = seal_page(buffer_.data() + begin, image.bytes(), type, tree_, offset);
  unsynced_.push_back(address);
  unsynced_bytes_ += address.bytes;
  bytes_added_ += address.bytes;
  return address;
}

void PageWriter::note_memory() {
  charge_.set(allocation_bytes(buffer_.capacity()) + unsynced_.capacity() * sizeof(PageAddress));
}

// The rest of the run's last block is written as zeros, and free like the blocks behind it.
Status PageWriter::close_run() {
  const BlockRun run = std::exchange(run_, {});
  Bytes pages = std::move(buffer_);
  buffer_ = {};
  file_.release(run.offset + pages.size(), run.bytes - pages.size());
  if (pages.empty()) return {};
  pages.resize((pages.size() + kBlockBytes - 1) / kBlockBytes * kBlockBytes, '\0');
  return file_.write(run.offset, pages);
}

Status PageWriter::sync() {
  if (auto closed = close_run(); !closed) return closed;
  if (auto synced = file_.sync(); !synced) return synced;
  unsynced_.clear();
  note_memory();
  unsynced_bytes_ = 0;
  return {};
}

}  // namespace shale::engine::btree
