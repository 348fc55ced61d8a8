#include "cluster/moving_engine.h"

#include <algorithm>
#include <cassert>
#include <thread>

namespace shale::cluster {

MovingEngine::MovingEngine(std::shared_ptr<engine::Engine> source, std::vector<CopyTarget> targets,
                           const ShardMap& map, const std::atomic<engine::Lsn>& applied_lsn)
    : source_(std::move(source)), targets_(std::move(targets)), map_(map), applied_lsn_(applied_lsn) {}

const CopyTarget& MovingEngine::target_of(BytesView key) const {
  if (targets_.size() == 1) return targets_.front();
  const auto target = std::ranges::find(targets_, map_.owner(key), &CopyTarget::shard);
  assert(target != targets_.end());
  return *target;
}

// Clients take the target's mutex before those of shards with higher ids once it is in the layout, and under
// any of them while it is copied to. The two never meet: the layout changes under the locks of the sources,
// and who comes here holds one of them. A checker of lock orders cannot know that, so this waits by trying.
std::unique_lock<std::mutex> CopyTarget::lock() const {
  if (mutex == nullptr) return {};
  std::unique_lock lock{*mutex, std::try_to_lock};
  while (!lock.owns_lock() && !lock.try_lock()) std::this_thread::yield();
  return lock;
}

engine::Result<bool> MovingEngine::copy_some(std::size_t bytes_max, engine::ReadContext& context) {
  copy_delay_ = {};
  if (all_copied_) return true;
  const Bytes begin = frontier_;
  const auto cursor = source_->cursor({begin, {}}, context);
  engine::Status moved = cursor->seek({});
  for (std::size_t bytes = 0; moved && cursor->valid(); moved = cursor->next()) {
    if (bytes >= bytes_max) return false;
    const BytesView key = cursor->key();
    const auto value = cursor->value();
    if (!value) return value.error();
    const std::size_t record_bytes = key.size() + value->size();
    const CopyTarget& target = target_of(key);
    const auto lock = target.lock();
    if (auto admitted = target.tree->admit_write(record_bytes); !admitted) return admitted.error();
    target.tree->put(engine::HashedKey{key}, *value, applied_lsn_);
    copy_delay_ = std::max(copy_delay_, target.tree->write_delay(record_bytes));
    bytes += record_bytes;
    ++copied_records_;
    frontier_.assign(key) += '\0';
  }
  if (!moved) return moved.error();
  all_copied_ = true;
  return true;
}

engine::Result<std::optional<BytesView>> MovingEngine::get(const engine::HashedKey& key,
                                                           engine::ReadContext& context) {
  return source_->get(key, context);
}

void MovingEngine::prefetch_index(const engine::HashedKey& key) const { source_->prefetch_index(key); }

void MovingEngine::prefetch_record(const engine::HashedKey& key) const { source_->prefetch_record(key); }

// Nobody says which keys it is for.
engine::Status MovingEngine::admit_write(std::size_t bytes) {
  auto admitted = source_->admit_write(bytes);
  for (const CopyTarget& target : targets_) {
    if (!admitted) break;
    const auto lock = target.lock();
    admitted = target.tree->admit_write(bytes);
  }
  return admitted;
}

std::chrono::microseconds MovingEngine::write_delay(std::size_t bytes) {
  auto delay = source_->write_delay(bytes);
  for (const CopyTarget& target : targets_) {
    const auto lock = target.lock();
    delay = std::max(delay, target.tree->write_delay(bytes / targets_.size()));
  }
  return delay;
}

void MovingEngine::put(const engine::HashedKey& key, BytesView value, engine::Lsn lsn) {
  source_->put(key, value, lsn);
  if (!is_copied(key.bytes)) return;
  const CopyTarget& target = target_of(key.bytes);
  const auto lock = target.lock();
  target.tree->put(key, value, applied_lsn_);
}

void MovingEngine::erase(const engine::HashedKey& key, engine::Lsn lsn) {
  source_->erase(key, lsn);
  if (!is_copied(key.bytes)) return;
  const CopyTarget& target = target_of(key.bytes);
  const auto lock = target.lock();
  target.tree->erase(key, applied_lsn_);
}

void MovingEngine::reclaim_obsolete(engine::Lsn lsn) {
  source_->reclaim_obsolete(lsn);
  for (const CopyTarget& target : targets_) {
    const auto lock = target.lock();
    target.tree->reclaim_obsolete(lsn);
  }
}

std::unique_ptr<engine::Cursor> MovingEngine::cursor(engine::CursorBounds bounds,
                                                     engine::ReadContext& context) {
  return source_->cursor(bounds, context);
}

engine::Lsn MovingEngine::persisted_lsn() const { return source_->persisted_lsn(); }

// Of every target that one source writes to: another may ask before a write that the log must keep for it.
std::optional<engine::Lsn> MovingEngine::oldest_unpersisted_lsn() const {
  auto oldest = source_->oldest_unpersisted_lsn();
  for (const CopyTarget& target : targets_) {
    const auto lock = target.lock();
    const auto of_target = target.tree->oldest_unpersisted_lsn();
    if (of_target) oldest = std::min(oldest.value_or(*of_target), *of_target);
  }
  return oldest;
}

void MovingEngine::flush() {
  source_->flush();
  for (const CopyTarget& target : targets_) {
    const auto lock = target.lock();
    target.tree->flush();
  }
}

void MovingEngine::stop_work() { source_->stop_work(); }

bool MovingEngine::work_stopped() const { return source_->work_stopped(); }

void MovingEngine::resume_work() { source_->resume_work(); }

void MovingEngine::tick() {
  source_->tick();
  for (const CopyTarget& target : targets_) {
    const auto lock = target.lock();
    target.tree->tick();
  }
}

std::int64_t MovingEngine::key_count(std::uint32_t count_class) const {
  return source_->key_count(count_class);
}

engine::EngineStats MovingEngine::stats() const { return source_->stats(); }

}  // namespace shale::cluster
