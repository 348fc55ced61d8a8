#include "engine/lsm/value_load.h"

#include <utility>

#include "engine/lsm/value_file.h"

namespace shale::engine::lsm {

ValueLoad::ValueLoad(std::shared_ptr<const ValueFile> file, std::uint64_t offset, std::uint64_t record_bytes)
    : file_(std::move(file)), offset_(offset), record_bytes_(record_bytes) {}

ValueLoad::~ValueLoad() { file_->loads_->forget_expired(offset_); }

std::optional<Result<BlockHandle>> ValueLoad::outcome() const {
  if (!is_done_.load(std::memory_order_acquire)) return std::nullopt;
  return outcome_;
}

void ValueLoad::run() {
  const std::lock_guard lock{running_};
  if (is_done_.load(std::memory_order_relaxed)) return;
  outcome_ = read();
  is_done_.store(true, std::memory_order_release);
}

Result<BlockHandle> ValueLoad::read() const {
  const BlockId id = file_->block_id(offset_);
  // Somebody may have loaded it between this read's look into the cache and its look into the registry.
  if (BlockHandle record = file_->cache_.find(id, BlockCache::Access::peek)) return record;
  Result<BlockHandle> record = file_->read_record(offset_, record_bytes_);
  if (record) file_->cache_.insert(id, *record);
  return record;
}

std::shared_ptr<ValueLoad> ValueLoadRegistry::find(std::uint64_t offset) const {
  const std::lock_guard lock{mutex_};
  const auto found = loads_.find(offset);
  return found == loads_.end() ? nullptr : found->second.lock();
}

std::shared_ptr<ValueLoad> ValueLoadRegistry::find_or_make(const ValueFile& file, std::uint64_t offset,
                                                           std::uint64_t record_bytes) {
  const std::lock_guard lock{mutex_};
  std::weak_ptr<ValueLoad>& slot = loads_[offset];
  if (std::shared_ptr<ValueLoad> load = slot.lock()) return load;
  auto load = std::make_shared<ValueLoad>(file.shared_from_this(), offset, record_bytes);
  slot = load;
  return load;
}

void ValueLoadRegistry::forget_expired(std::uint64_t offset) {
  const std::lock_guard lock{mutex_};
  const auto found = loads_.find(offset);
  if (found != loads_.end() && found->second.expired()) loads_.erase(found);
}

}  // namespace shale::engine::lsm
