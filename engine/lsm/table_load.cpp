#include "engine/lsm/table_load.h"

#include <utility>

#include "engine/lsm/table.h"

namespace shale::engine::lsm {

TableLoad::TableLoad(std::shared_ptr<const Table> table, std::uint32_t first_block, std::uint32_t block_count)
    : table_(std::move(table)), first_block_(first_block), outcomes_(block_count, BlockHandle{}) {}

TableLoad::~TableLoad() {
  table_->loads_->forget_expired(first_block_, static_cast<std::uint32_t>(outcomes_.size()));
}

std::optional<Result<BlockHandle>> TableLoad::outcome(std::uint32_t block_index) const {
  if (!is_done_.load(std::memory_order_acquire)) return std::nullopt;
  return outcomes_[block_index - first_block_];
}

void TableLoad::run() {
  const std::lock_guard lock{running_};
  if (is_done_.load(std::memory_order_relaxed)) return;
  read();
  is_done_.store(true, std::memory_order_release);
}

void TableLoad::announce() {
  if (is_done_.load(std::memory_order_relaxed)) return;
  const TableIndex& index = table_->index_;
  const std::uint64_t begin = index.offset(first_block_);
  table_->file_->announce_read(begin, index.offset(first_block_ + outcomes_.size()) - begin);
}

void TableLoad::read() {
  const TableIndex& index = table_->index_;
  if (outcomes_.size() == 1) {
    // Somebody may have loaded it between this read's look into the cache and its look into the registry.
    BlockHandle block = table_->slots_[first_block_].find(false);
    outcomes_.front() =
        block != nullptr ? Result<BlockHandle>{std::move(block)} : table_->read_block(first_block_);
    return;
  }
  const auto count = static_cast<std::uint32_t>(outcomes_.size());
  const std::uint64_t begin = index.offset(first_block_);
  const std::uint64_t bytes = index.offset(first_block_ + count) - begin;
  const auto buffer = std::make_unique_for_overwrite<char[]>(bytes);
  const BytesView stored{buffer.get(), bytes};
  const Status status = table_->file_->read_at(begin, {buffer.get(), bytes});
  for (std::uint32_t i = 0; i != count; ++i) {
    if (!status) {
      outcomes_[i] = status.error();
      continue;
    }
    const std::uint32_t block = first_block_ + i;
    outcomes_[i] =
        table_->cache_stored(block, stored.substr(index.offset(block) - begin, index.stored_bytes(block)));
  }
}

std::shared_ptr<TableLoad> TableLoadRegistry::find(std::uint32_t block_index) const {
  if (is_empty_.load(std::memory_order_acquire)) return nullptr;
  const std::lock_guard lock{mutex_};
  const auto found = loads_.find(block_index);
  return found == loads_.end() ? nullptr : found->second.lock();
}

bool TableLoadRegistry::is_covered(std::uint32_t block) const {
  const auto found = loads_.find(block);
  return found != loads_.end() && !found->second.expired();
}

std::shared_ptr<TableLoad> TableLoadRegistry::find_or_make(const Table& table, std::uint32_t wanted,
                                                           std::uint32_t first, std::uint32_t end) {
  const std::lock_guard lock{mutex_};
  if (std::shared_ptr<TableLoad> load = loads_[wanted].lock()) return load;
  std::uint32_t begin = wanted;
  while (begin != first && !is_covered(begin - 1)) --begin;
  std::uint32_t behind = wanted + 1;
  while (behind != end && !is_covered(behind)) ++behind;
  auto load = std::make_shared<TableLoad>(table.shared_from_this(), begin, behind - begin);
  for (std::uint32_t block = begin; block != behind; ++block) loads_[block] = load;
  is_empty_.store(false, std::memory_order_release);
  return load;
}

void TableLoadRegistry::forget_expired(std::uint32_t first_block, std::uint32_t block_count) {
  const std::lock_guard lock{mutex_};
  for (std::uint32_t i = 0; i != block_count; ++i) {
    const auto found = loads_.find(first_block + i);
    if (found != loads_.end() && found->second.expired()) loads_.erase(found);
  }
  is_empty_.store(loads_.empty(), std::memory_order_release);
}

}  // namespace shale::engine::lsm
