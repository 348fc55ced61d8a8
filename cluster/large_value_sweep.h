// Finds the files of large values that no key refers to any more, where no write has told: after a crash,
// after FLUSHALL, when values have expired. docs/large-values.md, "When one goes".
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

#include "cluster/shard.h"
#include "engine/large/large_value_store.h"

namespace shale::cluster {

class Store;

// Used by the store's maintenance, one round at a time; note_flush() by anybody.
class LargeValueSweep {
 public:
  explicit LargeValueSweep(Store& store) : store_(store) {}

  // Looks at the next few files; at none if all have been looked at of late. Waits for disks.
  void round();
  // Databases have been emptied.
  void note_flush() { flushed_.store(true, std::memory_order_release); }

 private:
  void release_flushed();
  void look_at(const engine::LargeValueStore::Listed& file);
  // Whose the file is, as it says itself; nothing if it cannot be read.
  std::optional<Bytes> owner_of(std::uint64_t id);
  // Under the lock of `shard`, which owns the key. False if something has to be loaded first.
  bool decide(Shard& shard, const engine::HashedKey& key, std::uint64_t id, engine::ReadContext& context);
  void erase_expired(Shard& shard, const engine::HashedKey& key, std::uint64_t id);

  Store& store_;
  std::atomic<bool> flushed_ = false;
  std::uint64_t last_id_ = 0;                                       // looked at in this pass
  std::optional<std::chrono::steady_clock::time_point> next_pass_;  // none: in the middle of one
};

}  // namespace shale::cluster
