#include "engine/large/staged_large_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "engine/large/large_value_store.h"

namespace shale::engine {
namespace {

// So often a file that is being written is synced: its pages are clean then, and the kernel can take them
// back, however little memory there is.
constexpr std::uint64_t kSyncBytes = 8U << 20;
// What is left free for everybody else's writes when a value is refused for want of space.
constexpr std::uint64_t kFreeBytesMin = 16U << 20;

}  // namespace

StagedLargeValue::StagedLargeValue(LargeValueStore& store, std::uint64_t id, std::uint64_t value_bytes)
    : store_(store), value_bytes_(value_bytes) {
  assert(value_bytes != 0);
  trailer_.id = id;
  trailer_.value_bytes = value_bytes;
}

StagedLargeValue::~StagedLargeValue() {
  if (!committed_ && file_) store_.discard(trailer_.id);
}

Status StagedLargeValue::status() const {
  const std::lock_guard lock{mutex_};
  return error_ ? Status{*error_} : Status{};
}

bool StagedLargeValue::is_finished_for(BytesView key) const {
  const std::lock_guard lock{mutex_};
  return finished_for_ && *finished_for_ == key;
}

LargeValueReference StagedLargeValue::reference() const {
  return {trailer_.id, value_bytes_,
          large_value_checksum(trailer_.id, value_bytes_, trailer_.chunk_checksums)};
}

Status StagedLargeValue::give_up(Status failed) {
  if (file_) {
    file_.reset();
    store_.remove_files(trailer_.id);
  }
  const std::lock_guard lock{mutex_};
  error_ = failed.error();
  return failed;
}

Status StagedLargeValue::create() {
  if (Status prepared = store_.prepare(); !prepared) return prepared;
  const auto free = store_.files().free_bytes(store_.folder());
  if (!free) return free.error();
  if (*free < value_bytes_ + std::min(value_bytes_, kFreeBytesMin)) {
    return Error{ErrorKind::no_space, fmt::format("{}: No space left on device: {} bytes for a value of {}",
                                                  store_.folder(), *free, value_bytes_)};
  }
  auto created = store_.files().create(store_.temporary_path(trailer_.id));
  if (!created) return created.error();
  file_ = std::move(*created);
  return {};
}

Status StagedLargeValue::append(BytesView bytes) {
  if (Status known = status(); !known) return known;
  if (!file_) {
    if (Status created = create(); !created) return give_up(created);
  }
  Status written = write(bytes);
  return written ? written : give_up(written);
}

Status StagedLargeValue::write(BytesView bytes) {
  assert(written_bytes_ + bytes.size() <= value_bytes_);
  if (Status written = file_->write_at(written_bytes_, bytes); !written) return written;
  while (!bytes.empty()) {
    if (!chunk_) chunk_.emplace(trailer_.id, trailer_.chunk_checksums.size());
    const auto left = static_cast<std::size_t>(kLargeChunkBytes - written_bytes_ % kLargeChunkBytes);
    const BytesView part = bytes.substr(0, left);
    chunk_->update(part);
    written_bytes_ += part.size();
    bytes.remove_prefix(part.size());
    if (part.size() == left || written_bytes_ == value_bytes_) {
      trailer_.chunk_checksums.push_back(chunk_->digest());
      chunk_.reset();
    }
  }
  if (written_bytes_ - synced_bytes_ < kSyncBytes) return {};
  synced_bytes_ = written_bytes_;
  return file_->sync();
}

Status StagedLargeValue::finish(BytesView key) {
  if (Status known = status(); !known) return known;
  assert(written_bytes_ == value_bytes_);
  if (Status finished = write_trailer(key); !finished) return give_up(finished);
  const std::lock_guard lock{mutex_};
  finished_for_ = key;
  return {};
}

Status StagedLargeValue::write_trailer(BytesView key) {
  assert(!named_ || key.size() == trailer_.key.size());
  trailer_.key = key;
  if (Status written = file_->write_at(value_bytes_, trailer_.encode()); !written) return written;
  if (Status synced = file_->sync(); !synced) return synced;
  if (named_) return {};
  if (Status renamed = store_.files().rename(store_.temporary_path(trailer_.id), store_.path(trailer_.id));
      !renamed) {
    return renamed;
  }
  named_ = true;
  return store_.files().sync_folder(store_.folder());
}

Status StagedLargeValue::read(std::uint64_t offset, std::span<char> into) const {
  if (Status known = status(); !known) return known;
  return file_->read_at(offset, into);
}

}  // namespace shale::engine
