#include "cluster/moving_engine.h"

#include <algorithm>
#include <thread>

namespace shale::cluster {

MovingEngine::MovingEngine(std::shared_ptr<engine::Engine> source, std::shared_ptr<engine::Engine> target,
                           std::mutex* target_mutex, const std::atomic<engine::Lsn>& applied_lsn)
    : source_(std::move(source)),
      target_(std::move(target)),
      target_mutex_(target_mutex),
      applied_lsn_(applied_lsn) {}

// Clients take the target's mutex before those of shards with higher ids once it is in the layout, and under
// any of them while it is copied to. The two never meet: the layout changes under the locks of the sources,
// and who comes here holds one of them. A checker of lock orders cannot know that, so this waits by trying.
std::unique_lock<std::mutex> MovingEngine::lock_target() const {
  if (target_mutex_ == nullptr) return {};
  std::unique_lock lock{*target_mutex_, std::try_to_lock};
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
    const auto lock = lock_target();
    if (auto admitted = target_->admit_write(record_bytes); !admitted) return admitted.error();
    target_->put(engine::HashedKey{key}, *value, applied_lsn_);
    copy_delay_ = std::max(copy_delay_, target_->write_delay(record_bytes));
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

engine::Status MovingEngine::admit_write(std::size_t bytes) {
  auto admitted = source_->admit_write(bytes);
  if (!admitted) return admitted;
  const auto lock = lock_target();
  return target_->admit_write(bytes);
}

std::chrono::microseconds MovingEngine::write_delay(std::size_t bytes) {
  const auto delay = source_->write_delay(bytes);
  const auto lock = lock_target();
  return std::max(delay, target_->write_delay(bytes));
}

void MovingEngine::put(const engine::HashedKey& key, BytesView value, engine::Lsn lsn) {
  source_->put(key, value, lsn);
  if (!is_copied(key.bytes)) return;
  const auto lock = lock_target();
  target_->put(key, value, applied_lsn_);
}

void MovingEngine::erase(const engine::HashedKey& key, engine::Lsn lsn) {
  source_->erase(key, lsn);
  if (!is_copied(key.bytes)) return;
  const auto lock = lock_target();
  target_->erase(key, applied_lsn_);
}

void MovingEngine::reclaim_obsolete(engine::Lsn lsn) {
  source_->reclaim_obsolete(lsn);
  const auto lock = lock_target();
  target_->reclaim_obsolete(lsn);
}

std::unique_ptr<engine::Cursor> MovingEngine::cursor(engine::CursorBounds bounds,
                                                     engine::ReadContext& context) {
  return source_->cursor(bounds, context);
}

engine::Lsn MovingEngine::persisted_lsn() const { return source_->persisted_lsn(); }

std::optional<engine::Lsn> MovingEngine::oldest_unpersisted_lsn() const {
  const auto of_source = source_->oldest_unpersisted_lsn();
  const auto lock = lock_target();
  const auto of_target = target_->oldest_unpersisted_lsn();
  return of_source && of_target ? std::min(of_source, of_target) : (of_source ? of_source : of_target);
}

void MovingEngine::flush() {
  source_->flush();
  const auto lock = lock_target();
  target_->flush();
}

void MovingEngine::stop_work() { source_->stop_work(); }

bool MovingEngine::work_stopped() const { return source_->work_stopped(); }

void MovingEngine::resume_work() { source_->resume_work(); }

void MovingEngine::tick() {
  source_->tick();
  const auto lock = lock_target();
  target_->tick();
}

std::int64_t MovingEngine::key_count(std::uint32_t count_class) const {
  return source_->key_count(count_class);
}

engine::EngineStats MovingEngine::stats() const { return source_->stats(); }

}  // namespace shale::cluster
