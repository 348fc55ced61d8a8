// The engine of a shard whose data is being copied to another tree, or to several, while it serves.
//
// Everything below the frontier has been copied, and is written to the source and to the target that will
// have it alike; what is above is written to the source alone, and copied when the frontier comes there. So
// at every moment the targets hold what the source does, up to the frontier, and no log of changes has to be
// caught up with. Reads are the source's.
//
// docs/sharding.md, "Moving by copy".
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "cluster/shard_map.h"
#include "engine/engine.h"

namespace shale::cluster {

using engine::Bytes;
using engine::BytesView;

// Where keys are copied to: the tree that a shard is going to have, and the mutex of its owner, which is
// taken after the source's; null if that is the source's own.
struct CopyTarget {
  ShardId shard{};
  std::shared_ptr<engine::Engine> tree;
  std::mutex* mutex = nullptr;

  std::unique_lock<std::mutex> lock() const;
};

class MovingEngine final : public engine::Engine {
 public:
  // Where several shards are copied to one target, their writes come to it in another order than to the log.
  // So whatever is put there has the number of a record up to which all of them have applied theirs:
  // `applied_lsn`, which grows under all their locks, and outlives this as `map` does. What a target calls
  // persisted is, and a start that applies more than is missing, in order, does no harm. Of several targets
  // `map` says which shall have a key; they are all that it gives keys of the source to.
  MovingEngine(std::shared_ptr<engine::Engine> source, std::vector<CopyTarget> targets, const ShardMap& map,
               const std::atomic<engine::Lsn>& applied_lsn);

  // Copies the next records, until they have `bytes_max` bytes. True when all has been copied. Errors:
  // not_resident (`context` says what to load), busy (a target must catch up), those of reading and of the
  // targets.
  engine::Result<bool> copy_some(std::size_t bytes_max, engine::ReadContext& context);
  std::uint64_t copied_records() const { return copied_records_; }
  // How long to pause after the last copy_some(), so that the targets' background work keeps up.
  std::chrono::microseconds copy_delay() const { return copy_delay_; }

  engine::Result<std::optional<BytesView>> get(const engine::HashedKey& key,
                                               engine::ReadContext& context) override;
  void prefetch_index(const engine::HashedKey& key) const override;
  void prefetch_record(const engine::HashedKey& key) const override;
  engine::Status admit_write(std::size_t bytes) override;
  std::chrono::microseconds write_delay(std::size_t bytes) override;
  void put(const engine::HashedKey& key, BytesView value, engine::Lsn lsn) override;
  void erase(const engine::HashedKey& key, engine::Lsn lsn) override;
  void reclaim_obsolete(engine::Lsn lsn) override;
  std::unique_ptr<engine::Cursor> cursor(engine::CursorBounds bounds, engine::ReadContext& context) override;
  engine::Lsn persisted_lsn() const override;
  std::optional<engine::Lsn> oldest_unpersisted_lsn() const override;
  void flush() override;
  void stop_work() override;
  bool work_stopped() const override;
  void resume_work() override;
  void tick() override;
  std::int64_t key_count(std::uint32_t count_class) const override;
  std::optional<Bytes> middle_key() const override { return {}; }
  engine::EngineStats stats() const override;

 private:
  bool is_copied(BytesView key) const { return all_copied_ || key < BytesView{frontier_}; }
  const CopyTarget& target_of(BytesView key) const;

  const std::shared_ptr<engine::Engine> source_;
  const std::vector<CopyTarget> targets_;
  const ShardMap& map_;
  const std::atomic<engine::Lsn>& applied_lsn_;
  Bytes frontier_;
  bool all_copied_ = false;
  std::uint64_t copied_records_ = 0;
  std::chrono::microseconds copy_delay_{0};
};

}  // namespace shale::cluster
