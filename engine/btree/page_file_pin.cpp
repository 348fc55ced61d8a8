// Page files that are copied while trees go on writing to them.
#include <algorithm>
#include <utility>

#include "engine/btree/page_file.h"

namespace shale::engine::btree {

// All that is not free counts as used: pages that are being written, too, which nothing leads to yet. Of
// these the file may not have all by now; of pages that count it has, since none is committed before it is
// written.
Result<std::unique_ptr<PageFile::Pin>> PageFile::pin() {
  std::unique_ptr<Pin> pin{new Pin(*this)};
  const std::lock_guard committing{commit_mutex_};
  const auto size = file_->size();
  pin->superblock_ = superblock_;
  const std::lock_guard lock{mutex_};
  ++pins_;  // in any case: the Pin that goes takes it back
  if (!size) return size.error();
  const std::uint64_t end = std::min(end_, *size);
  for (std::uint64_t from = kPagesBegin; from < end;) {
    const auto free = free_.first_in(from, end);
    const std::uint64_t used_end = free ? free->offset : end;
    if (used_end > from) pin->used_.push_back({from, used_end - from});
    from = free ? free->offset + free->bytes : end;
  }
  return pin;
}

void PageFile::unpin() {
  const std::lock_guard lock{mutex_};
  if (--pins_ != 0) return;
  for (const BlockRun& run : std::exchange(released_while_pinned_, {})) set_free(run.offset, run.bytes);
  note_space();
}

std::uint64_t PageFile::Pin::bytes() const {
  std::uint64_t bytes = kPagesBegin;
  for (const BlockRun& run : used_) bytes += run.bytes;
  return bytes;
}

Status PageFile::Pin::copy_to(PacedCopy& copy, const std::string& path) const {
  auto to = copy.files().create(path);
  if (!to) return to.error();
  const Bytes block = superblock_.encode();
  if (Status written = (*to)->write_at(0, block + block); !written) return written;
  for (const BlockRun& run : used_) {
    Status copied = copy.range(*file_.file_, **to, run.offset, run.bytes);
    if (!copied) return copied;
  }
  return (*to)->sync();
}

}  // namespace shale::engine::btree
