#include "cluster/moving_engine.h"

#include <algorithm>
#include <cassert>

namespace shale::cluster {
namespace {

std::unique_lock<std::mutex> lock_of(const MovingEngine::Target& target) {
  return target.mutex == nullptr ? std::unique_lock<std::mutex>{} : std::unique_lock{*target.mutex};
}

}  // namespace

MovingEngine::MovingEngine(std::shared_ptr<engine::Engine> source, std::vector<Target> targets,
                           const std::atomic<engine::Lsn>& applied_lsn)
    : source_(std::move(source)), targets_(std::move(targets)), applied_lsn_(applied_lsn) {
  assert(!targets_.empty() && targets_.front().begin.empty());
}

const MovingEngine::Target& MovingEngine::target_of(BytesView key) const {
  const auto behind = std::ranges::upper_bound(targets_, key, {},
                                               [](const Target& target) { return BytesView{target.begin}; });
  return *std::prev(behind);
}

template <class Visit>
void MovingEngine::for_each_target(Visit visit) const {
  for (const Target& target : targets_) {
    const auto lock = lock_of(target);
    visit(*target.tree);
  }
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
    const Target& target = target_of(key);
    const auto lock = lock_of(target);
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

engine::Status MovingEngine::admit_write(std::size_t bytes) {
  engine::Status admitted = source_->admit_write(bytes);
  for_each_target([&](engine::Engine& tree) {
    if (admitted) admitted = tree.admit_write(bytes);
  });
  return admitted;
}

std::chrono::microseconds MovingEngine::write_delay(std::size_t bytes) {
  std::chrono::microseconds delay = source_->write_delay(bytes);
  for_each_target([&](engine::Engine& tree) { delay = std::max(delay, tree.write_delay(bytes)); });
  return delay;
}

void MovingEngine::put(const engine::HashedKey& key, BytesView value, engine::Lsn lsn) {
  source_->put(key, value, lsn);
  if (!is_copied(key.bytes)) return;
  const Target& target = target_of(key.bytes);
  const auto lock = lock_of(target);
  target.tree->put(key, value, applied_lsn_);
}

void MovingEngine::erase(const engine::HashedKey& key, engine::Lsn lsn) {
  source_->erase(key, lsn);
  if (!is_copied(key.bytes)) return;
  const Target& target = target_of(key.bytes);
  const auto lock = lock_of(target);
  target.tree->erase(key, applied_lsn_);
}

void MovingEngine::reclaim_obsolete(engine::Lsn lsn) {
  source_->reclaim_obsolete(lsn);
  for_each_target([lsn](engine::Engine& tree) { tree.reclaim_obsolete(lsn); });
}

std::unique_ptr<engine::Cursor> MovingEngine::cursor(engine::CursorBounds bounds,
                                                     engine::ReadContext& context) {
  return source_->cursor(bounds, context);
}

engine::Lsn MovingEngine::persisted_lsn() const { return source_->persisted_lsn(); }

std::optional<engine::Lsn> MovingEngine::oldest_unpersisted_lsn() const {
  std::optional<engine::Lsn> oldest = source_->oldest_unpersisted_lsn();
  for_each_target([&](const engine::Engine& tree) {
    const auto lsn = tree.oldest_unpersisted_lsn();
    if (lsn) oldest = std::min(oldest.value_or(*lsn), *lsn);
  });
  return oldest;
}

void MovingEngine::flush() {
  source_->flush();
  for_each_target([](engine::Engine& tree) { tree.flush(); });
}

void MovingEngine::stop_work() { source_->stop_work(); }

bool MovingEngine::work_stopped() const { return source_->work_stopped(); }

void MovingEngine::resume_work() { source_->resume_work(); }

void MovingEngine::tick() {
  source_->tick();
  for_each_target([](engine::Engine& tree) { tree.tick(); });
}

std::int64_t MovingEngine::key_count(std::uint32_t count_class) const {
  return source_->key_count(count_class);
}

engine::EngineStats MovingEngine::stats() const { return source_->stats(); }

}  // namespace shale::cluster
